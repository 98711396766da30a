package fault

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/router"
	"github.com/deskfleet/deskfleet/internal/router/intake"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/testing/ledger"
)

var (
	seed      = flag.Uint64("seed", 0, "seed of the one schedule to play again, or of the first one; 0 for the usual ones, and for any in a soak")
	schedules = flag.Int("schedules", 0, "number of schedules; 0 for the usual one, or as many as a soak has time for")
)

// usualSchedules of a test, each of a minute and more on a desk: about 20 s with the race detector on two processors.
const usualSchedules = 40

// TestSchedules plays random schedules of customers, agents, faults and time: real routers on a bus in memory, in
// bubbles whose time passes as fast as the processor allows. Routers are killed, stand still and are cut off, have wrong
// clocks and compact their log; answers and core messages get lost; agents die, refuse and come back. At the end everybody
// was served, and the ledger holds everything.
func TestSchedules(t *testing.T) {
	n, first, end := cmp.Or(*schedules, usualSchedules), cmp.Or(*seed, 1), time.Now().Add(*soak)
	if *soak > 0 && *schedules == 0 {
		n, first = 1, cmp.Or(*seed, rand.Uint64N(1<<40))
	} else if *seed > 0 && *schedules == 0 {
		n = 1
	}
	if *soak == 0 {
		for i := range n {
			t.Run(fmt.Sprint(first+uint64(i)), func(t *testing.T) {
				t.Parallel()
				play(t, first+uint64(i))
			})
		}
		return
	}
	played := 0
	for ; played < n || *seed == 0 && time.Now().Before(end); played++ {
		play(t, first+uint64(played))
		if t.Failed() {
			return
		}
	}
	t.Logf("%d schedules from seed %d on", played, first)
}

// play one schedule.
func play(t *testing.T, seed uint64) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newSchedule(t, seed)
		s.run()
		if problems := s.ledger.Close(s.receipts); len(problems) > 0 {
			t.Errorf("schedule %d (make soak SEED=%d plays it again):\n%s", seed, seed, strings.Join(problems, "\n"))
		}
	})
}

type schedule struct {
	t      *testing.T
	seed   uint64
	ctx    context.Context
	bus    *memory
	doc    *runtimeconfig.Document
	names  bus.Subjects
	ledger *ledger.Ledger
	// calm is closed when the faults are over.
	calm chan struct{}
	work sync.WaitGroup

	mu       sync.Mutex
	receipts []ledger.Receipt
	routers  []*bubbleRouter
}

type bubbleRouter struct {
	bus  *client
	stop context.CancelFunc
	done chan struct{}
}

func newSchedule(t *testing.T, seed uint64) *schedule {
	t.Helper()
	r := &rig{t: t, folder: t.TempDir()}
	r.prepare(&shape{buses: 1, bots: 1})
	names, err := bus.NewSubjects("shop", "web")
	if err != nil {
		t.Fatal(err)
	}
	r.names = names
	r.doc.Pools[0].Concurrency = 3
	promises := r.promises()
	for id, a := range promises.Agents {
		if strings.HasPrefix(id, "bot") {
			promises.Agents[id] = ledger.Agent{Slots: 3, Queues: a.Queues}
		}
	}
	s := &schedule{t: t, seed: seed, doc: r.doc, names: names, ledger: ledger.New(promises), calm: make(chan struct{})}
	s.bus = newMemory(rand.New(rand.NewPCG(seed, 1)), func(st bus.Stored) {
		if !strings.HasPrefix(st.Subject, "ct.") {
			s.ledger.Add(st)
		}
	})
	return s
}

// faultsFor is how long a schedule has faults.
const faultsFor = 45 * time.Second

func (s *schedule) run() {
	ctx, cancel := context.WithCancel(context.Background())
	s.ctx = ctx
	for i := range 2 {
		s.routers = append(s.routers, s.start(i, 0))
	}
	var agents sync.WaitGroup
	working, leave := context.WithCancel(ctx)
	for i, a := range []conversation.Agent{
		{Kind: conversation.KindAgent, ID: "ann"}, {Kind: conversation.KindAgent, ID: "ben"}, {Kind: conversation.KindBot, ID: "bot-0", Pool: "bots"},
	} {
		agents.Go(func() { s.agent(working, a, rand.New(rand.NewPCG(s.seed, uint64(10+i)))) })
	}
	for i := range 6 {
		s.work.Go(func() { s.customer(i, rand.New(rand.NewPCG(s.seed, uint64(20+i)))) })
	}
	s.faults(rand.New(rand.NewPCG(s.seed, 2)))
	close(s.calm)
	s.work.Wait()
	s.quiet()
	leave()
	agents.Wait()
	for _, r := range s.routers {
		r.stop()
		<-r.done
	}
	cancel()
	pass(time.Minute) // what is under way arrives
}

// quiet waits until everybody was served.
func (s *schedule) quiet() {
	for range 600 {
		s.bus.mu.Lock()
		open, settled := s.ledger.Open(), s.ledger.Settled()
		s.bus.mu.Unlock()
		if len(open) == 0 && settled {
			return
		}
		pass(time.Second)
	}
	s.bus.mu.Lock()
	defer s.bus.mu.Unlock()
	s.t.Errorf("schedule %d: after ten minutes without faults these are not served: %+v", s.seed, s.ledger.Open())
}

// pass lets time pass: the bubble's.
func pass(d time.Duration) { time.Sleep(d) } //nolint:forbidigo // in a bubble it takes no time

func (s *schedule) start(i int, wrong time.Duration) *bubbleRouter {
	store, err := runtimeconfig.NewStoreOf(s.doc)
	if err != nil {
		s.t.Fatal(err)
	}
	b := &bubbleRouter{bus: s.bus.client(), done: make(chan struct{})}
	ctx, stop := context.WithCancel(s.ctx)
	b.stop = stop
	r, err := router.New(router.Options{
		Dialer: b.bus, Name: fmt.Sprint("router-", i), Config: store, Logger: slog.New(slog.DiscardHandler), CompactEvery: 40,
		Clock: func() time.Time { return time.Now().Add(wrong) },
	})
	if err != nil {
		s.t.Fatal(err)
	}
	go func() {
		defer close(b.done)
		if err := r.Run(ctx); err != nil {
			s.t.Errorf("schedule %d: router ended: %v", s.seed, err)
		}
	}()
	return b
}

// faults of routers, one after the other.
func (s *schedule) faults(random *rand.Rand) {
	for end := time.Now().Add(faultsFor); time.Now().Before(end); {
		pass(time.Duration(random.IntN(3000)) * time.Millisecond)
		i := random.IntN(len(s.routers))
		r := s.routers[i]
		down := time.Duration(random.IntN(4000)) * time.Millisecond
		switch random.IntN(4) {
		case 0: // killed, and started with a clock of its own
			r.bus.kill()
			r.stop()
			<-r.done
			pass(down)
			s.routers[i] = s.start(i, time.Duration(random.IntN(7)-3)*time.Hour)
		case 1: // stands still
			r.bus.shut(false)
			pass(down)
			r.bus.open()
		case 2: // cut off
			r.bus.shut(true)
			pass(down)
			r.bus.open()
		case 3: // rolled
			r.stop()
			<-r.done
			s.routers[i] = s.start(i, 0)
		}
	}
}

// ask the router until it answers or ctx ends.
func (s *schedule) ask(ctx context.Context, c *client, party bus.Party, who string, req protocol.Request) (*protocol.Reply, error) {
	req.V, req.ID = protocol.Version, string(conversation.NewID(time.Now()))
	data, err := protocol.Encode(req)
	if err != nil {
		return nil, err
	}
	for {
		within, cancel := context.WithTimeout(ctx, protocol.RequestTimeout)
		answer, err := c.Request(within, s.names.Intent(party, who), data)
		cancel()
		if err == nil {
			reply, err := protocol.DecodeReply(answer)
			if err == nil || !strings.Contains(err.Error(), "the same id") {
				return reply, err
			}
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		pass(100 * time.Millisecond)
	}
}

func (s *schedule) note(r ledger.Receipt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.receipts = append(s.receipts, r)
}

// customer writes now and then, sometimes several times at once, until the faults are over.
func (s *schedule) customer(i int, random *rand.Rand) {
	c := s.bus.client()
	desk := intake.Desk{Log: c, Subjects: s.names}
	contact := intake.Contact{Channel: "web", ID: fmt.Sprint("c-", i), Language: "en"}
	for n := 0; ; n++ {
		select {
		case <-s.calm:
			return
		case <-time.After(time.Duration(random.IntN(4000)) * time.Millisecond):
		}
		text := []string{"hello", "a refund, please", "are you there?"}[random.IntN(3)]
		m := conversation.Message{Text: text, Language: "en", ClientID: fmt.Sprintf("c%d-m%d", i, n)}
		believed := conversation.ID("")
		for {
			posted, err := desk.Post(s.ctx, contact, m, believed, time.Now())
			if err == nil {
				s.note(ledger.Receipt{Conversation: posted.Conversation, ClientID: m.ClientID, Seq: posted.Seq})
				if random.IntN(8) == 0 {
					_, _ = s.ask(s.ctx, c, bus.PartyCustomer, contact.ID, protocol.Request{Type: protocol.Close, Conversation: posted.Conversation, Seq: posted.Seq})
				}
				break
			}
			// The client knows where it sent it to, as a web page does.
			if l, err := desk.OpenOrJoin(s.ctx, contact, time.Now()); err == nil && believed == "" {
				believed = l.Conversation
			}
			pass(50 * time.Millisecond)
		}
	}
}

// agent works by what the router says when asked, each second. Now and then it dies for a while.
func (s *schedule) agent(ctx context.Context, a conversation.Agent, random *rand.Rand) {
	party := bus.PartyAgent
	if a.Kind == conversation.KindBot {
		party = bus.PartyBot
	}
	c := s.bus.client()
	for said := 0; ctx.Err() == nil; said++ {
		if data, err := protocol.Encode(protocol.Heartbeat{V: protocol.Version}); err == nil {
			_ = c.Publish(ctx, s.names.Heartbeat(party, a.ID), data)
		}
		reply, err := s.ask(ctx, c, party, a.ID, protocol.Request{Type: protocol.SignOn, Agent: &a, Presence: conversation.PresenceOnline})
		if err == nil {
			for i := range reply.Conversations {
				s.work1(ctx, c, party, &a, &reply.Conversations[i], random, said)
			}
		}
		select {
		case <-s.calm:
		default:
			if random.IntN(20) == 0 {
				pass(time.Duration(random.IntN(12)) * time.Second)
			}
		}
		pass(time.Second)
	}
}

// work1 does something about one conversation.
func (s *schedule) work1(ctx context.Context, c *client, party bus.Party, a *conversation.Agent, v *protocol.Conversation, random *rand.Rand, said int) {
	ask := func(r protocol.Request) {
		r.Conversation = v.ID
		_, _ = s.ask(ctx, c, party, a.ID, r) // may be somebody else's by now
	}
	if v.Status == conversation.StatusOffered {
		switch random.IntN(5) {
		case 0:
			ask(protocol.Request{Type: protocol.Decline})
		case 1: // ignored
		default:
			ask(protocol.Request{Type: protocol.Accept})
		}
		return
	}
	id := fmt.Sprintf("%s-%d", a.ID, said)
	e := conversation.NewEvent(conversation.NewID(time.Now()), v.ID, time.Now(), &conversation.Message{From: a.Actor(), Text: "an answer", ClientID: id})
	if data, err := conversation.Encode(e); err == nil {
		seq, _, err := c.Append(ctx, s.names.Messages(string(v.ID)), data, bus.AppendOptions{
			MsgID: intake.MsgID(v.ID, id), ExpectLast: bus.Expect(v.OwnSeq), ExpectFilter: s.names.Ownership(string(v.ID)),
		})
		if err == nil {
			s.note(ledger.Receipt{Conversation: v.ID, Sender: a.ID, ClientID: id, Seq: seq})
		}
	}
	switch {
	case random.IntN(3) == 0 && a.Kind == conversation.KindBot:
		ask(protocol.Request{Type: protocol.HandOff, HandOff: &conversation.HandOff{
			TranscriptSeq: max(1, v.MsgSeq), Language: "en", Verification: conversation.VerificationNone,
			Reason: conversation.Reason{Code: conversation.ReasonNoAnswer, Words: "no sure answer"},
		}})
	case random.IntN(3) == 0:
		ask(protocol.Request{Type: protocol.Close, Disposition: "done"})
	}
}
