package router

import (
	"errors"
	"slices"
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
	bots := bot.pushed(protocol.PushAssigned, conv, 1).Conversation
	if bots.Contact != "c-1" || len(bots.Why) == 0 {
		t.Errorf("the bot is told %+v", bots)
	}
	d.writes(bot, conv, "b1", "Good day", bots.OwnSeq)

	d.post("c-1", "m2", "I want a refund")
	checkOffer(t, ann.pushed(protocol.PushOffer, conv, 1).Conversation)
	bot.pushed(protocol.PushReleased, conv, 1)
	// The bot is fenced off from the moment on at which the people's queue has it.
	d.isFenced(bot, conv, "b2", "wait, I know", bots.OwnSeq)

	mine := ann.must(protocol.Request{Type: protocol.Accept, Conversation: conv}).Conversation
	d.writes(ann, conv, "a1", "I refund it", mine.OwnSeq)
	ann.must(protocol.Request{Type: protocol.Close, Conversation: conv, Disposition: "refunded"})
	ann.pushed(protocol.PushReleased, conv, 1)
	d.has(conv, conversation.TypeClosed, 1)
	d.isFenced(ann, conv, "a2", "one more thing", mine.OwnSeq)

	want := []string{
		"message customer hello", "opened bot", "assigned bot-0", "message bot Good day",
		"message customer I want a refund", "prioritised", "queued refunds escalation", "offered ann",
		"message system A person will help you.",
		"accepted ann", "message agent I refund it", "wrapUpStarted", "closed resolved refunded",
	}
	// What the desk says stands where the decision was made; beside it the order is free.
	if diff := cmp.Diff(sorted(want), sorted(d.story(conv))); diff != "" {
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

// checkOffer holds that who is asked gets the story: what was said, why it comes, in which language.
func checkOffer(t *testing.T, c *protocol.Conversation) {
	t.Helper()
	if h := c.HandOff; h == nil || h.TranscriptSeq == 0 || h.Reason.Code != conversation.ReasonPolicy || h.Language != "en" {
		t.Errorf("the offer's hand-off is %+v", h)
	}
	if c.Priority != 80 || c.Queue != "refunds" || len(c.Why) == 0 {
		t.Errorf("the offer is %+v", c)
	}
}

func (d *desk) writes(c *client, conv conversation.ID, clientID, text string, ownSeq uint64) {
	d.t.Helper()
	if err := c.say(conv, clientID, text, ownSeq); err != nil {
		d.t.Errorf("%s cannot write as the owner: %v", c.id, err)
	}
}

func (d *desk) isFenced(c *client, conv conversation.ID, clientID, text string, ownSeq uint64) {
	d.t.Helper()
	if err := c.say(conv, clientID, text, ownSeq); !errors.Is(err, bus.ErrFenced) {
		d.t.Errorf("%s writes in what is not theirs any more: %v, want it fenced", c.id, err)
	}
}

func sorted(lines []string) string {
	return strings.Join(slices.Sorted(slices.Values(lines)), "\n")
}
