// Package role is what the web roles, gateway and console, have in common: the connection to the bus, the
// feed of the log, the HTTP server, the open sockets, and an end that loses nothing.
package role

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/telemetry"
	"github.com/deskfleet/deskfleet/internal/web/feed"
	"github.com/deskfleet/deskfleet/internal/web/problem"
	"github.com/deskfleet/deskfleet/internal/web/socket"
)

// Options of a web role. All are required but where it is said.
type Options struct {
	// Kind is gateway or console, for messages.
	Kind string
	// Name of the process on the bus.
	Name string
	// Listen is HOST:PORT; empty for none, the caller then serves Handler.
	Listen  string
	Handler http.Handler
	// Subjects of the desk.
	Subjects bus.Subjects
	Dialer   bus.Dialer
	// BusMetrics may be nil.
	BusMetrics *bus.Metrics
	// OnReconnect, if set, is called when the bus is back; it must not block.
	OnReconnect func()
	Logger      *slog.Logger
	// Health may be nil.
	Health *telemetry.Health
	// Claims says that the feed follows contacts' claims too.
	Claims bool
	// DrainWithin is how long open sockets and requests may take to end.
	DrainWithin time.Duration
	// Up is called when the bus is connected, before the feed runs. down is called when all sockets have
	// ended, while the bus is still there.
	Up func(*Link) (down func(), err error)
}

// Link is everything that needs the bus.
type Link struct {
	Conn bus.Conn
	Log  bus.Log
	Feed *feed.Feed
	// Sockets ends all sockets, and Base, after the last of them, what they left to do.
	Sockets, Base context.Context
}

// Role runs one web role.
type Role struct {
	opts     Options
	log      *slog.Logger
	link     atomic.Pointer[Link]
	draining atomic.Bool

	mu   sync.Mutex
	open map[*socket.Socket]struct{}
	// ended is closed when draining and the last socket is gone.
	ended chan struct{}
}

// New makes a role; it serves nothing before Run.
func New(opts Options) *Role {
	return &Role{opts: opts, log: opts.Logger, open: map[*socket.Socket]struct{}{}, ended: make(chan struct{})}
}

// Link while customers and agents can be served. The error is a problem.
func (r *Role) Link() (*Link, error) {
	l := r.link.Load()
	if l == nil || !l.Feed.Ready() || r.draining.Load() {
		return nil, problem.New(http.StatusServiceUnavailable, problem.CodeUnavailable,
			"the "+r.opts.Kind+" is starting, draining, or cannot reach its bus", "try again").RetryAfter(time.Second)
	}
	return l, nil
}

// Ready says why nobody can be served now; nil when all can.
func (r *Role) Ready() error {
	l := r.link.Load()
	switch {
	case r.draining.Load():
		return errors.New("it drains")
	case l == nil:
		return errors.New("the bus is not connected yet")
	case !l.Conn.Connected():
		return errors.New("the connection to the bus is lost")
	case !l.Feed.Ready():
		return errors.New("the desk's log is not followed yet")
	default:
		return nil
	}
}

// Serve runs what serves a socket in a goroutine of its own, so that the request that it came with can be forgotten, and
// counts the socket until its end: a drain has to end it. It is false, and nothing is run, while draining.
func (r *Role) Serve(s *socket.Socket, serve func()) bool {
	if !r.enter(s) {
		return false
	}
	go func() {
		defer r.leave(s)
		// As in a handler: a defect that one peer's frames hit must not end the sockets of all others.
		defer func() {
			if defect := recover(); defect != nil {
				r.log.Error("socket ended by a defect", "error", defect, "stack", string(debug.Stack()))
				s.Abort()
			}
		}()
		serve()
	}()
	return true
}

func (r *Role) enter(s *socket.Socket) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.draining.Load() {
		return false
	}
	r.open[s] = struct{}{}
	return true
}

func (r *Role) leave(s *socket.Socket) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, s)
	if r.draining.Load() && len(r.open) == 0 {
		close(r.ended)
	}
}

// Open lists the sockets.
func (r *Role) Open() []*socket.Socket {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]*socket.Socket, 0, len(r.open))
	for s := range r.open {
		out = append(out, s)
	}
	return out
}

// Run serves until ctx ends and then drains: open sockets are told to come back elsewhere, and what is in
// flight is finished. It may be called once.
func (r *Role) Run(ctx context.Context) error {
	// Sockets outlive ctx until they are drained, and the bus outlives the sockets.
	base, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	sockets, endSockets := context.WithCancel(base)
	defer endSockets()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)

	server, err := r.listen(base)
	if err != nil {
		return err
	}
	var work sync.WaitGroup
	defer work.Wait()
	defer end()
	work.Go(func() {
		if err := r.connect(ctx, sockets, base); err != nil {
			stop(err)
		}
	})
	if server != nil {
		work.Go(func() {
			if err := server.run(); err != nil {
				stop(fmt.Errorf("%s: serve: %w", r.opts.Kind, err))
			}
		})
	}
	r.log.InfoContext(ctx, "web role starts", "listen", r.opts.Listen)
	<-ctx.Done()
	r.drain(server)
	endSockets()
	<-r.ended
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// connect dials the bus and follows the log until base ends.
func (r *Role) connect(ctx, sockets, base context.Context) error {
	conn, err := r.opts.Dialer.Dial(ctx, bus.ClientOptions{
		Name: r.opts.Name, Logger: r.log, Metrics: r.opts.BusMetrics, OnReconnect: r.opts.OnReconnect,
	})
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("%s: %w", r.opts.Kind, err)
	}
	defer conn.Close()
	if !r.waitStream(ctx, conn) {
		return nil
	}
	l := &Link{
		Conn: conn, Log: conn.Log(r.opts.Subjects.Stream()), Sockets: sockets, Base: base,
		Feed: feed.New(conn, r.opts.Subjects, r.opts.Claims, r.log),
	}
	down, err := r.opts.Up(l)
	if err != nil {
		return fmt.Errorf("%s: %w", r.opts.Kind, err)
	}
	defer down()
	r.link.Store(l)
	defer r.link.Store(nil)
	if err := l.Feed.Run(base); err != nil {
		return fmt.Errorf("%s: %w", r.opts.Kind, err)
	}
	return nil
}

// waitStream waits as long as it takes: the bus may start later than its clients. False when ctx ended.
func (r *Role) waitStream(ctx context.Context, conn bus.Conn) bool {
	for {
		err := conn.WaitStream(ctx, r.opts.Subjects.Stream())
		if err == nil || ctx.Err() != nil {
			return err == nil
		}
		r.log.WarnContext(ctx, "the desk's log is not there yet", "error", err)
	}
}

// server is the HTTP server of a role.
type server struct {
	http     *http.Server
	listener net.Listener
}

func (r *Role) listen(base context.Context) (*server, error) {
	if r.opts.Listen == "" {
		return nil, nil
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(base, "tcp", r.opts.Listen)
	if err != nil {
		return nil, fmt.Errorf("%s: listen on %q: %w", r.opts.Kind, r.opts.Listen, err)
	}
	return &server{listener: listener, http: &http.Server{
		Handler:           r.opts.Handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       20 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		BaseContext:       func(net.Listener) context.Context { return base },
		ErrorLog:          slog.NewLogLogger(serverLog{r.log.Handler()}, slog.LevelDebug),
	}}, nil
}

func (s *server) run() error {
	if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
