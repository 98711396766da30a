package router

import (
	"errors"
	"fmt"
	"testing"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
)

// I-13: the bot hands off once a conversation, as often as there are conversations, and is out of it each time: what it
// still wants to say is refused by the log, and a hand-off of before causes none of now.
func TestI13HandOffsWorkEachTimeAndFenceTheBot(t *testing.T) {
	d := newDesk(t)
	d.startRouter("router-0", nil)
	bot, ann := d.client(bus.PartyBot, "bot-0"), d.client(bus.PartyAgent, "ann")
	bot.signOn()
	ann.signOn()
	for i := range 3 {
		conv := d.post("c-1", fmt.Sprint("m", i), "hello")
		assigned := d.has(conv, conversation.TypeAssigned, 1)
		d.answer(bot, conv, "b1", "Good day") // it is the bot's until the bot says so: no old hand-off repeats itself
		if n := len(d.stored(conv)); n == 0 {
			t.Fatal("nothing is stored")
		}
		bot.must(protocol.Request{Type: protocol.HandOff, Conversation: conv, HandOff: handOffNow(assigned.Seq)})
		d.has(conv, conversation.TypeOffered, 1)
		if err := bot.say(conv, "b2", "one more thing", assigned.Seq); !errors.Is(err, bus.ErrFenced) {
			t.Errorf("the bot's words behind the hand-off: %v", err)
		}
		ann.must(protocol.Request{Type: protocol.Accept, Conversation: conv})
		d.answer(ann, conv, "a1", "I am here")
		if err := bot.say(conv, "b3", "and another", assigned.Seq); !errors.Is(err, bus.ErrFenced) {
			t.Errorf("the bot's words over the person's: %v", err)
		}
		ann.must(protocol.Request{Type: protocol.Close, Conversation: conv})
		d.released(conv)
		handedOff := 0
		for _, e := range d.stored(conv) {
			if q, ok := e.Body.(*conversation.Queued); ok && q.Cause == conversation.CauseHandOff {
				handedOff++
			}
		}
		if handedOff != 1 {
			t.Errorf("conversation %d was handed off %d times", i+1, handedOff)
		}
	}
	d.check()
}
