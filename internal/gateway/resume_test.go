package gateway

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/gateway/chatwire"
	"github.com/deskfleet/deskfleet/internal/web/problem"
	"github.com/deskfleet/deskfleet/internal/web/webtest"
)

// TestI12CustomersMissNothing: a customer whose socket is killed at random points, and who resumes by sequence on
// either of two gateways, sees what is stored, exactly once and in order.
func TestI12CustomersMissNothing(t *testing.T) {
	a := start(t)
	b := startOn(t, a.Rig, func(o *Options) { o.Name = "gw-1" })
	first := a.connect(t)
	welcome, _ := first.hello(chatwire.ClientFrame{})
	conv := first.sayAcked("open", "hello").Conversation
	a.BotTakes(conv, welcome.Contact.ID)

	const steps = 150
	var writing sync.WaitGroup
	writing.Go(func() { writeDialogue(a, conv, steps) })
	var seen []uint64
	shown := map[uint64]string{}
	var cursor, done uint64
	var stable []uint64
	for round := 0; ; round++ {
		d := []*desk{a, b}[rand.IntN(2)]
		c := d.connect(t)
		c.send(chatwire.ClientFrame{Type: chatwire.TypeHello, Token: welcome.Token, Conversation: conv, ResumeAfter: cursor})
		budget := 1 + rand.IntN(25)
		for range budget {
			f, err := c.read()
			if err != nil {
				t.Fatal(err)
			}
			if f.Type != chatwire.TypeMessage && f.Type != chatwire.TypeState {
				continue
			}
			seen = append(seen, f.Seq)
			shown[f.Seq] = f.Text
			cursor = f.Seq
			if f.Text == "the end" {
				done = f.Seq
				break
			}
		}
		_ = c.ws.CloseNow()
		if done > 0 {
			break
		}
	}
	writing.Wait()
	for m, err := range a.Log.Read(t.Context(), a.Subjects.Conversation(string(conv)), 0) {
		if err != nil {
			t.Fatal(err)
		}
		e, err := conversation.Decode(m.Data)
		if err != nil {
			t.Fatal(err)
		}
		if said, ok := e.Body.(*conversation.Message); ok && (said.Note || m.MsgID == "") {
			continue
		}
		stable = append(stable, m.Seq)
	}
	if diff := cmp.Diff(stable, seen); diff != "" {
		t.Errorf("stored (-) and seen (+) differ:\n%s", diff)
	}
	if len(stable) < steps {
		t.Errorf("only %d of %d were stored", len(stable), steps)
	}
}

// writeDialogue stores messages of all kinds, changes of the owner, notes, and messages that were sent
// again after the bus had forgotten their ids.
func writeDialogue(d *desk, conv conversation.ID, steps int) {
	chen := conversation.Agent{Kind: conversation.KindAgent, ID: "chen", Name: "Chen"}
	customer := conversation.Actor{Kind: conversation.KindCustomer, ID: "c-x"}
	stage := 0
	for i := range steps {
		text := fmt.Sprint("message ", i)
		switch rand.IntN(8) {
		case 0:
			d.Say(conv, conversation.Message{From: chen.Actor(), Text: "note", Note: true})
			d.Say(conv, botMessage(text))
		case 1:
			m := conversation.Message{From: customer, Text: text, ClientID: fmt.Sprint("m", i), Channel: Channel}
			d.Say(conv, m)
			sayAgain(d, conv, m)
		case 2:
			stage = advance(d, conv, chen, stage)
			d.Say(conv, botMessage(text))
		default:
			d.Say(conv, botMessage(text))
		}
	}
	d.Say(conv, botMessage("the end"))
}

func sayAgain(d *desk, conv conversation.ID, m conversation.Message) {
	data, err := conversation.Encode(conversation.NewEvent(conversation.NewID(time.Now()), conv, time.Now(), &m))
	if err == nil {
		_, _, err = d.Log.Append(d.T.Context(), d.Subjects.Messages(string(conv)), data, bus.AppendOptions{})
	}
	if err != nil {
		d.T.Error(err)
	}
}

// advance moves the conversation a step towards the agent.
func advance(d *desk, conv conversation.ID, chen conversation.Agent, stage int) int {
	switch stage {
	case 0:
		d.Queue(conv, "refunds", webtest.HandOff(1, "x"))
	case 1:
		d.Own(conv, &conversation.Offered{Agent: chen, Deadline: time.Now().Add(time.Minute)})
	case 2:
		d.Own(conv, &conversation.Accepted{Agent: chen})
	default:
		return stage
	}
	return stage + 1
}

// TestMessagesOfTwoSockets: messages of one contact that come at the same time over two gateways land in
// one conversation, once each, although one of them is sent twice.
func TestMessagesOfTwoSockets(t *testing.T) {
	a := start(t)
	b := startOn(t, a.Rig, func(o *Options) { o.Name = "gw-1" })
	c1 := a.connect(t)
	welcome, _ := c1.hello(chatwire.ClientFrame{})
	c2 := b.connect(t)
	_, _ = c2.hello(chatwire.ClientFrame{Token: welcome.Token})
	c1.say("m1", "one", "")
	c2.say("m2", "two", "")
	c1.say("m3", "three", "")
	c2.say("m3", "three", "")
	convs := map[conversation.ID]bool{}
	for _, c := range []*client{c1, c1, c2, c2} {
		convs[c.next(chatwire.TypeAck).Conversation] = true
	}
	if len(convs) != 1 {
		t.Fatalf("acks name %d conversations", len(convs))
	}
	for conv := range convs {
		if stored := a.Messages(conv); len(stored) != 3 {
			t.Errorf("%d messages are stored", len(stored))
		}
	}
}

// TestFollowsTheNextConversation: when one conversation has ended, the next message opens another and all
// sockets of the contact go on with it; the first one can still be read.
func TestFollowsTheNextConversation(t *testing.T) {
	d := start(t)
	c := d.connect(t)
	welcome, _ := c.hello(chatwire.ClientFrame{})
	other := d.connect(t)
	_, _ = other.hello(chatwire.ClientFrame{Token: welcome.Token})
	one := c.sayAcked("m1", "first").Conversation
	d.BotTakes(one, welcome.Contact.ID)
	d.End(one, welcome.Contact.ID)
	c.until(chatwire.TypeState, func(f *chatwire.ServerFrame) bool { return f.Status == conversation.StatusClosed })
	two := c.sayAcked("m1", "second").Conversation
	if one == two {
		t.Fatal("the message went into the ended conversation")
	}
	d.BotTakes(two, welcome.Contact.ID)
	d.Say(two, botMessage("answer"))
	f := other.until(chatwire.TypeMessage, func(f *chatwire.ServerFrame) bool { return f.Text == "answer" })
	if f.Conversation != two {
		t.Errorf("the answer is of %s", f.Conversation)
	}

	// A page that shows the first one gets the rest of it and then the second.
	late := d.connect(t)
	again, frames := late.hello(chatwire.ClientFrame{Token: welcome.Token, Conversation: one})
	if again.Conversation != two {
		t.Errorf("welcome names %s", again.Conversation)
	}
	if diff := cmp.Diff([]string{"first", "second", "answer"}, texts(frames)); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
	last := uint64(0)
	for _, f := range frames {
		if f.Seq < last {
			t.Errorf("%s comes behind %d", describe(f), last)
		}
		last = max(last, f.Seq)
	}
}

// TestSentAgainAtOnce: a client that sends its unacknowledged message right behind hello, before it has been
// caught up, does not open another conversation with it when its own has ended meanwhile.
func TestSentAgainAtOnce(t *testing.T) {
	d := start(t)
	c := d.connect(t)
	welcome, _ := c.hello(chatwire.ClientFrame{})
	first := c.sayAcked("m1", "was it stored?")
	d.BotTakes(first.Conversation, welcome.Contact.ID)
	d.End(first.Conversation, welcome.Contact.ID)
	for range 10 {
		again := d.connect(t)
		again.send(chatwire.ClientFrame{Type: chatwire.TypeHello, Token: welcome.Token})
		again.say("m1", "was it stored?", first.Conversation)
		if f := again.next(chatwire.TypeAck); f.Conversation != first.Conversation || f.Seq != first.Seq || !f.Duplicate {
			t.Fatalf("sent again it is answered with %+v, want sequence %d of %s", f, first.Seq, first.Conversation)
		}
		_ = again.ws.CloseNow()
	}
	if open := d.openConversation(welcome.Contact.ID); open != first.Conversation {
		t.Errorf("another conversation %s was opened", open)
	}
}

// TestOthersConversations: a contact does not get another contact's conversation by naming it.
func TestOthersConversations(t *testing.T) {
	d := start(t)
	c := d.connect(t)
	_, _ = c.hello(chatwire.ClientFrame{})
	secret := c.sayAcked("m1", "my secret").Conversation
	thief := d.connect(t)
	welcome, frames := thief.hello(chatwire.ClientFrame{Conversation: secret})
	if got := texts(frames); len(got) != 0 || welcome.Conversation != "" {
		t.Errorf("another contact reads %q", got)
	}
	posted := thief.sayAcked("m1", "steal")
	if posted.Conversation == secret || posted.Duplicate {
		t.Errorf("another contact writes into %s", posted.Conversation)
	}
	second := thief.sayAcked("m2", "again")
	if second.Conversation != posted.Conversation {
		t.Errorf("the second message goes to %s", second.Conversation)
	}
	thief.say("m1", "is m1 there?", secret)
	if f := thief.next(chatwire.TypeAck); f.Conversation != posted.Conversation || f.Seq != posted.Seq {
		t.Errorf("naming another contact's conversation gives %+v", f)
	}
	path := "/v1/conversations/" + string(secret)
	for _, call := range []struct{ method, path string }{
		{"GET", path + "/messages"}, {"POST", path + "/close"}, {"POST", path + "/messages"},
	} {
		status, p := d.rest(t, call.method, call.path, welcome.Token, map[string]string{"clientId": "m1", "text": "x"}, nil)
		if status != 404 || p.Code() != problem.CodeNotFound {
			t.Errorf("%s %s gives %d", call.method, call.path, status)
		}
	}
}

// TestSequenceOfAnotherLog: a client that comes with a sequence that the log has never reached gets
// everything, not nothing.
func TestSequenceOfAnotherLog(t *testing.T) {
	d := start(t)
	c := d.connect(t)
	welcome, _ := c.hello(chatwire.ClientFrame{})
	conv := c.sayAcked("m1", "hello").Conversation
	again := d.connect(t)
	w, frames := again.hello(chatwire.ClientFrame{Token: welcome.Token, Conversation: conv, ResumeAfter: 1 << 40})
	if !w.Anew || len(texts(frames)) != 1 {
		t.Errorf("anew is %t with %d messages", w.Anew, len(texts(frames)))
	}
}
