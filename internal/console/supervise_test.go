package console

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/deskfleet/deskfleet/internal/archive/audit"
	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/console/agentwire"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/routing"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
	"github.com/deskfleet/deskfleet/internal/web/problem"
	"github.com/deskfleet/deskfleet/internal/web/webtest"
)

// startSupervised starts a desk in whose pool the supervisor is as well.
func startSupervised(t testing.TB) *desk {
	t.Helper()
	rig := webtest.New(t, func(doc *runtimeconfig.Document) {
		doc.Pools = doc.Pools[1:]
		doc.Pools[0].Human.Members = []string{"chen", "wu", "boss"}
	})
	rig.StartRouter(routing.Times{})
	return startOn(t, rig)
}

// must sends a request that has to be done.
func (c *client) must(f agentwire.ClientFrame) {
	c.t.Helper()
	if p := c.request(f); p != nil {
		c.t.Fatalf("%s: %v", f.Type, p)
	}
}

// audited lists who did what, as the audit has it.
func (d *desk) audited(t testing.TB) []string {
	t.Helper()
	var out []string
	for m, err := range d.Log.Read(t.Context(), d.Subjects.Audit(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		e, err := audit.Decode(m.Data)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, e.Who.ID+" "+e.Action+" "+string(e.Conversation))
	}
	return out
}

// TestTransferToAColleague: who is named is asked, with the note; nobody else.
func TestTransferToAColleague(t *testing.T) {
	d := startSupervised(t)
	chen := d.signedIn(t, chenToken, agentwire.Available, nil)
	d.customerSays("c-1", "m1", "I want my money back")
	conv, _ := chen.owns()
	wu := d.signedIn(t, wuToken, agentwire.Available, nil)
	boss := d.signedIn(t, bossToken, agentwire.Available, nil)
	var reply struct{ Agents []colleague }
	if status, p := d.get(t, "/console/v1/agents", chenToken, &reply); status != 200 || len(reply.Agents) != 3 || reply.Agents[1].ID != "chen" || reply.Agents[1].Busy != 1 {
		t.Errorf("colleagues are %d %v %+v", status, p, reply)
	}
	p := chen.request(agentwire.ClientFrame{Type: agentwire.TypeHandOff, Conversation: conv, Agent: "nobody", Reason: "x"})
	if p == nil || p.Status != 409 || !strings.Contains(p.Error(), "nobody") {
		t.Errorf("a transfer to nobody gives %v", p)
	}
	chen.must(agentwire.ClientFrame{Type: agentwire.TypeHandOff, Conversation: conv, Agent: "wu", Reason: "knows refunds", Summary: "the customer is upset"})
	given := wu.relation(conv, agentwire.Offered)
	if h := given.Card.HandOff; h == nil || h.Agent != "wu" || h.Summary != "the customer is upset" {
		t.Errorf("the colleague sees %+v", h)
	}
	if !slices.ContainsFunc(given.Card.Why, func(w string) bool { return strings.Contains(w, "asked for by name") }) {
		t.Errorf("why is %v", given.Card.Why)
	}
	wu.must(agentwire.ClientFrame{Type: agentwire.TypeAccept, Conversation: conv})
	if f := wu.relation(conv, agentwire.Owned); len(f.Card.Why) == 0 {
		t.Error("who has it is not told why")
	}
	if got := d.show(conv); got.Agent.ID != "wu" {
		t.Errorf("it is with %+v", got.Agent)
	}
	_ = boss
}

// TestWhisperAndTakeOver: a supervisor watches, leaves a note that the customer never sees, and takes over; an agent
// may none of it in what was never theirs.
func TestWhisperAndTakeOver(t *testing.T) {
	d := startSupervised(t)
	chen := d.signedIn(t, chenToken, agentwire.Available, nil)
	d.customerSays("c-1", "m1", "Where is it?")
	conv, _ := chen.owns()
	wu, boss := d.signedIn(t, wuToken, agentwire.Offline, nil), d.signedIn(t, bossToken, agentwire.Available, nil)

	for _, f := range []agentwire.ClientFrame{
		{Type: agentwire.TypeWatch, Conversation: conv, On: true}, {Type: agentwire.TypeTakeOver, Conversation: conv},
		{Type: agentwire.TypeMessage, Conversation: conv, ClientID: "x1", Text: "psst", Note: true}, {Type: agentwire.TypeTag, Conversation: conv, Tags: []string{"x"}},
	} {
		if p := wu.request(f); p == nil || p.Code() != problem.CodeForbidden && p.Code() != problem.CodeNotOwner {
			t.Errorf("%s of an agent who never had it gives %v", f.Type, p)
		}
	}
	boss.must(agentwire.ClientFrame{Type: agentwire.TypeWatch, Conversation: conv, On: true})
	if f := boss.relation(conv, agentwire.Watched); f.Card.Agent == nil || f.Card.Agent.ID != "chen" {
		t.Errorf("the supervisor sees %+v", f.Card)
	}
	boss.until(agentwire.TypeMessage, func(f *agentwire.ServerFrame) bool { return f.Text == "Where is it?" })
	chen.say(conv, "a1", "I look.")
	boss.until(agentwire.TypeMessage, func(f *agentwire.ServerFrame) bool { return f.Text == "I look." })

	if p := boss.request(agentwire.ClientFrame{Type: agentwire.TypeMessage, Conversation: conv, ClientID: "b0", Text: "hello"}); p == nil || p.Code() != problem.CodeNotOwner {
		t.Errorf("a supervisor's answer in what is another's gives %v", p)
	}
	boss.send(agentwire.ClientFrame{Type: agentwire.TypeMessage, Conversation: conv, ClientID: "b1", Text: "offer a voucher", Note: true})
	first := boss.until(agentwire.TypeAck, func(f *agentwire.ServerFrame) bool { return f.ClientID == "b1" })
	boss.send(agentwire.ClientFrame{Type: agentwire.TypeMessage, Conversation: conv, ClientID: "b1", Text: "offer a voucher", Note: true})
	if again := boss.until(agentwire.TypeAck, func(f *agentwire.ServerFrame) bool { return f.ClientID == "b1" }); again.Seq != first.Seq || !again.Duplicate {
		t.Errorf("a note that is sent again gives %+v", again)
	}
	whisper := chen.until(agentwire.TypeMessage, func(f *agentwire.ServerFrame) bool { return f.Text == "offer a voucher" })
	if !whisper.Note || whisper.From.ID != "boss" {
		t.Errorf("the agent sees %+v", whisper)
	}
	if public := conversation.ForCustomer(d.Messages(conv)); len(public) != 2 {
		t.Errorf("the customer sees %d messages", len(public))
	}

	boss.must(agentwire.ClientFrame{Type: agentwire.TypeTakeOver, Conversation: conv})
	boss.relation(conv, agentwire.Owned)
	if lost := chen.relation(conv, agentwire.None); !strings.Contains(strings.Join(lost.Card.Why, " "), "boss") {
		t.Errorf("the agent is told %v", lost.Card.Why)
	}
	chen.say(conv, "a2", "one more thing")
	if f := chen.until(agentwire.TypeError, func(f *agentwire.ServerFrame) bool { return f.ClientID == "a2" }); f.Problem.Code() != problem.CodeNotOwner {
		t.Errorf("the former owner gets %+v", f.Problem)
	}
	boss.say(conv, "b2", "I take care of it.")
	boss.until(agentwire.TypeAck, func(f *agentwire.ServerFrame) bool { return f.ClientID == "b2" })
	// Who has had it may leave a note for who has it now.
	chen.send(agentwire.ClientFrame{Type: agentwire.TypeMessage, Conversation: conv, ClientID: "a3", Text: "the parcel is in Bremen", Note: true})
	boss.until(agentwire.TypeMessage, func(f *agentwire.ServerFrame) bool { return f.Text == "the parcel is in Bremen" && f.Note })
	for _, want := range []string{"boss conversation.watched " + string(conv), "boss conversation.takeOver " + string(conv)} {
		if !slices.Contains(d.audited(t), want) {
			t.Errorf("the audit does not have %q:\n%s", want, strings.Join(d.audited(t), "\n"))
		}
	}
	if slices.Contains(d.audited(t), "wu conversation.takeOver "+string(conv)) {
		t.Error("what was refused is in the audit as done")
	}
	boss.must(agentwire.ClientFrame{Type: agentwire.TypeClose, Conversation: conv})
	if p := boss.request(agentwire.ClientFrame{Type: agentwire.TypeMessage, Conversation: conv, ClientID: "b9", Text: "late", Note: true}); p == nil || p.Code() != problem.CodeNotOwner {
		t.Errorf("a note behind the end gives %v", p)
	}
}

// TestPostponeAndCallBack: what is put off takes no slot, is on the agent's list, and comes back when the customer
// writes.
func TestPostponeAndCallBack(t *testing.T) {
	d := startSupervised(t)
	chen := d.signedIn(t, chenToken, agentwire.Available, nil)
	d.customerSays("c-1", "m1", "Call me tomorrow")
	conv, _ := chen.owns()
	if p := chen.request(agentwire.ClientFrame{Type: agentwire.TypePostpone, Conversation: conv, Until: time.Now().Add(-time.Hour)}); p == nil || p.Code() != problem.CodeInvalid {
		t.Errorf("a time that is past gives %v", p)
	}
	until := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	chen.must(agentwire.ClientFrame{Type: agentwire.TypePostpone, Conversation: conv, Until: until, CallBack: true})
	if f := chen.relation(conv, agentwire.None); f.Card.Status != conversation.StatusPending || !f.Card.Deadline.Equal(until) || len(f.Card.Why) < 2 {
		t.Errorf("the agent is told %+v", f.Card)
	}
	var list struct{ Conversations []openConversation }
	if status, p := d.get(t, "/console/v1/conversations?status=Pending", chenToken, &list); status != 200 || len(list.Conversations) != 1 || list.Conversations[0].ID != conv {
		t.Errorf("the agent's list is %d %v %+v", status, p, list)
	}
	if status, _ := d.get(t, "/console/v1/conversations?agent=wu", chenToken, nil); status != 403 {
		t.Errorf("another's list gives %d", status)
	}
	list.Conversations = nil
	if status, _ := d.get(t, "/console/v1/conversations", wuToken, &list); status != 200 || len(list.Conversations) != 0 {
		t.Errorf("a colleague sees %+v", list)
	}
	d.customerSays("c-1", "m2", "I am here now")
	back := chen.relation(conv, agentwire.Offered)
	if !strings.Contains(strings.Join(back.Card.Why, " "), "asked for by name") {
		t.Errorf("it comes back with %v", back.Card.Why)
	}
}

// TestTags: an agent tags what is theirs, a supervisor anything; the card and the log have them.
func TestTags(t *testing.T) {
	d := startSupervised(t)
	chen := d.signedIn(t, chenToken, agentwire.Available, nil)
	d.customerSays("c-1", "m1", "It is broken")
	conv, _ := chen.owns()
	chen.must(agentwire.ClientFrame{Type: agentwire.TypeTag, Conversation: conv, Tags: []string{"退款", "broken"}})
	chen.until(agentwire.TypeConversation, func(f *agentwire.ServerFrame) bool { return slices.Equal(f.Card.Tags, []string{"broken", "退款"}) })
	// The tags have moved the sequence that fences the owner, who answers nevertheless.
	chen.say(conv, "a1", "I see.")
	chen.until(agentwire.TypeAck, func(f *agentwire.ServerFrame) bool { return f.ClientID == "a1" })
	boss := d.signedIn(t, bossToken, agentwire.Offline, nil)
	boss.must(agentwire.ClientFrame{Type: agentwire.TypeTag, Conversation: conv, Tags: []string{conversation.TagComplaint}})
	chen.until(agentwire.TypeConversation, func(f *agentwire.ServerFrame) bool { return slices.Equal(f.Card.Tags, []string{"complaint"}) })
	var list struct{ Conversations []openConversation }
	if status, _ := d.get(t, "/console/v1/conversations", bossToken, &list); status != 200 || len(list.Conversations) != 1 || !slices.Equal(list.Conversations[0].Tags, []string{"complaint"}) {
		t.Errorf("the supervisor's list is %+v", list)
	}
	if !slices.Contains(d.audited(t), "boss conversations.listed ") {
		t.Errorf("the audit does not have the list:\n%s", strings.Join(d.audited(t), "\n"))
	}
}

// TestMerge: the duplicate ends with a word to its customer, the other one gets what was said in it, for agents only.
func TestMerge(t *testing.T) {
	d := startSupervised(t)
	chen := d.signedIn(t, chenToken, agentwire.Available, nil)
	d.customerSays("c-1", "m1", "My lamp is broken")
	first, _ := chen.owns()
	d.customerSays("c-2", "m1", "我的灯坏了，订单 77")
	twin, _ := chen.owns()
	wu := d.signedIn(t, wuToken, agentwire.Available, nil)
	if p := wu.request(agentwire.ClientFrame{Type: agentwire.TypeMerge, Conversation: twin, Into: first}); p == nil || p.Code() != problem.CodeNotOwner {
		t.Errorf("a colleague's merge gives %v", p)
	}
	merge := agentwire.ClientFrame{Type: agentwire.TypeMerge, Conversation: twin, Into: first}
	chen.must(merge)
	var gone, note *agentwire.ServerFrame
	for gone == nil || note == nil { // they come by different subjects, in any order
		f, err := chen.read()
		switch {
		case err != nil:
			t.Fatal(err)
		case f.Type == agentwire.TypeConversation && f.Conversation == twin && f.Relation == agentwire.None:
			gone = f
		case f.Type == agentwire.TypeMessage && f.Conversation == first && f.Note:
			note = f
		}
	}
	if gone.Card.MergedInto != first || gone.Card.Status != conversation.StatusClosed {
		t.Errorf("the duplicate is %+v", gone.Card)
	}
	if note.From.Kind != conversation.KindSystem || !strings.Contains(note.Text, string(twin)) || !strings.Contains(note.Text, "订单 77") {
		t.Errorf("the note is %+v", note)
	}
	chen.must(merge) // sent again
	eventually.True(t, "the customer is told", func() bool { return len(d.Messages(twin)) == 2 })
	if n := len(d.Messages(first)); n != 2 {
		t.Errorf("%d messages are in the one that goes on", n)
	}
	told := d.Messages(twin)[1].Body.(*conversation.Message)
	if told.Note || told.From.Kind != conversation.KindSystem || !strings.Contains(told.Text, "in your other conversation") {
		t.Errorf("the customer is told %+v", told)
	}
	if public := conversation.ForCustomer(d.Messages(first)); len(public) != 1 {
		t.Errorf("the other customer sees %d messages", len(public))
	}

	// A message that was on its way when the duplicate ended: it is in the log, and opens it again for the same agent.
	data, err := conversation.Encode(conversation.NewEvent(conversation.NewID(time.Now()), twin, time.Now(), &conversation.Message{
		From: conversation.Actor{Kind: conversation.KindCustomer, ID: "c-2"}, Text: "还有一件事", ClientID: "m2", Channel: "web",
	}))
	if err == nil {
		_, _, err = d.Log.Append(t.Context(), d.Subjects.Messages(string(twin)), data, bus.AppendOptions{MsgID: "late"})
	}
	if err != nil {
		t.Fatal(err)
	}
	back := chen.relation(twin, agentwire.Offered)
	if back.Card.MergedInto != "" {
		t.Errorf("it comes back as %+v", back.Card)
	}
	boss := d.signedIn(t, bossToken, agentwire.Offline, nil)
	boss.must(merge)
	if got := d.show(twin).Status; got != conversation.StatusClosed {
		t.Errorf("merged by a supervisor it is %s", got)
	}
	if !slices.Contains(d.audited(t), "boss conversation.merge "+string(twin)) {
		t.Error("the audit does not have the merge")
	}
}
