// Package link runs the managers' side of the link to the desks: the certificate
// of all managers, the server in each of them, and the loop of the one that leads.
package link

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/capacity"
	wire "github.com/deskfleet/deskfleet/internal/link"
	"github.com/deskfleet/deskfleet/internal/link/server"
	"github.com/deskfleet/deskfleet/internal/render"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

// Options of the link.
type Options struct {
	// Namespace and Name of this manager's pod.
	Namespace, Name string
	// Address to listen on, for example ":9443"; ignored with a Listener.
	Address  string
	Listener net.Listener
	// Registry of the metrics; nil for the manager's.
	Registry prometheus.Registerer
	// Now is the clock by which figures age, and by which statuses wait to show them; nil for time.Now.
	Now func() time.Time
}

// Clock by which figures age; without options, too.
func (o *Options) Clock() func() time.Time {
	if o == nil || o.Now == nil {
		return time.Now
	}
	return o.Now
}

// Link is what the controllers need of it.
type Link struct {
	// Loop decides about all pools.
	Loop *capacity.Loop
	// Render says that pods report; nil when they do not.
	Render *render.Link

	keeper *keeper
}

// Document is what a desk's configuration says about the link; nil without one.
func (l *Link) Document() *runtimeconfig.Link {
	if l.keeper == nil {
		return nil
	}
	return &runtimeconfig.Link{Host: l.Render.Host(), Port: wire.Port, CA: l.keeper.CA()}
}

// Wakers are told of changes.
type Wakers struct {
	// Pool and Desk wake the controller of one; they must not block.
	Pool, Desk func(namespace, name string)
	// AllDesks wakes for every desk.
	AllDesks func()
}

// Setup adds the link to a manager: to every replica the server, to the one that
// leads the loop. Without options there is no server, and the loop knows no
// figures. It makes the certificate, so that the first configuration of a desk
// names its authority already.
func Setup(ctx context.Context, mgr ctrl.Manager, options *Options, wake Wakers, log *slog.Logger) (*Link, error) {
	loop := capacity.Options{
		Now:         options.Clock(),
		PoolChanged: func(k capacity.Key) { wake.Pool(k.Namespace, k.Name) },
		DeskChanged: wake.Desk,
		Logger:      log,
	}
	if options == nil {
		l := &Link{Loop: capacity.New(loop)}
		return l, mgr.Add(&leader{run: l.Loop.Run})
	}
	loop.Desks = server.NewDesks(loop.Now)
	l := &Link{Loop: capacity.New(loop), Render: &render.Link{Namespace: options.Namespace}}
	l.keeper = &keeper{
		reader: mgr.GetAPIReader(), writer: mgr.GetClient(), namespace: options.Namespace, host: l.Render.Host(),
		now: time.Now, log: log, changed: wake.AllDesks,
	}
	if err := l.keeper.ensure(ctx); err != nil {
		return nil, err
	}
	discovery, err := newAPIServer(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return nil, err
	}
	lead := &leader{run: l.Loop.Run}
	registry := options.Registry
	if registry == nil {
		registry = ctrlmetrics.Registry
	}
	s := server.New(server.Options{
		Name: options.Name, Verifier: server.NewVerifier(discovery, time.Now), Desks: loop.Desks,
		AccountOf: render.ServiceAccountName, Known: known(mgr.GetClient()), Leads: lead.leads,
		Answer: l.answer(mgr.GetClient()), Recalled: l.Loop.Recalled, Certificate: l.keeper.Certificate,
		Metrics: server.NewMetrics(registry, loop.Desks), Logger: log,
	})
	return l, errors.Join(
		registry.Register(capacity.NewCollector(l.Loop)),
		mgr.Add(everywhere(l.keeper.run)),
		mgr.Add(everywhere(func(ctx context.Context) error { return serve(ctx, s, options) })),
		mgr.Add(lead),
	)
}

func serve(ctx context.Context, s *server.Server, o *Options) error {
	listener := o.Listener
	if listener == nil {
		var err error
		if listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", o.Address); err != nil {
			return fmt.Errorf("--link-bind-address: listen on %q: %w", o.Address, err)
		}
	}
	return s.Serve(ctx, listener)
}

// known looks for a desk in the cache, which followers keep as well.
func known(cache client.Reader) func(namespace, desk string) bool {
	return func(namespace, desk string) bool {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		return cache.Get(ctx, client.ObjectKey{Namespace: namespace, Name: desk}, &v1alpha1.ServiceDesk{}) == nil
	}
}

// answer says what is wanted of a desk. The configuration is not kept: the cache has it.
func (l *Link) answer(cache client.Reader) func(namespace, desk string) server.Answer {
	return func(namespace, desk string) server.Answer {
		revision, pools := l.Loop.Answer(namespace, desk)
		learned, recall := l.Loop.History(namespace, desk)
		seats := l.Loop.Seats(namespace, desk)
		return server.Answer{Revision: revision, Pools: pools, Seats: seats, Learned: learned, Recall: recall, Document: func() (string, error) {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			var c corev1.ConfigMap
			if err := cache.Get(ctx, client.ObjectKey{Namespace: namespace, Name: render.ConfigMapName(desk)}, &c); err != nil {
				return "", err
			}
			document := c.Data[runtimeconfig.FileName]
			if found := runtimeconfig.Revision([]byte(document)); found != revision {
				return "", fmt.Errorf("the cache has revision %s, wanted is %s", found, revision)
			}
			return document, nil
		}}
	}
}

// everywhere runs in every replica of the manager.
type everywhere func(context.Context) error

// Start implements manager.Runnable.
func (e everywhere) Start(ctx context.Context) error { return e(ctx) }

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (everywhere) NeedLeaderElection() bool { return false }

// leader runs in the replica that leads, and knows since when it does.
type leader struct {
	run func(context.Context)

	mu    sync.Mutex
	since time.Time
}

// Start implements manager.Runnable.
func (l *leader) Start(ctx context.Context) error {
	l.mu.Lock()
	l.since = time.Now().UTC()
	l.mu.Unlock()
	l.run(ctx)
	l.mu.Lock()
	l.since = time.Time{}
	l.mu.Unlock()
	return nil
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (*leader) NeedLeaderElection() bool { return true }

func (l *leader) leads() (time.Time, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.since, !l.since.IsZero()
}
