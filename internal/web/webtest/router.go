package webtest

import (
	"context"

	"github.com/deskfleet/deskfleet/internal/router"
	"github.com/deskfleet/deskfleet/internal/routing"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
)

// StartRouter runs the real router until the test ends, and waits until it leads.
func (r *Rig) StartRouter(times routing.Times) *router.Router {
	r.T.Helper()
	led, err := router.New(router.Options{
		Dialer: r.Server, Name: "router-0", Config: r.Config, Logger: Quiet(r.T), Times: times,
	})
	if err != nil {
		r.T.Fatal(err)
	}
	ctx, cancel := context.WithCancel(r.T.Context())
	done := make(chan error, 1)
	go func() { done <- led.Run(ctx) }()
	r.T.Cleanup(func() {
		cancel()
		if err := eventually.Receive(r.T, "the router ends", done); err != nil {
			r.T.Errorf("router ended with %v", err)
		}
	})
	eventually.True(r.T, "the router leads", func() bool { return led.Status().Leading })
	return led
}
