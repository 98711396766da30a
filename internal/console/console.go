package console

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	archive "github.com/deskfleet/deskfleet/internal/archive/protocol"
	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/console/tokens"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/web/ask"
	"github.com/deskfleet/deskfleet/internal/web/limit"
	"github.com/deskfleet/deskfleet/internal/web/role"
)

// Console serves agents. Make it with [New].
type Console struct {
	opts     Options
	log      *slog.Logger
	subjects bus.Subjects
	tokens   *tokens.File
	// tokensMissing bounds what is logged about it: clients try again by themselves.
	tokensMissing rate.Sometimes
	metrics       *metrics

	wrongTokens *limit.Buckets
	connections *limit.Connections
	handler     http.Handler

	role *role.Role
	// link is set while the bus is connected.
	link atomic.Pointer[link]
	// reconnected is told that the bus was away.
	reconnected chan struct{}
}

// link is everything that needs the bus.
type link struct {
	*role.Link
	subjects bus.Subjects
	// said is the log for what agents say. What is reported for the audit has no reserve to keep: agents who
	// cannot sign in cannot end conversations.
	said    bus.Log
	router  ask.Router
	archive archive.Client
	agents  *agents
	figures *figures
}

// New makes a console; it serves nothing before Run.
func New(opts Options) (*Console, error) {
	if err := opts.complete(); err != nil {
		return nil, err
	}
	doc := opts.Source.Current().Document
	subjects, err := bus.NewSubjects(doc.Namespace, doc.Desk)
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	c := &Console{
		opts: opts, log: opts.Logger, subjects: subjects,
		tokens: tokens.NewFile(opts.Tokens, opts.TokensEvery), metrics: newMetrics(opts.Registerer),
		tokensMissing: rate.Sometimes{Interval: time.Minute},
		wrongTokens:   limit.NewBuckets(10_000),
		connections:   limit.NewConnections(opts.MaxConnections, opts.MaxConnectionsPerAddress),
		reconnected:   make(chan struct{}, 1),
	}
	if c.handler, err = c.routes(); err != nil {
		return nil, err
	}
	c.role = role.New(role.Options{
		Kind: "console", Name: opts.Name, Listen: opts.Listen, Handler: c.handler, Subjects: subjects,
		Dialer: opts.Dialer, BusMetrics: opts.BusMetrics, OnReconnect: c.onReconnect, Logger: opts.Logger,
		Health: opts.Health, DrainWithin: opts.DrainWithin, Up: c.up,
	})
	if opts.Health != nil {
		opts.Health.Require("console", func(context.Context) error { return c.role.Ready() })
		// Shown, not required: without tokens nobody can sign in, but nothing else would heal it.
		opts.Health.Report("agentTokens", func(context.Context) error { return c.TokensProblem() })
	}
	return c, nil
}

// document is the desk's configuration as it is now.
func (c *Console) document() *runtimeconfig.Document { return c.opts.Source.Current().Document }

// Run serves until ctx ends and then drains: agents' clients are told to come back elsewhere.
func Run(ctx context.Context, opts Options) error {
	c, err := New(opts)
	if err != nil {
		return err
	}
	return c.Run(ctx)
}

// Run is the role, see the function Run. It may be called once.
func (c *Console) Run(ctx context.Context) error { return c.role.Run(ctx) }

// Handler serves everything under [Path]. It answers 503 while Run does not run.
func (c *Console) Handler() http.Handler { return c.handler }

// Ready says why agents cannot be served now; nil when they can.
func (c *Console) Ready() error { return c.role.Ready() }

// TokensProblem says which file of tokens, or which entry in it, is missing or wrong; nil when all is well.
func (c *Console) TokensProblem() error {
	_, err := c.tokens.Users(time.Now())
	return err
}

func (c *Console) onReconnect() {
	select {
	case c.reconnected <- struct{}{}:
	default:
	}
}

// up is called when the bus is connected.
func (c *Console) up(base *role.Link) (down func(), err error) {
	l := &link{
		Link: base, subjects: c.subjects,
		said:    bus.WithReserve(base.Log, bus.ReserveOfAgents, c.log),
		router:  ask.Router{Bus: base.Conn, Subjects: c.subjects, Party: bus.PartyAgent},
		archive: archive.Client{Bus: base.Conn, Subjects: c.subjects},
		figures: &figures{sessions: map[*session]struct{}{}},
	}
	l.agents = newAgents(l, c.log)
	pushes, err := base.Conn.Subscribe(base.Base, c.subjects.Offers(bus.PartyAgent), l.agents.pushed)
	if err != nil {
		return nil, err
	}
	numbers, err := base.Conn.Subscribe(base.Base, c.subjects.Figures(), l.figures.received)
	if err != nil {
		pushes.Stop()
		return nil, err
	}
	c.link.Store(l)
	var work sync.WaitGroup
	work.Go(func() { l.agents.beat(base.Base, c.opts.HeartbeatEvery) })
	work.Go(func() { c.watchTokens(base.Base) })
	work.Go(func() { c.watchReconnects(base.Base, l) })
	return func() {
		c.link.Store(nil)
		pushes.Stop()
		numbers.Stop()
		work.Wait()
		l.agents.work.Wait()
	}, nil
}

// watchReconnects asks for the agents' conversations anew after the bus was away: pushes may be lost.
func (c *Console) watchReconnects(ctx context.Context, l *link) {
	for {
		select {
		case <-c.reconnected:
			l.agents.syncAll()
		case <-ctx.Done():
			return
		}
	}
}
