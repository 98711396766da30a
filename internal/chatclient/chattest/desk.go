// Package chattest gives tests of desks' clients a desk to talk to: a real bus, gateways and a router, and
// a bot that answers as the test says. What a client says goes through everything that a customer's does.
package chattest

import (
	"bytes"
	"context"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/deskfleet/deskfleet/internal/gateway"
	"github.com/deskfleet/deskfleet/internal/gateway/contacttoken"
	"github.com/deskfleet/deskfleet/internal/router"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
	"github.com/deskfleet/deskfleet/internal/web/webtest"
)

// Desk is a desk under test. The test plays the router with the rig, or starts a real one.
type Desk struct {
	*webtest.Rig
	secrets string
}

// New starts a bus that ends with the test.
func New(t testing.TB) *Desk {
	t.Helper()
	d := &Desk{Rig: webtest.New(t), secrets: t.TempDir()}
	d.ReplaceKey(7)
	return d
}

// ReplaceKey that signs contact tokens: gateways that start afterwards accept no earlier token.
func (d *Desk) ReplaceKey(fill byte) {
	d.T.Helper()
	key := bytes.Repeat([]byte{fill}, contacttoken.KeySize)
	if err := os.WriteFile(filepath.Join(d.secrets, contacttoken.FileCurrent), key, 0o600); err != nil {
		d.T.Fatal(err)
	}
}

// Gateway starts a gateway and returns its address and what drains and ends it, at the latest with the test.
func (d *Desk) Gateway(name string, change ...func(*gateway.Options)) (url string, stop func()) {
	d.T.Helper()
	opts := gateway.Options{
		Name: name, Source: d.Config, Dialer: d.Server, Secrets: d.secrets, Logger: webtest.Quiet(d.T),
		Registerer: prometheus.NewRegistry(), DrainWithin: 10 * time.Second,
		// Connections that are cut before their token arrives come back as another new contact.
		NewContactsPerMinute: 1 << 20,
	}
	for _, f := range change {
		f(&opts)
	}
	gw, err := gateway.New(opts)
	if err != nil {
		d.T.Fatal(err)
	}
	server := httptest.NewServer(gw.Handler())
	end := run(d.T, "gateway "+name, gw.Run)
	stop = func() {
		end()
		server.Close()
	}
	d.T.Cleanup(stop)
	eventually.Nil(d.T, "the gateway is ready", gw.Ready)
	return server.URL, stop
}

// Router starts a router and waits until it leads. Tests that start one do not play it.
func (d *Desk) Router(name string) (stop func()) {
	d.T.Helper()
	r, err := router.New(router.Options{Dialer: d.Server, Name: name, Config: d.Config, Logger: webtest.Quiet(d.T)})
	if err != nil {
		d.T.Fatal(err)
	}
	stop = run(d.T, "router "+name, r.Run)
	d.T.Cleanup(stop)
	eventually.True(d.T, "the router leads", func() bool { return r.Status().Leading })
	return stop
}

// run starts a role; what it returns ends the role and waits for its end.
func run(t testing.TB, what string, f func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	stopped := false
	return func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := eventually.Receive(t, what+" ends", done); err != nil {
			t.Errorf("%s ended with %v", what, err)
		}
	}
}
