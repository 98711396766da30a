package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	record "github.com/deskfleet/deskfleet/internal/archive/audit"
	archive "github.com/deskfleet/deskfleet/internal/archive/protocol"
	"github.com/deskfleet/deskfleet/internal/console/agentwire"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/escalation"
	"github.com/deskfleet/deskfleet/internal/routing"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
	"github.com/deskfleet/deskfleet/internal/web/problem"
	"github.com/deskfleet/deskfleet/internal/web/webtest"
)

// startWithLadder starts a desk of people whose queue general has two steps that nothing predicts.
func startWithLadder(t testing.TB) *desk {
	t.Helper()
	rig := webtest.New(t, func(doc *runtimeconfig.Document) {
		doc.Pools = doc.Pools[1:]
		doc.Pools[0].Concurrency = 1
		doc.Queues[0].Overflow = []runtimeconfig.Overflow{
			{PredictedWaitSeconds: 3600, Action: runtimeconfig.OverflowPool, Pool: "backup"},
			{PredictedWaitSeconds: 7200, Action: runtimeconfig.OverflowCallback, Say: []escalation.LocalisedText{{Language: "en", Text: "We come back to you."}}},
		}
	})
	rig.StartRouter(routing.Times{})
	return startOn(t, rig)
}

// nothingApplies waits until no step applies by itself: all do until the router has seen that somebody is there.
func (d *desk) nothingApplies(t testing.TB) {
	t.Helper()
	eventually.True(t, "nothing applies by itself", func() bool {
		var reply queuesReply
		status, _ := d.get(t, "/console/v1/queues", bossToken, &reply)
		return status == 200 && !stepOf(reply.Queues, "general", 1).Reached
	})
}

// A supervisor holds a step: it shows to everybody at once, applies to who waits, and stands in the audit log with who,
// when, until and why; released, it is gone.
func TestSupervisorHoldsAStep(t *testing.T) {
	d := startWithLadder(t)
	startArchive(t, d)
	chen := d.signedIn(t, chenToken, agentwire.Available, nil)
	d.customerSays("c-0", "m1", "hello")
	chen.owns()
	d.nothingApplies(t)
	conv := d.customerSays("c-1", "m1", "My lamp is broken")
	const path = "/console/v1/queues/general/steps/2"
	until := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	body := fmt.Sprintf(`{"until":%q,"reason":"sale day"}`, until.Format(time.RFC3339))
	var reply queuesReply
	if status, p := d.send(t, http.MethodPut, path, bossToken, body, &reply); status != 200 {
		t.Fatalf("holding gives %d %v", status, p)
	}
	want := conversation.HeldStep{Step: 2, Action: "Callback", Until: until, By: "boss", Reason: "sale day"}
	if step := stepOf(reply.Queues, "general", 2); step == nil || step.Held == nil || *step.Held != want {
		t.Errorf("the answer is %+v", reply)
	}
	eventually.True(t, "who waits is told of a callback", func() bool { return len(d.Messages(conv)) == 2 })
	if m := d.Messages(conv)[1].Body.(*conversation.Message); m.Text != "We come back to you." {
		t.Errorf("the customer is told %+v", m)
	}
	var read transcriptReply
	status, _ := d.get(t, "/console/v1/transcripts/"+string(conv), bossToken, &read)
	if status != 200 || !slices.ContainsFunc(read.Items, func(i archive.Item) bool {
		return strings.Contains(string(i.Event), "overflow of queue general: Callback is held by boss until ")
	}) {
		t.Errorf("no decision says who holds it: %+v", read.Items)
	}
	var shown queuesReply
	if status, p := d.get(t, "/console/v1/queues", chenToken, &shown); status != 200 || stepOf(shown.Queues, "general", 2).Held == nil {
		t.Errorf("an agent sees %d %v %+v", status, p, shown)
	}
	for range 2 { // what is released is released
		var released queuesReply
		if status, p := d.send(t, http.MethodDelete, path, bossToken, "", &released); status != 200 || stepOf(released.Queues, "general", 2).Held != nil {
			t.Errorf("releasing gives %d %v %+v", status, p, released)
		}
	}
	held := audited(t, d, "queue.stepHeld", 1)[0]
	var details struct{ Queue, Action, Reason, Until string }
	if err := json.Unmarshal(held.Details, &details); err != nil || held.Who.ID != "boss" || held.At.IsZero() ||
		details.Queue != "general" || details.Action != "Callback" || details.Reason != "sale day" || details.Until != until.Format(time.RFC3339) {
		t.Errorf("the audit has %+v %s", held, held.Details)
	}
	audited(t, d, "queue.stepReleased", 2)
}

// audited awaits so many records of an action.
func audited(t testing.TB, d *desk, action string, n int) []record.Record {
	t.Helper()
	var reply archive.AuditReply
	eventually.True(t, "the audit has "+action, func() bool {
		reply = archive.AuditReply{}
		status, _ := d.get(t, "/console/v1/audit?action="+action, adminToken, &reply)
		return status == 200 && len(reply.Records) == n
	})
	return reply.Records
}

// Refusals name what was sent and what to do, and change nothing.
func TestRefusedSteps(t *testing.T) {
	d := startWithLadder(t)
	soon, late := time.Now().Add(time.Hour).Format(time.RFC3339), time.Now().Add(25*time.Hour).Format(time.RFC3339)
	good := fmt.Sprintf(`{"until":%q,"reason":"sale"}`, soon)
	for _, tc := range []struct {
		name, path, token, body string
		status                  int
		field, remedy           string
	}{
		{"an agent", "general/steps/1", chenToken, good, http.StatusForbidden, "role", "ask somebody with that role"},
		{"a queue", "vip/steps/1", bossToken, good, http.StatusBadRequest, "queue", "use one of general, refunds"},
		{"the bots' queue", "bot/steps/1", bossToken, good, http.StatusBadRequest, "queue", "use one of general, refunds"},
		{"a step", "general/steps/3", bossToken, good, http.StatusBadRequest, "step", "use 1 for Pool backup, 2 for Callback"},
		{"no number", "general/steps/bot", bossToken, good, http.StatusBadRequest, "step", "from 1"},
		{"a queue without steps", "refunds/steps/1", bossToken, good, http.StatusBadRequest, "step", "declare overflow"},
		{"too long", "general/steps/1", bossToken, fmt.Sprintf(`{"until":%q,"reason":"sale"}`, late), http.StatusBadRequest, "until", "in the next 24 hours"},
		{"no end", "general/steps/1", bossToken, `{"reason":"sale"}`, http.StatusBadRequest, "until", "in the next 24 hours"},
		{"no reason", "general/steps/1", bossToken, fmt.Sprintf(`{"until":%q,"reason":" "}`, soon), http.StatusBadRequest, "reason", "say why"},
		{"a long reason", "general/steps/1", bossToken, fmt.Sprintf(`{"until":%q,"reason":%q}`, soon, strings.Repeat("x", 601)), http.StatusBadRequest, "reason", "at most 600"},
	} {
		status, p := d.send(t, http.MethodPut, "/console/v1/queues/"+tc.path, tc.token, tc.body, nil)
		if status != tc.status || p.Field != tc.field || !strings.Contains(p.Remedy, tc.remedy) {
			t.Errorf("%s gives %d %+v", tc.name, status, p)
		}
	}
	if status, p := d.send(t, http.MethodDelete, "/console/v1/queues/general/steps/1", chenToken, "", nil); status != http.StatusForbidden || p.Code() != problem.CodeForbidden {
		t.Errorf("an agent who releases gets %d %v", status, p)
	}
	var reply queuesReply
	if status, p := d.get(t, "/console/v1/queues", bossToken, &reply); status != 200 {
		t.Fatal(p)
	}
	for _, q := range reply.Queues {
		for _, s := range q.Steps {
			if s.Held != nil {
				t.Errorf("%s holds %+v", q.Name, s)
			}
		}
	}
}

// TestPageHoldsAStep plays a supervisor in a real browser.
func TestPageHoldsAStep(t *testing.T) {
	b := webtest.OpenBrowser(t, 1200, 760, "en")
	d := startWithLadder(t)
	d.signedIn(t, chenToken, agentwire.Available, nil)
	d.nothingApplies(t)
	var reply queuesReply
	b.Go(d.http.URL + "/console/")
	b.Type("#token", bossToken)
	b.Click("#signin-go")
	b.Sees("Open conversations")
	b.Click("#opened")
	b.Sees("general: 1 add pool backup", "from a predicted wait of 60 min", "general: 2 callback")
	b.Click("#steps li:nth-child(2) button")
	b.Sees("Why? It stands in the audit log.")
	b.Type("#holding-reason", "sale day")
	b.Shot("console-hold")
	b.Click("#holding [value=ok]")
	b.Sees("held by boss until", "sale day", "general 0 waiting · held 2")
	b.Shot("console-held")
	if status, _ := d.get(t, "/console/v1/queues", bossToken, &reply); status != 200 || stepOf(reply.Queues, "general", 2).Held == nil {
		t.Errorf("the router has %+v", reply)
	}
	b.Click("#steps li:nth-child(2) .strong")
	b.Sees("from a predicted wait of 120 min")
	reply = queuesReply{}
	if status, _ := d.get(t, "/console/v1/queues", bossToken, &reply); status != 200 || stepOf(reply.Queues, "general", 2).Held != nil {
		t.Errorf("the router has %+v", reply)
	}
}
