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
)

// BenchmarkConversations: one operation is a whole bot conversation, from the claim over the customer's
// message, the assignment, the bot's answer and the close to the release of the claim, on a bus that
// syncs each message to disk: 8 stored messages. 16 customers at a time.
func BenchmarkConversations(b *testing.B) {
	d := newDesk(b)
	d.doc.Pools[0].Concurrency = 100
	d.startRouter("router-0", nil)
	bot := d.client(bus.PartyBot, "bot-0")
	bot.signOn()
	var working sync.WaitGroup
	working.Go(bot.work)
	slots := make(chan struct{}, 16)
	var customers sync.WaitGroup
	b.ResetTimer()
	n := 0
	for b.Loop() {
		slots <- struct{}{}
		n++
		customers.Go(func() {
			contact := fmt.Sprint("c-", n)
			posted, err := d.intake.Post(d.ctx, intake.Contact{Channel: "web", ID: contact, Language: "en"},
				conversation.Message{Text: "hello", Language: "en", ClientID: "m1"}, "", time.Now())
			if err != nil {
				b.Error(err)
			}
			d.has(posted.Conversation, conversation.TypeClosed, 1)
			<-slots
		})
	}
	customers.Wait()
	b.StopTimer()
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "conversations/s")
	bot.die()
	working.Wait()
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
