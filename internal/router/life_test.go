package router

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
)

func TestTheFullLifeOfAConversation(t *testing.T) {
	d := newDesk(t)
	r := d.startRouter("router-0", nil)
	bot, ann := d.client(bus.PartyBot, "bot-0"), d.client(bus.PartyAgent, "ann")
	reply := bot.signOn()
	if diff := cmp.Diff([]string{"bot"}, reply.Agent.Queues); diff != "" || reply.Agent.Slots != 5 {
		t.Errorf("the bot serves %s with %d slots", diff, reply.Agent.Slots)
	}
	ann.signOn()

	conv := d.post("c-1", "m1", "hello")
	given := bot.pushed(protocol.PushAssigned, conv, 1)
	if given.Conversation.Contact != "c-1" || len(given.Conversation.Why) == 0 {
		t.Errorf("the bot is told %+v", given.Conversation)
	}
	if err := bot.say(conv, "b1", "Good day", given.Conversation.OwnSeq); err != nil {
		t.Fatal(err)
	}

	d.post("c-1", "m2", "I want a refund")
	asked := ann.pushed(protocol.PushOffer, conv, 1)
	if h := asked.Conversation.HandOff; h == nil || h.TranscriptSeq == 0 || h.Reason.Code != conversation.ReasonPolicy || h.Language != "en" {
		t.Errorf("the offer's hand-off is %+v", h)
	}
	if asked.Conversation.Priority != 80 || asked.Conversation.Queue != "refunds" {
		t.Errorf("the offer is %+v", asked.Conversation)
	}
	bot.pushed(protocol.PushReleased, conv, 1)
	// The bot is fenced off from the moment on at which the people's queue has it.
	if err := bot.say(conv, "b2", "wait, I know", given.Conversation.OwnSeq); !errors.Is(err, bus.ErrFenced) {
		t.Errorf("the bot's late answer: %v, want it fenced", err)
	}

	mine := ann.must(protocol.Request{Type: protocol.Accept, Conversation: conv}).Conversation
	if err := ann.say(conv, "a1", "I refund it", mine.OwnSeq); err != nil {
		t.Fatal(err)
	}
	ann.must(protocol.Request{Type: protocol.Close, Conversation: conv, Disposition: "refunded"})
	ann.pushed(protocol.PushReleased, conv, 1)
	d.has(conv, conversation.TypeClosed, 1)
	if err := ann.say(conv, "a2", "one more thing", mine.OwnSeq); !errors.Is(err, bus.ErrFenced) {
		t.Errorf("the agent's message after the end: %v, want it fenced", err)
	}

	want := []string{
		"message customer hello", "opened bot", "assigned bot-0", "message bot Good day",
		"message customer I want a refund", "prioritised", "queued refunds escalation", "offered ann",
		"message system A person will help you.",
		"accepted ann", "message agent I refund it", "wrapUpStarted", "closed resolved refunded",
	}
	got := d.story(conv)
	// What the desk says stands where the decision was made; beside it the order is free.
	if diff := cmp.Diff(sorted(want), sorted(got)); diff != "" {
		t.Error(diff)
	}

	// The next message opens another conversation.
	next := d.post("c-1", "m3", "hello again")
	if next == conv {
		t.Error("the contact's next message went into the ended conversation")
	}
	bot.pushed(protocol.PushAssigned, next, 1)
	d.check()
	if s := r.Status(); !s.Leading || !s.CaughtUp || s.Revision == "" || s.PolicyProblem != "" {
		t.Errorf("status %+v", s)
	}
}

func sorted(lines []string) string {
	lines = append([]string{}, lines...)
	for i := range lines {
		for j := i + 1; j < len(lines); j++ {
			if lines[j] < lines[i] {
				lines[i], lines[j] = lines[j], lines[i]
			}
		}
	}
	return strings.Join(lines, "\n")
}
