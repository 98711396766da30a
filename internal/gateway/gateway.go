package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	archive "github.com/deskfleet/deskfleet/internal/archive/protocol"
	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/gateway/contacttoken"
	"github.com/deskfleet/deskfleet/internal/router/intake"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/web/ask"
	"github.com/deskfleet/deskfleet/internal/web/feed"
	"github.com/deskfleet/deskfleet/internal/web/limit"
)

// keysEvery is how often the signing keys are read again; a mounted Secret changes within a minute or two.
const keysEvery = 5 * time.Second

// most keys that are remembered for rates: contacts, and addresses of new contacts.
const mostRates = 100_000

// Gateway serves customers. Make it with [New].
type Gateway struct {
	opts     Options
	log      *slog.Logger
	subjects bus.Subjects
	desk     contacttoken.Desk
	keys     *contacttoken.Folder
	metrics  *metrics

	messageRate *limit.Buckets
	contactRate *limit.Buckets
	connections *limit.Connections
	handler     http.Handler

	// link is set while the bus is connected.
	link     atomic.Pointer[link]
	draining atomic.Bool

	mu       sync.Mutex
	sessions map[*session]struct{}
	// ended is closed when draining and the last session is gone.
	ended chan struct{}
}

// link is everything that needs the bus.
type link struct {
	conn   bus.Conn
	log    bus.Log
	feed   *feed.Feed
	intake intake.Desk
	router ask.Router
	// archive has the conversations that the log no longer has.
	archive archive.Client
	attend  *attendance
	// sockets ends all sockets, and base, after the last of them, what they left to do.
	sockets, base context.Context
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
		messageRate: limit.NewBuckets(mostRates), contactRate: limit.NewBuckets(mostRates),
		connections: limit.NewConnections(opts.MaxConnections, opts.MaxConnectionsPerAddress),
		sessions:    map[*session]struct{}{}, ended: make(chan struct{}),
	}
	if opts.Health != nil {
		opts.Health.Require("gateway", func(context.Context) error { return g.Ready() })
	}
	g.handler, err = g.routes()
	return g, err
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

// Handler serves the chat page, the widget, the WebSocket and the REST API. It answers 503 while Run does
// not run.
func (g *Gateway) Handler() http.Handler { return g.handler }

// Ready says why the gateway cannot serve customers now; nil when it can.
func (g *Gateway) Ready() error {
	if g.draining.Load() {
		return errors.New("the gateway drains")
	}
	_, keys := g.keys.Keys(time.Now())
	l := g.link.Load()
	switch {
	case l == nil:
		return errors.Join(errors.New("the bus is not connected yet"), keys)
	case !l.conn.Connected():
		return errors.Join(errors.New("the connection to the bus is lost"), keys)
	case !l.feed.Ready():
		return errors.Join(errors.New("the desk's log is not followed yet"), keys)
	}
	return keys
}

// Run is the role, see the function Run. It may be called once.
func (g *Gateway) Run(ctx context.Context) error {
	// Sockets outlive ctx until they are drained, and the bus outlives the sockets.
	base, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	sockets, endSockets := context.WithCancel(base)
	defer endSockets()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)

	serve, err := g.listen(base)
	if err != nil {
		return err
	}
	var work sync.WaitGroup
	defer work.Wait()
	defer end()
	work.Go(func() {
		if err := g.connect(ctx, sockets, base); err != nil {
			stop(err)
		}
	})
	if serve != nil {
		work.Go(func() {
			if err := serve.run(); err != nil {
				stop(err)
			}
		})
	}
	g.log.InfoContext(ctx, "gateway starts", "listen", g.opts.Listen)
	<-ctx.Done()
	g.drain(serve)
	endSockets()
	<-g.ended
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// connect dials the bus and follows the log until base ends.
func (g *Gateway) connect(ctx, sockets, base context.Context) error {
	conn, err := g.opts.Dialer.Dial(ctx, bus.ClientOptions{
		Name: g.opts.Name, Logger: g.log, Metrics: g.opts.BusMetrics,
	})
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("gateway: %w", err)
	}
	defer conn.Close()
	if err := waitStream(ctx, conn, g.subjects.Stream(), g.log); err != nil {
		return nil // ctx ended
	}
	l := &link{
		conn: conn, log: conn.Log(g.subjects.Stream()), sockets: sockets, base: base,
		feed:    feed.New(conn, g.subjects, true, g.log),
		router:  ask.Router{Bus: conn, Subjects: g.subjects, Party: bus.PartyCustomer},
		archive: archive.Client{Bus: conn, Subjects: g.subjects},
	}
	l.intake = intake.Desk{Log: l.log, Subjects: g.subjects}
	l.attend = newAttendance(base, l, g.opts.Name, g.opts.LeftAfter, g.log)
	g.link.Store(l)
	defer l.attend.wait()
	defer g.link.Store(nil)
	if err := l.feed.Run(base); err != nil {
		return fmt.Errorf("gateway: %w", err)
	}
	return nil
}

// waitStream waits as long as it takes: the bus may start later than its clients.
func waitStream(ctx context.Context, conn bus.Conn, stream string, log *slog.Logger) error {
	for {
		err := conn.WaitStream(ctx, stream)
		if err == nil || ctx.Err() != nil {
			return err
		}
		log.WarnContext(ctx, "gateway waits for the desk's log", "error", err)
	}
}

// serving is the HTTP server of the role.
type serving struct {
	server   *http.Server
	listener net.Listener
}

func (g *Gateway) listen(base context.Context) (*serving, error) {
	if g.opts.Listen == "" {
		return nil, nil
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(base, "tcp", g.opts.Listen)
	if err != nil {
		return nil, fmt.Errorf("gateway: listen on %q: %w", g.opts.Listen, err)
	}
	return &serving{listener: listener, server: &http.Server{
		Handler:           g.handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       20 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		BaseContext:       func(net.Listener) context.Context { return base },
		ErrorLog:          slog.NewLogLogger(g.log.Handler(), slog.LevelDebug),
	}}, nil
}

func (s *serving) run() error {
	if err := s.server.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("gateway: serve: %w", err)
	}
	return nil
}
