package router

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/link"
	linkclient "github.com/deskfleet/deskfleet/internal/link/client"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
	"github.com/deskfleet/deskfleet/internal/routing"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

// Options of the router role. Everything is injected, so that it runs in a pod, in one process with the
// other roles, and in tests.
type Options struct {
	// Dialer of the bus.
	Dialer bus.Dialer
	// Name of this replica, such as the pod name; a token.
	Name string
	// Config is followed while the router runs. A document that cannot be used is reported and the last good one stays.
	Config runtimeconfig.Source
	// Logger; slog.Default if nil.
	Logger *slog.Logger
	// Metrics may be nil.
	Metrics *Metrics
	// BusMetrics of the connection may be nil.
	BusMetrics *bus.Metrics
	// OnFigures gets the leader's figures each second, besides the bus. It must not block.
	OnFigures func(protocol.Figures)
	// Link to the managers; nil for none.
	Link *Link
	// Times of routing; the zero value for the usual ones.
	Times routing.Times
	// CompactEvery so many messages of the decision log a snapshot is taken. 0 for the usual 10,000.
	CompactEvery int
	// WrapLog replaces the log, for tests that break it.
	WrapLog func(bus.Log) bus.Log
	// Clock is the machine's wall clock, which may be wrong and may be set; time.Now if nil. It is read once, when the
	// router is made: from then on time is what the process measures itself.
	Clock func() time.Time
	// LeaseFor is how long a leader that says nothing is believed to be well; 0 for the usual 1.5 s.
	LeaseFor time.Duration
}

// A leader is believed to be well for leaseFor after it said so, which it does leaseShare times in that time.
const (
	leaseFor   = 1500 * time.Millisecond
	leaseShare = 3
)

// Bounds of what waits for the router, and of one append.
const (
	inboxSize     = 4096
	tailSize      = 512
	appendTimeout = 5 * time.Second
	leaveTimeout  = 3 * time.Second
)

// Status of a router, for readiness.
type Status struct {
	// Leading says that this replica decides.
	Leading bool
	// CaughtUp says that it has read the log and could take over at any time.
	CaughtUp bool
	// Revision of the configuration that it runs.
	Revision string
	// PolicyProblem says why the configuration's escalation policy does not run; empty when it does.
	PolicyProblem string
}

// Router is one replica of the router role.
type Router struct {
	opts     Options
	subjects bus.Subjects
	// instance names this process in the decision log: a pod's name comes back after a restart.
	instance string
	log      *slog.Logger
	inbox    chan input
	// began and wall anchor the clock, see session.now: the process began when the wall clock showed wall.
	began, wall time.Time
	// link is nil without managers.
	link    *linkclient.Client
	storage storage
	learned *learned
	loads   loads

	mu       sync.Mutex
	status   Status
	wanted   map[string]link.Wanted
	seats    map[string]link.Seats
	settings settings
}

// input is something that reaches the router besides the log.
type input struct {
	kind    inputKind
	message *bus.Message
}

type inputKind uint8

const (
	inputIntent inputKind = iota
	inputHeartbeat
	inputLease
	inputReconnected
)

// New checks the options and makes a router.
func New(opts Options) (*Router, error) {
	if opts.Config == nil {
		return nil, errors.New("router: options have no configuration")
	}
	config := opts.Config.Current()
	if !conversation.IsToken(opts.Name) || len(opts.Name) > conversation.MaxTokenLength-8 {
		return nil, fmt.Errorf("router: name %q: use 1 to %d characters of A-Z, a-z, 0-9, _ and -", opts.Name, conversation.MaxTokenLength-8)
	}
	subjects, err := bus.NewSubjects(config.Document.Namespace, config.Document.Desk)
	if err != nil {
		return nil, fmt.Errorf("router: %w", err)
	}
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	if opts.Clock == nil {
		opts.Clock = time.Now
	}
	if opts.LeaseFor == 0 {
		opts.LeaseFor = leaseFor
	}
	if opts.CompactEvery <= 0 {
		opts.CompactEvery = 10_000
	}
	r := &Router{
		opts: opts, subjects: subjects, inbox: make(chan input, inboxSize),
		instance: opts.Name + "_" + strings.ToLower(rand.Text()[:6]),
		began:    time.Now(), wall: opts.Clock(),
		storage: storage{due: make(chan struct{}, 1)},
	}
	r.log = opts.Logger.With("router", r.instance)
	r.learned = newLearned(r)
	if err := r.configure(config); err != nil {
		return nil, fmt.Errorf("router: %w", err)
	}
	if opts.Link != nil {
		r.link = opts.Link.client(r)
	}
	return r, nil
}

// Run runs a router until ctx ends, see [Router.Run].
func Run(ctx context.Context, opts Options) error {
	r, err := New(opts)
	if err != nil {
		return err
	}
	return r.Run(ctx)
}

// Status tells how the router is.
func (r *Router) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status
}

func (r *Router) setStatus(change func(*Status)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.status)
	r.opts.Metrics.lead(r.status.Leading)
}

// configure takes a document over, if it can be used.
func (r *Router) configure(config runtimeconfig.Snapshot) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	doc := config.Document
	if doc.Namespace != r.subjects.Namespace() || doc.Desk != r.subjects.Desk() {
		return fmt.Errorf("configuration of desk %s/%s came to desk %s/%s", doc.Namespace, doc.Desk, r.subjects.Namespace(), r.subjects.Desk())
	}
	next, err := newSettings(config, r.settings.policy, r.opts.Times)
	if err != nil {
		return err
	}
	r.settings = next
	r.status.Revision, r.status.PolicyProblem = next.revision, next.policy.problem
	if next.policy.problem != "" {
		r.log.Error("escalation policy does not run as written, the last good one does", "revision", next.revision, "problem", next.policy.problem)
	}
	if next.hoursProblem != "" {
		r.log.Error("opening hours or shifts do not run as written", "revision", next.revision, "problem", next.hoursProblem)
	}
	return nil
}

func (r *Router) current() settings {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.settings
}

// Run tails, stands by, leads when it can, and hands over at once when ctx ends. It returns nil then,
// and an error only when retrying is useless: a connection that is denied or was closed.
func (r *Router) Run(ctx context.Context) error {
	defer r.startLink(ctx)()
	conn, err := r.opts.Dialer.Dial(ctx, bus.ClientOptions{
		Name: r.opts.Name, Logger: r.log, Metrics: r.opts.BusMetrics,
		OnReconnect: func() { r.put(input{kind: inputReconnected}) },
	})
	if err != nil {
		return fmt.Errorf("router: %w", err)
	}
	defer conn.Close()
	if err := conn.WaitStream(ctx, r.subjects.Stream()); err != nil {
		return ended(ctx, err)
	}
	// Subscriptions outlive ctx: the router still answers while it hands over.
	subscribed, unsubscribe := context.WithCancel(context.WithoutCancel(ctx))
	defer unsubscribe()
	if err := r.subscribe(subscribed, conn); err != nil {
		return ended(ctx, err)
	}
	defer r.startStorage(ctx, conn)()
	defer r.startLearned(ctx, conn)()
	var pause time.Duration
	updates := r.opts.Config.Watch(ctx)
	for {
		began := time.Now()
		err := r.runSession(ctx, conn, updates)
		if ctx.Err() != nil || errors.Is(err, bus.ErrDenied) || errors.Is(err, bus.ErrClosed) {
			return ended(ctx, err)
		}
		r.log.WarnContext(ctx, "router begins again from the log", "error", err)
		r.opts.Metrics.rebuilt()
		// A log that refuses everything must not be read over and over.
		if pause = min(2*pause+50*time.Millisecond, 2*time.Second); time.Since(began) > 10*time.Second {
			pause = 0
		}
		if !sleep(ctx, pause) {
			return nil
		}
	}
}

// ended is what Run returns: being told to stop is no error.
func ended(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		err = fmt.Errorf("router: %w", err)
	} else {
		err = nil
	}
	return err
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (r *Router) subscribe(ctx context.Context, conn bus.Conn) error {
	for _, s := range []struct {
		subject string
		kind    inputKind
	}{
		{r.subjects.Intents(), inputIntent},
		{r.subjects.Heartbeats(), inputHeartbeat},
		{r.subjects.Leader(), inputLease},
	} {
		if _, err := conn.Subscribe(ctx, s.subject, func(m *bus.Message) { r.put(input{kind: s.kind, message: m}) }); err != nil {
			return err
		}
	}
	if _, err := conn.Subscribe(ctx, r.subjects.Loads(), func(m *bus.Message) { r.loads.take(r.subjects, m, time.Now()) }); err != nil {
		// A bus of the release before, or one of the author's, may not let us hear them. Only the scaling of roles waits for it.
		r.log.WarnContext(ctx, "the loads of roles are not heard", "error", err)
	}
	_, err := conn.QueueSubscribe(ctx, r.subjects.ConfigGet(), "router", func(m *bus.Message) {
		if err := m.Respond(r.current().data); err != nil {
			r.log.Warn("configuration was not sent", "error", err)
		}
	})
	return err
}

// put queues an input. When the router cannot keep up it is dropped: requests are sent again, heartbeats
// and leases come again.
func (r *Router) put(in input) {
	select {
	case r.inbox <- in:
	default:
		r.opts.Metrics.droppedInput()
	}
}
