package archive

import (
	"encoding/json"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/deskfleet/deskfleet/internal/archive/audit"
	"github.com/deskfleet/deskfleet/internal/archive/protocol"
	"github.com/deskfleet/deskfleet/internal/conversation"
)

// TestOccupancyIsWhatEachSecondSays: the sums are those of looking at each second by itself.
func TestOccupancyIsWhatEachSecondSays(t *testing.T) {
	at := func(second int) time.Time { return start.Add(time.Duration(second) * time.Second) }
	rapid.Check(t, func(r *rapid.T) {
		within := period{at(20), at(20 + rapid.IntRange(1, 60).Draw(r, "length"))}
		var shifts []shift
		for second := 0; len(shifts) < 8; {
			second += rapid.IntRange(0, 20).Draw(r, "pause")
			p := rapid.SampledFrom([]conversation.Presence{"", conversation.PresenceOnline, conversation.PresenceAway}).Draw(r, "presence")
			shifts = append(shifts, shift{at(second), p})
		}
		var busy []period
		for range rapid.IntRange(0, 5).Draw(r, "stays") {
			from := rapid.IntRange(0, 90).Draw(r, "from")
			busy = append(busy, period{at(from), at(from + rapid.IntRange(0, 30).Draw(r, "handle"))})
		}
		var want staffed
		for now := within.from; now.Before(within.to); now = now.Add(time.Second) {
			presence, works := conversation.Presence(""), false
			for _, s := range shifts {
				if !s.at.After(now) {
					presence = s.presence
				}
			}
			for _, b := range busy {
				works = works || !b.from.After(now) && b.to.After(now)
			}
			works = works && presence != ""
			for what, holds := range map[*time.Duration]bool{
				&want.online: presence == conversation.PresenceOnline, &want.away: presence == conversation.PresenceAway,
				&want.busy: works, &want.available: works || presence == conversation.PresenceOnline,
			} {
				if holds {
					*what += time.Second
				}
			}
		}
		if got := occupancy(shifts, busy, within); got != want {
			r.Fatalf("occupancy is %+v, want %+v", got, want)
		}
	})
}

// reportsPresence is what the router reports of a person.
func (s *script) reportsPresence(action, agent, presence string) {
	s.t.Helper()
	e := audit.NewEvent(conversation.NewID(s.now), s.now, "router", action, conversation.Actor{Kind: conversation.KindAgent, ID: agent})
	if presence != "" {
		e.Details = json.RawMessage(`{"presence":"` + presence + `"}`)
	}
	data, err := audit.Encode(e)
	if err != nil {
		s.t.Fatal(err)
	}
	s.add(s.subjects.Audit(), data)
}

// TestSupervisorsFigures: satisfaction, complaints and occupancy, by hand; and what people call a conversation is found.
func TestSupervisorsFigures(t *testing.T) {
	onEach(t, func(t *testing.T, d database) {
		db, s := d.store(), newScript(t)
		s.at(-600).reportsPresence(actionSignedOn, "ann", "online") // before the report
		s.at(200).reportsPresence(actionPresence, "ann", "away")
		s.at(300).reportsPresence(actionSignedOff, "ann", "")
		first := s.opens("c-1", "general", 10)
		first.accepted(20, ann)
		s.at(30).event(first.id, &conversation.Tagged{By: ann.Actor(), Tags: []string{"complaint", "退款"}})
		first.closed(120, ann)
		s.at(121).rates(first.id, "c-1", 2, "slow")
		s.at(122).rates(first.id, "c-1", 4, "better =1+1")
		second := s.opens("c-2", "general", 100)
		second.accepted(110, ann)
		second.closed(250, ann) // she went away in it
		s.at(251).rates(second.id, "c-2", 1, "")
		third := s.opens("c-3", "general", 130)
		third.accepted(131, ann)
		s.at(140).event(third.id, &conversation.Closed{By: ann.Actor(), Reason: conversation.CloseResolved, Disposition: "spam"})
		// A duplicate that was merged is handled, and nothing is resolved in it.
		twin := s.opens("c-4", "general", 150)
		twin.accepted(151, ann)
		s.at(152).event(twin.id, &conversation.Closed{By: ann.Actor(), Reason: conversation.CloseMerged, MergedInto: first.id})
		s.at(4000)
		p := s.store(db)
		db.tell(t)
		request := hour
		request.By = protocol.ByAgent
		row := reportOf(t, db, request, nil, start.Add(8*24*time.Hour))["ann"]
		if row.Conversations != 4 || row.Closed != 3 || row.ResolvedFirst != 3 {
			t.Errorf("with a merged one it has %+v", row)
		}
		want := protocol.ReportRow{
			Ratings: 2, ScoreMean: new(2.5), CSAT: new(0.5), Complaints: 1, ComplaintShare: new(0.25),
			OnlineSeconds: 200, AwaySeconds: 100, BusySeconds: 230, Occupancy: new(230.0 / 250),
		}
		got := protocol.ReportRow{
			Ratings: row.Ratings, ScoreMean: row.ScoreMean, CSAT: row.CSAT, Complaints: row.Complaints, ComplaintShare: row.ComplaintShare,
			OnlineSeconds: row.OnlineSeconds, AwaySeconds: row.AwaySeconds, BusySeconds: row.BusySeconds, Occupancy: row.Occupancy,
		}
		if diff := gocmp.Diff(want, got, cmpopts.EquateApprox(0, 1e-9)); diff != "" {
			t.Errorf("figures (-want +got):\n%s", diff)
		}
		request.Tag = "退款"
		if row := reportOf(t, db, request, nil, start.Add(8*24*time.Hour))["ann"]; row.Stays != 1 || row.Handle != spansOf(1, 100, 100, 100) || row.Ratings != 1 {
			t.Errorf("with one tag it has %+v", row)
		}
		request.Tag, request.Disposition = "", "spam"
		if row := reportOf(t, db, request, nil, start.Add(8*24*time.Hour))["ann"]; row.Stays != 1 || row.Ratings != 0 {
			t.Errorf("with one disposition it has %+v", row)
		}
		for name, r := range map[string]protocol.SearchRequest{
			"tag": {Tag: "退款"}, "tag and words": {Tag: "complaint", Text: "hello"}, "disposition": {Disposition: "spam"}, "other tag": {Tag: "refund"},
		} {
			reply, err := db.Search(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			n := map[string]int{"other tag": 0}
			want, none := n[name]
			if !none {
				want = 1
			}
			if len(reply.Hits) != want {
				t.Errorf("%s finds %d", name, len(reply.Hits))
			}
		}
		found := db.mustFind(t, first.id)
		if gocmp.Diff([]string{"complaint", "退款"}, found.Tags) != "" || found.Rating == nil || *found.Rating != (conversation.Rating{Score: 4, Comment: "better =1+1"}) {
			t.Errorf("it is stored with %v and %+v", found.Tags, found.Rating)
		}
		// A rating after the purge: the conversation is purged again, and retention takes the tags along.
		db.purgeAll(t, p)
		s.at(5000).rates(first.id, "c-1", 5, "")
		p = s.store(db)
		if got := db.mustFind(t, first.id); got.Rating.Score != 5 || got.Status != conversation.StatusClosed {
			t.Errorf("rated late it is %+v", got)
		}
		db.purgeAll(t, p)
		if _, err := db.DeleteEnded(t.Context(), start.Add(24*time.Hour), start.Add(48*time.Hour), 10); err != nil {
			t.Fatal(err)
		}
		left := 0
		if err := db.read.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM conversation_tags").Scan(&left); err != nil || left != 0 {
			t.Errorf("%d tags are left: %v", left, err)
		}
	})
}
