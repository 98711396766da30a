package router

import (
	"context"
	"sync"
	"testing"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
)

// gatedLog holds appends while its gate is shut.
type gatedLog struct {
	bus.Log

	mu   sync.Mutex
	gate chan struct{}
	// held gets a value for each append that has to wait.
	held chan struct{}
}

func (l *gatedLog) wrap(log bus.Log) bus.Log {
	l.Log = log
	return l
}

func (l *gatedLog) Append(ctx context.Context, subject string, data []byte, opts bus.AppendOptions) (uint64, bool, error) {
	l.mu.Lock()
	gate := l.gate
	l.mu.Unlock()
	if gate != nil {
		l.held <- struct{}{}
		<-gate
	}
	return l.Log.Append(ctx, subject, data, opts)
}

// A request is sent again before the first one is decided, because the disk was slow: the router finds both at once, and
// does it once.
func TestARequestThatIsRepeatedInOneBurst(t *testing.T) {
	d := newDesk(t)
	log := &gatedLog{held: make(chan struct{}, 64)}
	d.startRouter("router-0", func(o *Options) { o.WrapLog = log.wrap })
	bot, ann := d.client(bus.PartyBot, "bot-0"), d.client(bus.PartyAgent, "ann")
	bot.signOn()
	conv := d.post("c-1", "m1", "hello")
	assigned := d.has(conv, conversation.TypeAssigned, 1)
	log.mu.Lock()
	log.gate = make(chan struct{})
	log.mu.Unlock()
	// Something that keeps the router at an append, while the same request comes twice.
	var others sync.WaitGroup
	others.Go(func() { ann.signOn() })
	<-log.held
	request := protocol.Request{ID: "hand-off-1", Type: protocol.HandOff, Conversation: conv, HandOff: handOffNow(assigned.Seq)}
	request.V = protocol.Version
	data, err := protocol.Encode(request)
	if err != nil {
		t.Fatal(err)
	}
	replies := make(chan error, 2)
	for range 2 {
		others.Go(func() {
			answer, err := d.conn.Request(d.ctx, d.names.Intent(bus.PartyBot, "bot-0"), data)
			if err == nil {
				_, err = protocol.DecodeReply(answer)
			}
			replies <- err
		})
	}
	// They are in the inbox when a later message of this connection is.
	if _, err := d.intake.Log.Info(d.ctx); err != nil {
		t.Fatal(err)
	}
	close(log.gate)
	log.mu.Lock()
	log.gate = nil
	log.mu.Unlock()
	for range 2 {
		if err := <-replies; err != nil {
			t.Errorf("a request that was done is answered with %v", err)
		}
	}
	others.Wait()
	for st, err := range d.intake.Log.Read(d.ctx, d.names.Decisions(), 1) {
		if err != nil {
			t.Fatal(err)
		}
		b, err := conversation.DecodeBatch(st.Data)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, id := range b.Requests {
			if seen[id] {
				t.Errorf("request %s is done twice in one batch", id)
			}
			seen[id] = true
		}
	}
	d.check()
}
