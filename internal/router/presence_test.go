package router

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskfleet/deskfleet/internal/archive/audit"
	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
)

// presences lists what the audit tells of people, each event once.
func (d *desk) presences() []string {
	d.t.Helper()
	var out []string
	seen := map[conversation.ID]bool{}
	for m, err := range d.intake.Log.Read(d.ctx, d.intake.Subjects.Audit(), 0) {
		if err != nil {
			d.t.Fatal(err)
		}
		e, err := audit.Decode(m.Data)
		if err != nil {
			d.t.Fatal(err)
		}
		if !seen[e.ID] {
			seen[e.ID] = true
			out = append(out, fmt.Sprintf("%s %s %s %s", e.Role, e.Who.ID, e.Action, e.Details))
		}
	}
	return out
}

// When people are there is told to the audit exactly, also by a successor of the router that decided; bots are not.
func TestPresenceIsAudited(t *testing.T) {
	d := newDesk(t)
	first := d.startRouter("router-0", nil)
	bot, ann := d.client(bus.PartyBot, "bot-0"), d.client(bus.PartyAgent, "ann")
	bot.signOn()
	ann.signOn()
	ann.must(protocol.Request{Type: protocol.Presence, Presence: conversation.PresenceAway})
	d.startRouter("router-1", nil)
	first.stop()
	ann.must(protocol.Request{Type: protocol.Presence, Presence: conversation.PresenceOnline})
	ann.must(protocol.Request{Type: protocol.SignOff})
	want := []string{
		`router ann agent.presence {"presence":"away"}`, `router ann agent.presence {"presence":"online"}`,
		`router ann agent.signedOff {"why":["ann signed off"]}`, `router ann agent.signedOn {"presence":"online"}`,
	}
	got := d.presences()
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// What a router decided and could not tell is owed until it stands in the audit.
func TestPresenceIsOwed(t *testing.T) {
	subjects, err := bus.NewSubjects("shop", "web")
	if err != nil {
		t.Fatal(err)
	}
	r := &replica{names: subjects, people: map[string]struct{}{}}
	decided := func(body conversation.Body) conversation.Event {
		return conversation.NewEvent(conversation.NewID(time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)), "", time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC), body)
	}
	ann := conversation.Agent{Kind: conversation.KindAgent, ID: "ann"}
	on, off := decided(&conversation.SignedOn{Agent: ann, Presence: conversation.PresenceOnline}), decided(&conversation.SignedOff{Agent: "ann", Lost: true})
	r.owe(on)
	r.owe(decided(&conversation.SignedOn{Agent: conversation.Agent{Kind: conversation.KindBot, ID: "bot-0"}, Presence: conversation.PresenceOnline}))
	r.owe(decided(&conversation.PresenceSet{Agent: "bot-0", Presence: conversation.PresenceAway}))
	r.owe(off)
	r.owe(decided(&conversation.PresenceSet{Agent: "ann", Presence: conversation.PresenceAway})) // of nobody
	if len(r.owed) != 2 {
		t.Fatalf("%d copies are owed", len(r.owed))
	}
	e := audit.NewEvent(on.ID, on.At, auditRole, "agent.signedOn", ann.Actor())
	data, err := audit.Encode(e)
	if err != nil {
		t.Fatal(err)
	}
	r.fold(bus.Stored{Seq: 7, Subject: subjects.Audit(), Data: data})
	if len(r.owed) != 1 || r.owed[0].ID != off.ID {
		t.Errorf("owed are %v", r.owed)
	}
}

// The router is killed before and after each word to the audit: what was decided is told all the same.
func TestPresenceIsToldAfterADeath(t *testing.T) {
	appends := newFailingLog(-1, false)
	present := func(t *testing.T, fault *failingLog, killed bool) {
		d := newDesk(t)
		victim := d.startRouter("router-0", func(o *Options) { o.WrapLog = fault.wrap })
		if killed {
			go func() {
				select {
				case <-fault.reached:
					victim.stop()
				case <-d.ctx.Done():
				}
			}()
			d.leads(victim, fault)
			d.startRouter("router-1", nil)
		}
		ann := d.client(bus.PartyAgent, "ann")
		ann.signOn()
		ann.must(protocol.Request{Type: protocol.Presence, Presence: conversation.PresenceAway})
		for _, want := range []string{`router ann agent.signedOn {"presence":"online"}`, `router ann agent.presence {"presence":"away"}`} {
			d.until(want, func() bool { return slices.Contains(d.presences(), want) })
		}
	}
	t.Run("undisturbed", func(t *testing.T) { present(t, appends, false) })
	for k, subject := range appends.subjects {
		if !strings.HasPrefix(subject, "au.") {
			continue
		}
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprint("append ", k+1, " stored ", after), func(t *testing.T) { present(t, newFailingLog(k+1, after), true) })
		}
	}
}
