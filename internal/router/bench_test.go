package router

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/router/intake"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
)

// BenchmarkConversations: one operation is a whole bot conversation, from the claim over the customer's
// message, the assignment, the bot's answer and the close to the release of the claim, on a bus that
// syncs each message to disk: 8 stored messages. 32 customers at a time.
func BenchmarkConversations(b *testing.B) {
	d := newDesk(b)
	d.doc.Pools[0].Concurrency = 100
	d.startRouter("router-0", nil)
	bot := d.client(bus.PartyBot, "bot-0")
	bot.signOn()
	var working sync.WaitGroup
	working.Go(func() { bot.workAll(32) })
	slots := make(chan struct{}, 32)
	ended := make(chan struct{})
	if _, err := d.conn.Subscribe(d.ctx, d.names.Offer(bus.PartyBot, "bot-0"), func(m *bus.Message) {
		if p, err := protocol.DecodePush(m.Data); err == nil && p.Type == protocol.PushReleased {
			ended <- struct{}{}
		}
	}); err != nil {
		b.Fatal(err)
	}
	n := 0
	b.ResetTimer()
	for b.Loop() {
		slots <- struct{}{}
		n++
		contact := fmt.Sprint("c-", n)
		go func() {
			_, err := d.intake.Post(d.ctx, intake.Contact{Channel: "web", ID: contact, Language: "en"},
				conversation.Message{Text: "hello", Language: "en", ClientID: "m1"}, "", time.Now())
			if err != nil {
				b.Error(err)
			}
			<-ended
			<-slots
		}()
	}
	for range cap(slots) {
		slots <- struct{}{}
	}
	b.StopTimer()
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "conversations/s")
	bot.die()
	working.Wait()
}

// workAll answers and closes n conversations at a time.
func (c *client) workAll(n int) {
	var work sync.WaitGroup
	defer work.Wait()
	jobs := make(chan *protocol.Conversation)
	defer close(jobs)
	for range n {
		work.Go(func() {
			for j := range jobs {
				if c.say(j.ID, "answer", "Good day", j.OwnSeq) == nil {
					_, _ = c.ask(protocol.Request{Type: protocol.Close, Conversation: j.ID})
				}
			}
		})
	}
	seen := 0
	for {
		c.mu.Lock()
		pushes, change := c.pushes[seen:], c.change
		seen = len(c.pushes)
		c.mu.Unlock()
		for _, p := range pushes {
			if p.Type == protocol.PushAssigned {
				jobs <- p.Conversation
			}
		}
		if len(pushes) > 0 {
			continue
		}
		select {
		case <-change:
		case <-c.gone:
			return
		}
	}
}

// BenchmarkHandOver: from the leader's stop until the standby leads.
func BenchmarkHandOver(b *testing.B) {
	d := newDesk(b)
	leader := d.startRouter("router-0", nil)
	d.client(bus.PartyBot, "bot-0").signOn()
	i := 0
	for b.Loop() {
		b.StopTimer()
		i++
		next := d.startRouter(fmt.Sprint("router-", i), nil)
		for !next.Status().CaughtUp {
			runtime.Gosched()
		}
		b.StartTimer()
		leader.end(b)
		for !next.Status().Leading {
			runtime.Gosched()
		}
		leader = next
	}
}
