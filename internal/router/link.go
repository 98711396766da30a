package router

import (
	"context"
	"net"
	"net/netip"

	linkclient "github.com/deskfleet/deskfleet/internal/link/client"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

// Link lets a router report to the managers while it leads, and do what they want.
type Link struct {
	// TokenFile is the projected ServiceAccount token.
	TokenFile string
	// Store takes the configuration that comes from the managers. It is the router's Config.
	Store *runtimeconfig.Store
	// Metrics may be nil.
	Metrics *linkclient.Metrics
	// find and dial replace the network in tests.
	find func(ctx context.Context, host string) ([]netip.Addr, error)
	dial func(ctx context.Context, network, address string) (net.Conn, error)
}

func (l *Link) client(r *Router) *linkclient.Client {
	return linkclient.New(linkclient.Options{
		Config: l.Store, TokenFile: l.TokenFile, OnWanted: r.SetWanted, OnSeats: r.SetSeats, Keeper: r.learned, Metrics: l.Metrics, Logger: r.log,
		Lookup: l.find, Dial: l.dial,
	})
}

// startLink runs the client until ctx ends, and returns a function that waits for its end.
func (r *Router) startLink(ctx context.Context) func() {
	if r.link == nil {
		return func() {}
	}
	return beside(ctx, r.link.Run)
}

// beside runs f in a goroutine of its own, and returns a function that ends it and waits for that.
func beside(ctx context.Context, f func(context.Context)) func() {
	ctx, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(ctx)
	}()
	return func() {
		stop()
		<-done
	}
}
