package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	archive "github.com/deskfleet/deskfleet/internal/archive/protocol"
	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/gateway/contacttoken"
	"github.com/deskfleet/deskfleet/internal/router/intake"
	"github.com/deskfleet/deskfleet/internal/router/load"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/web/ask"
	"github.com/deskfleet/deskfleet/internal/web/limit"
	"github.com/deskfleet/deskfleet/internal/web/role"
)

// keysEvery is how often the signing keys are read again; a mounted Secret changes within a minute or two.
const keysEvery = 5 * time.Second

// complainEvery is how often a fault that lasts is logged again.
const complainEvery = time.Minute

// most keys that are remembered for rates: contacts, and addresses of new contacts.
const mostRates = 100_000

// Gateway serves customers. Make it with [New].
type Gateway struct {
	opts     Options
	log      *slog.Logger
	subjects bus.Subjects
	desk     contacttoken.Desk
	keys     *contacttoken.Folder
	// keysMissing bounds what is logged about it: every customer that is refused asks.
	keysMissing rate.Sometimes
	metrics     *metrics

	messageRate *limit.Buckets
	readRate    *limit.Buckets
	contactRate *limit.Buckets
	connections *limit.Connections
	handler     http.Handler

	role *role.Role
	// link is set while the bus is connected.
	link atomic.Pointer[link]
}

// link is everything that needs the bus.
type link struct {
	*role.Link
	intake intake.Desk
	router ask.Router
	// archive has the conversations that the log no longer has.
	archive archive.Client
	attend  *attendance
}

// New makes a gateway; it serves nothing before Run.
func New(opts Options) (*Gateway, error) {
	if err := opts.complete(); err != nil {
		return nil, err
	}
	doc := opts.Source.Current().Document
	subjects, err := bus.NewSubjects(doc.Namespace, doc.Desk)
	if err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	g := &Gateway{
		opts: opts, log: opts.Logger, subjects: subjects,
		desk: contacttoken.Desk{Namespace: doc.Namespace, Name: doc.Desk},
		keys: contacttoken.NewFolder(opts.Secrets, keysEvery), metrics: newMetrics(opts.Registerer),
		keysMissing: rate.Sometimes{Interval: complainEvery},
		messageRate: limit.NewBuckets(mostRates), readRate: limit.NewBuckets(mostRates), contactRate: limit.NewBuckets(mostRates),
		connections: limit.NewConnections(opts.MaxConnections, opts.MaxConnectionsPerAddress),
	}
	if g.handler, err = g.routes(); err != nil {
		return nil, err
	}
	g.role = role.New(role.Options{
		Kind: "gateway", Name: opts.Name, Listen: opts.Listen, Handler: g.handler, Subjects: subjects,
		Dialer: opts.Dialer, BusMetrics: opts.BusMetrics, Logger: opts.Logger, Health: opts.Health,
		Claims: true, DrainWithin: opts.DrainWithin, Up: g.up,
	})
	if opts.Health != nil {
		opts.Health.Require("gateway", func(context.Context) error { return g.Ready() })
	}
	return g, nil
}

// document is the desk's configuration as it is now.
func (g *Gateway) document() *runtimeconfig.Document { return g.opts.Source.Current().Document }

// Run serves until ctx ends and then drains: open sockets are told to come back elsewhere and messages in
// flight are stored and acknowledged.
func Run(ctx context.Context, opts Options) error {
	g, err := New(opts)
	if err != nil {
		return err
	}
	return g.Run(ctx)
}

// Run is the role, see the function Run. It may be called once.
func (g *Gateway) Run(ctx context.Context) error { return g.role.Run(ctx) }

// Handler serves the chat page, the widget, the WebSocket and the REST API. It answers 503 while Run does
// not run.
func (g *Gateway) Handler() http.Handler { return g.handler }

// Ready says why the gateway cannot serve customers now; nil when it can.
func (g *Gateway) Ready() error {
	_, err := g.keys.Keys(time.Now())
	return errors.Join(g.role.Ready(), err)
}

// up is called when the bus is connected.
func (g *Gateway) up(base *role.Link) (down func(), err error) {
	l := &link{
		Link:    base,
		intake:  intake.Desk{Log: bus.WithReserve(base.Log, bus.ReserveOfCustomers, g.log), Subjects: g.subjects},
		router:  ask.Router{Bus: base.Conn, Subjects: g.subjects, Party: bus.PartyCustomer},
		archive: archive.Client{Bus: base.Conn, Subjects: g.subjects},
	}
	l.attend = newAttendance(l, g.opts.Name, g.opts.LeftAfter, g.log)
	g.link.Store(l)
	teller := load.Teller{
		Bus: base.Conn, Subjects: g.subjects, Role: runtimeconfig.RoleGateway, Replica: g.opts.Name, Source: g.opts.Source, Logger: g.log,
		Load: func(time.Time) float64 { return float64(g.connections.Open()) },
	}
	var work sync.WaitGroup
	work.Go(func() { teller.Run(base.Base) })
	return func() {
		g.link.Store(nil)
		l.attend.wait()
		work.Wait()
	}, nil
}

// serving gives the link while customers can be served. The error is a problem.
func (g *Gateway) serving() (*link, error) {
	if _, err := g.role.Link(); err != nil {
		return nil, err
	}
	l := g.link.Load()
	if l == nil { // it has just ended
		_, err := g.role.Link()
		return nil, err
	}
	return l, nil
}
