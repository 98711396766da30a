package gateway

import (
	"testing"
	"time"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/escalation"
	"github.com/deskfleet/deskfleet/internal/gateway/chatwire"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
	"github.com/deskfleet/deskfleet/internal/routing"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
	"github.com/deskfleet/deskfleet/internal/web/ask"
	"github.com/deskfleet/deskfleet/internal/web/problem"
	"github.com/deskfleet/deskfleet/internal/web/webtest"
)

// startRouted starts a desk of people with a real router.
func startRouted(t testing.TB, change ...func(*runtimeconfig.Document)) *desk {
	t.Helper()
	rig := webtest.New(t, append(change, func(doc *runtimeconfig.Document) { doc.Pools = doc.Pools[1:] })...)
	rig.StartRouter(routing.Times{})
	return startOn(t, rig)
}

// agent asks the router for chen.
func (d *desk) agent(t testing.TB, req protocol.Request) *protocol.Reply {
	t.Helper()
	reply, err := ask.Router{Bus: d.Conn, Subjects: d.Subjects, Party: bus.PartyAgent}.Ask(t.Context(), "chen", req)
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

// serve lets chen accept the conversation, and close it.
func (d *desk) serve(t testing.TB, conv conversation.ID) {
	t.Helper()
	d.agent(t, protocol.Request{
		Type: protocol.SignOn, Presence: conversation.PresenceOnline, Agent: &conversation.Agent{Kind: conversation.KindAgent, ID: "chen", Name: "Chen"},
	})
	d.agent(t, protocol.Request{Type: protocol.Accept, Conversation: conv})
	d.agent(t, protocol.Request{Type: protocol.Close, Conversation: conv})
}

// TestCallBack: who waits may wait elsewhere, over the socket and over REST.
func TestCallBack(t *testing.T) {
	d := startRouted(t)
	c := d.connect(t)
	_, _ = c.hello(chatwire.ClientFrame{})
	c.send(chatwire.ClientFrame{Type: chatwire.TypeCallBack})
	if f := c.next(chatwire.TypeError); f.Problem.Code() != problem.CodeConflict {
		t.Errorf("without a conversation it gives %+v", f.Problem)
	}
	c.sayAcked("m1", "I want a person")
	c.until(chatwire.TypeState, func(f *chatwire.ServerFrame) bool { return f.Status == conversation.StatusQueued })
	c.send(chatwire.ClientFrame{Type: chatwire.TypeCallBack})
	c.until(chatwire.TypeState, func(f *chatwire.ServerFrame) bool { return f.Status == conversation.StatusQueued && f.CallBack })
	c.send(chatwire.ClientFrame{Type: chatwire.TypeCallBack, Until: time.Now().Add(-time.Hour)})
	if f := c.next(chatwire.TypeError); f.Problem.Code() != problem.CodeInvalid {
		t.Errorf("a time that is past gives %+v", f.Problem)
	}
	until := time.Now().Add(2 * time.Hour).UTC().Truncate(time.Second)
	c.send(chatwire.ClientFrame{Type: chatwire.TypeCallBack, Until: until})
	if f := c.until(chatwire.TypeState, func(f *chatwire.ServerFrame) bool { return f.Status == conversation.StatusCallbackPending }); !f.Until.Equal(until) {
		t.Errorf("it goes on at %s", f.Until)
	}

	var started, other started
	if status, p := d.rest(t, "POST", "/v1/conversations", "", map[string]any{}, &started); status != 201 {
		t.Fatal(status, p)
	}
	path := "/v1/conversations/" + string(started.Conversation)
	if status, p := d.rest(t, "POST", path+"/messages", started.Token, map[string]any{"clientId": "m1", "text": "hello"}, nil); status != 201 {
		t.Fatal(status, p)
	}
	var back calledBack
	eventually.True(t, "it waits and may wait elsewhere", func() bool {
		status, _ := d.rest(t, "POST", path+"/callback", started.Token, map[string]any{"until": until}, &back)
		return status == 200
	})
	if back.Status != conversation.StatusCallbackPending || !back.Until.Equal(until) {
		t.Errorf("the answer is %+v", back)
	}
	if status, _ := d.rest(t, "POST", "/v1/conversations", "", map[string]any{}, &other); status != 201 {
		t.Fatal(status)
	}
	if status, _ := d.rest(t, "POST", path+"/callback", other.Token, map[string]any{}, nil); status != 404 {
		t.Errorf("another contact's callback gives %d", status)
	}
}

// TestRating: after the end, by its own contact, 1 to 5; the same one again is stored once, and the last counts.
func TestRating(t *testing.T) {
	d := startRouted(t)
	c := d.connect(t)
	welcome, _ := c.hello(chatwire.ClientFrame{})
	conv := c.sayAcked("m1", "I want a person").Conversation
	rate := func(score int, comment string) {
		c.send(chatwire.ClientFrame{Type: chatwire.TypeRate, Conversation: conv, Score: score, Comment: comment})
	}
	rate(5, "")
	if f := c.next(chatwire.TypeError); f.Problem.Code() != problem.CodeConflict {
		t.Errorf("before the end it gives %+v", f.Problem)
	}
	d.serve(t, conv)
	c.until(chatwire.TypeState, func(f *chatwire.ServerFrame) bool { return f.Status == conversation.StatusClosed })
	rate(6, "")
	if f := c.next(chatwire.TypeError); f.Problem.Field != "score" {
		t.Errorf("6 of 5 gives %+v", f.Problem)
	}
	rate(4, "")
	c.until(chatwire.TypeState, func(f *chatwire.ServerFrame) bool { return f.Score == 4 && f.Status == conversation.StatusClosed })
	path := "/v1/conversations/" + string(conv) + "/rating"
	for range 3 {
		if status, p := d.rest(t, "POST", path, welcome.Token, map[string]any{"score": 5, "comment": "quick"}, nil); status != 200 {
			t.Fatal(status, p)
		}
	}
	c.until(chatwire.TypeState, func(f *chatwire.ServerFrame) bool { return f.Score == 5 })
	n := 0
	for m, err := range d.Log.Read(t.Context(), d.Subjects.Messages(string(conv)), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if e, err := conversation.Decode(m.Data); err == nil && e.Type == conversation.TypeRated {
			n++
		}
	}
	if n != 2 {
		t.Errorf("%d ratings are stored", n)
	}
	var other started
	if status, _ := d.rest(t, "POST", "/v1/conversations", "", map[string]any{}, &other); status != 201 {
		t.Fatal(status)
	}
	if status, _ := d.rest(t, "POST", path, other.Token, map[string]any{"score": 1}, nil); status != 404 {
		t.Errorf("another contact's rating gives %d", status)
	}
	// A client that comes back is told what it gave, and the next message opens another conversation.
	again := d.connect(t)
	_, frames := again.hello(chatwire.ClientFrame{Token: welcome.Token, Conversation: conv})
	if last := frames[len(frames)-1]; last.State == nil || last.State.Score != 5 {
		t.Errorf("it comes back to %+v", last)
	}
	if next := again.sayAcked("m2", "one more thing").Conversation; next == conv {
		t.Error("a message behind a rating went into the ended conversation")
	}
}

// TestChatPageLater: a customer in a browser sees place and expected wait, waits elsewhere, is answered, and rates.
func TestChatPageLater(t *testing.T) {
	b := webtest.OpenBrowser(t, 900, 760, "en-GB")
	d := startRouted(t)
	b.Go(d.http.URL)
	b.Enter("#text", "I want a person")
	_, conv := d.onlyContact(t)
	b.Sees("You are next in the queue", "Answer me later")
	position, err := protocol.Encode(protocol.Position{V: 1, Type: protocol.LivePosition, Conversation: conv, Queue: "general", Position: 2, Waiting: 7, ExpectedWaitSeconds: 250})
	d.live(t, conv, position, err)
	b.Sees("You are number 2 of 7 in the queue", "It takes about 5 min.")
	b.Click("#later")
	b.Sees("You need not wait here.", "At a time of my choice")
	b.Shot("chat-later")
	b.Click("#later-turn")
	b.Sees("Your place is kept. You may close this page")
	d.serve(t, conv)
	b.Sees("The conversation has ended.", "How was it?")
	if seen := webtest.Eval[bool](b, "getComputedStyle(document.getElementById('kept')).display !== 'none'"); seen {
		t.Error("the place is still kept")
	}
	b.Click("#stars button:nth-child(4)")
	b.Sees("Thank you for your rating.")
	b.Type("#rating-comment", "quick")
	b.Click("#rating-go")
	eventually.True(t, "the rating is stored with its comment", func() bool {
		var last *conversation.Rated
		for m, err := range d.Log.Read(t.Context(), d.Subjects.Messages(string(conv)), 0) {
			if err != nil {
				t.Fatal(err)
			}
			if e, err := conversation.Decode(m.Data); err == nil {
				last, _ = e.Body.(*conversation.Rated)
			}
		}
		return last != nil && last.Score == 4 && last.Comment == "quick"
	})
	b.Shot("chat-rated")
}

// TestChatPageAtNight in Chinese: the customer of a desk that is closed is told so, and that an answer comes.
func TestChatPageAtNight(t *testing.T) {
	b := webtest.OpenBrowser(t, 390, 780, "zh-CN")
	d := startRouted(t, func(doc *runtimeconfig.Document) {
		tomorrow := time.Now().UTC().AddDate(0, 0, 2).Weekday().String()
		doc.Calendar = &runtimeconfig.Calendar{
			OpeningHours: []runtimeconfig.OpeningHours{{Days: []string{tomorrow}, Periods: []runtimeconfig.Period{{From: "09:00", To: "18:00"}}}},
			Closed:       runtimeconfig.Closed{Behaviour: "Callback", Say: []escalation.LocalisedText{{Language: "zh", Text: "现在是下班时间，我们上班后回复您。"}}},
		}
	})
	b.Go(d.http.URL)
	b.Enter("#text", "我要退货")
	b.Sees("现在是下班时间，我们上班后回复您。", "排队中：下一位就是您", "稍后回复我")
	b.Click("#later")
	b.Sees("选择时间")
	b.Click("#later-go")
	b.Sees("在这里回复您", "稍后继续")
	if webtest.Eval[bool](b, "document.documentElement.scrollWidth > innerWidth") {
		t.Error("the page is wider than the phone")
	}
	b.Shot("phone-callback")
	_, conv := d.onlyContact(t)
	if got := d.agent(t, protocol.Request{Type: protocol.Show, Conversation: conv}).Conversation; got.Status != conversation.StatusCallbackPending {
		t.Errorf("it is %s", got.Status)
	}
}
