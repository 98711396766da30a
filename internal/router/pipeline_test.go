package router

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
)

// heldLog holds the appends to some subjects until the gate is opened.
type heldLog struct {
	bus.Log
	holds func(subject string) bool

	mu   sync.Mutex
	gate chan struct{}
	// held gets a token for each append that waits.
	held chan struct{}
}

func decisions(subject string) bool { return strings.HasPrefix(subject, "dk.") }

func newHeldLog(holds func(string) bool) *heldLog {
	return &heldLog{holds: holds, held: make(chan struct{}, 4096)}
}

func (l *heldLog) wrap(log bus.Log) bus.Log { l.Log = log; return l }

func (l *heldLog) shut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gate = make(chan struct{})
}

func (l *heldLog) open() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.gate)
	l.gate = nil
}

func (l *heldLog) Append(ctx context.Context, subject string, data []byte, opts bus.AppendOptions) (uint64, bool, error) {
	l.mu.Lock()
	gate := l.gate
	l.mu.Unlock()
	if gate != nil && l.holds(subject) {
		l.held <- struct{}{}
		select {
		case <-gate:
		case <-ctx.Done():
			return 0, false, context.Cause(ctx)
		}
	}
	return l.Log.Append(ctx, subject, data, opts)
}

// postMany lets as many contacts write as fit in no single batch.
func postMany(d *desk, n int) {
	var work sync.WaitGroup
	places := make(chan struct{}, 32)
	for i := range n {
		places <- struct{}{}
		work.Go(func() {
			defer func() { <-places }()
			d.post(fmt.Sprint("many-", i), "m", "hello")
		})
	}
	work.Wait()
}

func (d *desk) allOpened(n int) {
	d.t.Helper()
	d.until(fmt.Sprintf("all of %d conversations are opened", n), func() bool {
		opened := 0
		for _, e := range d.stored("") {
			if e.Type == conversation.TypeOpened {
				opened++
			}
		}
		return opened == n
	})
}

const moreThanABatch = conversation.MaxBatchEvents + 300

// More customers write than fit in one batch while no router runs.
func TestManyWriteWhileNobodyLeads(t *testing.T) {
	d := newDesk(t)
	postMany(d, moreThanABatch)
	d.startRouter("router-0", nil)
	d.allOpened(moreThanABatch)
	d.check()
}

// More customers write than fit in one batch while the disk stands still.
func TestManyWriteWhileTheDiskStandsStill(t *testing.T) {
	d := newDesk(t)
	log := newHeldLog(decisions)
	d.startRouter("router-0", func(o *Options) { o.WrapLog = log.wrap })
	d.has(d.post("first", "m1", "hello"), conversation.TypeOpened, 1)
	log.shut()
	postMany(d, moreThanABatch)
	log.open()
	d.allOpened(moreThanABatch + 1)
	d.check()
}

// Requests without a decision need no event to go with.
func TestOnlyRequestsInABatch(t *testing.T) {
	d := newDesk(t)
	r, err := New(Options{Dialer: d.server, Name: "r", Config: configOf(t, d.doc), Logger: quiet(t)})
	if err != nil {
		t.Fatal(err)
	}
	s := &session{Router: r, replica: &replica{}}
	g := &group{cursor: 7}
	for i := range 3 * mostKeysInBatch {
		g.requested = append(g.requested, fmt.Sprintf("agent.%0200d.%0100d", i, i))
	}
	if err := s.encode(g, nil); err != nil {
		t.Fatal(err)
	}
	keys := 0
	for _, b := range g.batches {
		keys += len(b.Requests)
	}
	if last := g.batches[len(g.batches)-1]; keys != len(g.requested) || last.Cursor != 7 {
		t.Errorf("%d of %d requests in %d batches, the last one with cursor %d", keys, len(g.requested), len(g.batches), last.Cursor)
	}
}

// A worker is called drained, which lets its pod go, when that is stored and not before.
func TestDrainedIsStored(t *testing.T) {
	d := newDesk(t)
	log := newHeldLog(decisions)
	drained := make(chan bool, 64)
	d.startRouter("router-0", func(o *Options) {
		o.WrapLog = log.wrap
		o.OnFigures = func(f protocol.Figures) {
			for _, p := range f.Pools {
				for _, w := range p.Workers {
					if w.Draining {
						drained <- w.Drained
					}
				}
			}
		}
	})
	bot := d.client(bus.PartyBot, "bot-0")
	bot.signOn()
	log.shut()
	var asking sync.WaitGroup
	asking.Go(func() { bot.must(protocol.Request{Type: protocol.Drain, Draining: true}) })
	<-log.held
	for range 2 {
		if <-drained {
			t.Error("the worker is called drained although that is not stored")
		}
	}
	log.open()
	asking.Wait()
	d.until("the worker is called drained", func() bool { return <-drained })
}

// A conversation that ends, is taken up by a message and ends again, all before the first end is stored: the next
// message opens another one.
func TestEndedTwiceBeforeItIsStored(t *testing.T) {
	d := newDesk(t)
	log := newHeldLog(decisions)
	waiting := make(chan int, 64)
	d.startRouter("router-0", func(o *Options) {
		o.WrapLog = log.wrap
		o.OnFigures = func(f protocol.Figures) {
			n := 0
			for _, q := range f.Queues {
				n += q.Waiting
			}
			waiting <- n
		}
	})
	customer := d.client(bus.PartyCustomer, "c-1")
	first := d.post("c-1", "m1", "hello")
	d.has(first, conversation.TypeOpened, 1)
	log.shut()
	var asking sync.WaitGroup
	end := func(id string) {
		asking.Go(func() { customer.must(protocol.Request{ID: id, Type: protocol.Close, Conversation: first}) })
	}
	until := func(n int) { d.until(fmt.Sprintf("%d wait", n), func() bool { return <-waiting == n }) }
	end("close-1")
	<-log.held
	until(0)
	if got := d.post("c-1", "m2", "one more thing"); got != first {
		t.Fatalf("the message went to %s", got)
	}
	until(1)
	end("close-2")
	until(0)
	log.open()
	asking.Wait()
	d.released(first)
	if got := d.post("c-1", "m3", "another day"); got == first {
		t.Error("a message behind the end went to the conversation that had ended")
	}
	d.check()
}

// A leader whose copies do not come through hands over all the same: the next one stores what is owed.
func TestALeaderLeavesInTheMiddle(t *testing.T) {
	d := newDesk(t)
	log := newHeldLog(func(subject string) bool { return strings.HasSuffix(subject, ".own") })
	first := d.startRouter("router-0", func(o *Options) { o.LeaseFor, o.WrapLog = time.Hour, log.wrap })
	d.has(d.post("c-0", "m1", "hello"), conversation.TypeOpened, 1)
	log.shut()
	conv := d.post("c-1", "m1", "hello")
	<-log.held
	d.startRouter("router-1", func(o *Options) { o.LeaseFor = time.Hour })
	first.end(t)
	d.has(conv, conversation.TypeOpened, 1)
	d.check()
}

// A backlog that moves is no reason to give up the lead, one that does not is.
func TestStalled(t *testing.T) {
	p := newPipeline()
	p.origin = p.origin.Add(-time.Hour)
	now := time.Now()
	if p.stalled(now, time.Second) {
		t.Error("nothing is on its way")
	}
	p.groups = []*group{{}}
	if !p.stalled(now, time.Second) {
		t.Error("nothing was stored for an hour")
	}
	p.move()
	if p.stalled(time.Now(), time.Hour) {
		t.Error("something was stored just now")
	}
}

// What was refused at a step-down was not done.
func TestStepDownForgetsRequests(t *testing.T) {
	s := &session{Router: &Router{log: quiet(t)}, replica: &replica{}, leading: true, doing: map[string]bool{"k": true}, requested: []string{"k"}}
	s.stepDown("another router leads", "other")
	if s.done("k") || len(s.requested) > 0 {
		t.Error("a repeated request would be taken for done")
	}
}
