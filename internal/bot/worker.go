package bot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/deskfleet/deskfleet/internal/bot/dialogue"
	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
	"github.com/deskfleet/deskfleet/internal/web/ask"
)

// Bounds and times of a worker.
const (
	// mostSessions is beyond the slots of any pool: more than that is a fault of the router.
	mostSessions = 512
	// pushesPending wait to be handled; when more come, the router is asked what is the worker's.
	pushesPending = 1024
	// askTimeout of one request to the router; it is asked again afterwards.
	askTimeout = 5 * time.Second
	// askAgain is the pause after a request that failed.
	askAgain = 500 * time.Millisecond
	// drainTimeout of the connection, drainAsk of asking for nothing new, signOffTimeout of the farewell.
	drainTimeout   = 5 * time.Second
	drainAsk       = 2 * time.Second
	signOffTimeout = 10 * time.Second
)

// worker is one running bot worker.
type worker struct {
	opts     Options
	log      *slog.Logger
	metrics  *metrics
	subjects bus.Subjects
	conn     bus.Conn
	desk     bus.Log
	router   ask.Router

	pushes chan *protocol.Push
	// unsure has room for one: something was lost, the router has to be asked.
	unsure chan struct{}
	over   chan *session
	// finish is closed when sessions are to end between two turns.
	finish  chan struct{}
	running sync.WaitGroup

	holding  atomic.Int64
	dialled  atomic.Bool
	signedOn atomic.Bool
	// knocked says that the router may know the worker: it was asked, whatever it answered.
	knocked bool

	mu sync.Mutex
	// sessions by conversation; only the loop adds and removes.
	sessions map[conversation.ID]*session
}

// Run is the role bot. When ctx ends it gives its conversations back and returns after the router has
// confirmed that.
func Run(ctx context.Context, opts Options) error {
	if err := opts.complete(); err != nil {
		return err
	}
	doc := opts.Source.Current().Document
	subjects, err := bus.NewSubjects(doc.Namespace, doc.Desk)
	if err != nil {
		return fmt.Errorf("bot: %w", err)
	}
	w := &worker{
		opts: opts, log: opts.Logger.With("agent", opts.Name, "pool", opts.Pool), metrics: newMetrics(opts.Registerer), subjects: subjects,
		pushes: make(chan *protocol.Push, pushesPending), unsure: make(chan struct{}, 1), over: make(chan *session),
		finish: make(chan struct{}), sessions: map[conversation.ID]*session{},
	}
	w.addChecks()
	w.conn, err = opts.Dialer.Dial(ctx, bus.ClientOptions{
		Name: opts.Name, Logger: opts.Logger, Metrics: opts.BusMetrics, OnReconnect: w.reconnected,
	})
	if err != nil {
		return ended(ctx, fmt.Errorf("bot: %w", err))
	}
	defer w.conn.Close()
	w.desk = bus.WithReserve(w.conn.Log(subjects.Stream()), bus.ReserveOfAgents, w.log)
	w.router = ask.Router{Bus: w.conn, Subjects: subjects, Party: bus.PartyBot}
	w.dialled.Store(true)
	return w.run(ctx)
}

// ended turns an error that only says that the role was to end into none.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		err = nil
	}
	return err
}

func (w *worker) run(ctx context.Context) error {
	// Work goes on after ctx ends, until it is given back.
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	_, err := w.conn.Subscribe(work, w.subjects.Offer(bus.PartyBot, w.opts.Name), w.takePush, bus.WithDropped(w.beUnsure))
	if err != nil {
		return ended(ctx, fmt.Errorf("bot: %w", err))
	}
	var beating sync.WaitGroup
	heart, still := context.WithCancel(work)
	defer still()
	beating.Go(func() { w.beat(heart) })
	w.loop(ctx, work)
	w.leave(work, stop)
	still()
	beating.Wait()
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if err := w.conn.Drain(drain); err != nil {
		w.log.Warn("bot did not leave the bus cleanly", "error", err)
	}
	return nil
}

// loop handles what the router pushes, until ctx ends.
func (w *worker) loop(ctx, work context.Context) {
	w.beUnsure()
	again := time.NewTimer(askAgain)
	again.Stop()
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case p := <-w.pushes:
			w.handle(work, p)
		case s := <-w.over:
			w.remove(s)
		case <-w.unsure:
			if err := w.settle(ctx, work); err != nil && ctx.Err() == nil {
				again.Reset(askAgain)
			}
		case <-again.C:
			w.beUnsure()
		}
	}
}

// takePush is called by the bus.
func (w *worker) takePush(m *bus.Message) {
	p, err := protocol.DecodePush(m.Data)
	if err != nil {
		w.log.Error("bot cannot read a push of the router", "error", err)
		w.beUnsure()
		return
	}
	select {
	case w.pushes <- p:
	default:
		w.beUnsure()
	}
}

func (w *worker) beUnsure() {
	select {
	case w.unsure <- struct{}{}:
	default:
	}
}

// reconnected: what was pushed and said meanwhile was not heard.
func (w *worker) reconnected() {
	w.beUnsure()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.sessions {
		s.wake()
	}
}

func (w *worker) handle(work context.Context, p *protocol.Push) {
	switch p.Type {
	case protocol.PushAssigned:
		if p.Conversation != nil {
			w.take(work, p.Conversation)
		}
	case protocol.PushReleased:
		if c := p.Conversation; c != nil {
			w.release(c.ID, c.OwnSeq)
		}
	case protocol.PushSignOn:
		w.signedOn.Store(false)
		w.beUnsure()
	case protocol.PushResync:
		w.beUnsure()
	case protocol.PushOffer, protocol.PushOfferEnded, protocol.PushPresence:
		// For people; a neighbouring release may have other types too.
	default:
	}
}

// take begins a session, or tells a running one its newer sequence.
func (w *worker) take(work context.Context, c *protocol.Conversation) {
	if s := w.sessions[c.ID]; s != nil {
		if c.OwnSeq > s.ownSeq.Load() {
			s.ownSeq.Store(c.OwnSeq)
			s.wake()
		}
		return
	}
	if len(w.sessions) >= mostSessions {
		w.log.Error("bot is given more conversations than any pool has slots", "conversation", c.ID, "holding", len(w.sessions))
		return
	}
	ctx, cancel := context.WithCancel(work)
	s := &session{
		worker: w, id: c.ID, log: w.log.With("conversation", c.ID), wakeUp: make(chan struct{}, 1), cancel: cancel,
	}
	s.talk.From = c.BotsFrom
	s.ownSeq.Store(c.OwnSeq)
	w.set(s)
	w.running.Go(func() {
		defer cancel()
		err := s.run(ctx, w.finish)
		select {
		case w.over <- s:
		case <-w.finish: // nobody counts any more
		}
		if err != nil {
			s.log.Info("bot session ended", "error", err)
			// Not before the loop has let go of it, or it would not begin anew; and not at once, or a router
			// that is behind the log would be asked over and over.
			if wait(work, askAgain) {
				w.beUnsure()
			}
		}
	})
}

// release ends a session whose conversation went elsewhere, unless that was before it came here.
func (w *worker) release(id conversation.ID, ownSeq uint64) {
	if s := w.sessions[id]; s != nil && ownSeq >= s.ownSeq.Load() {
		w.remove(s)
	}
}

func (w *worker) set(s *session) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sessions[s.id] = s
	w.count()
}

func (w *worker) remove(s *session) {
	s.cancel()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.sessions[s.id] == s {
		delete(w.sessions, s.id)
		w.count()
	}
}

func (w *worker) count() {
	w.holding.Store(int64(len(w.sessions)))
	w.metrics.held.Set(float64(len(w.sessions)))
}

// settle makes the worker's view that of the router: it signs on if need be, begins what it should have and
// ends what it should not.
func (w *worker) settle(ctx, work context.Context) error {
	request := protocol.Request{Type: protocol.Sync}
	if !w.signedOn.Load() {
		agent := w.agent()
		request = protocol.Request{Type: protocol.SignOn, Agent: &agent, Presence: conversation.PresenceOnline}
		w.knocked = true
	}
	reply, err := w.ask(ctx, request)
	if err == nil && (reply.Agent == nil || !reply.Agent.SignedOn) {
		err = &protocol.Error{Code: protocol.CodeNotSignedOn, What: w.opts.Name + " is not signed on", Why: "the router says so", Remedy: "sign on"}
	}
	if err != nil {
		if refused, ok := errors.AsType[*protocol.Error](err); ok {
			w.signedOn.Store(false)
			w.log.Warn("bot is refused by the router", "request", request.Type, "code", refused.Code, "error", err)
		}
		return err
	}
	if !w.signedOn.Swap(true) {
		w.log.Info("bot signed on", "slots", reply.Agent.Slots, "holding", len(reply.Conversations))
	}
	owned := map[conversation.ID]bool{}
	for i := range reply.Conversations {
		c := &reply.Conversations[i]
		if c.Status != conversation.StatusBot {
			continue
		}
		owned[c.ID] = true
		w.take(work, c)
	}
	for id, s := range w.sessions {
		if !owned[id] {
			w.remove(s)
		}
	}
	return nil
}

func (w *worker) ask(ctx context.Context, r protocol.Request) (*protocol.Reply, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	return w.router.Ask(ctx, w.opts.Name, r)
}

// agent that the worker is. Customers see the desk's name.
func (w *worker) agent() conversation.Agent {
	return conversation.Agent{
		Kind: conversation.KindBot, ID: w.opts.Name, Name: w.opts.Source.Current().Document.DisplayName, Pool: w.opts.Pool,
	}
}

func (w *worker) countTurn(r dialogue.Reply, took time.Duration) {
	if len(r.Say) == 0 {
		w.metrics.turns.WithLabelValues("nothing").Inc()
		return
	}
	w.metrics.turnTime.Observe(took.Seconds())
	w.metrics.turns.WithLabelValues(string(r.Say[len(r.Say)-1].Kind)).Inc()
}

func (w *worker) addChecks() {
	h := w.opts.Health
	if h == nil {
		return
	}
	h.Require("bus", func(context.Context) error {
		if !w.dialled.Load() || !w.conn.Connected() {
			return errors.New("there is no connection to the bus; it is tried again all the time")
		}
		return nil
	})
	h.Require("router", func(context.Context) error {
		if !w.signedOn.Load() {
			return errors.New("not signed on at the router yet")
		}
		return nil
	})
}
