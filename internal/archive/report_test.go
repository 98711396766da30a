package archive

import (
	"errors"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/deskfleet/deskfleet/internal/archive/protocol"
	"github.com/deskfleet/deskfleet/internal/conversation"
)

var ann = conversation.Agent{Kind: conversation.KindAgent, ID: "ann", Name: "Ann", Pool: "people"}

// tale tells what happens to one conversation, at seconds after the start.
type tale struct {
	s  *script
	id conversation.ID
}

// at sets the clock of the desk.
func (s *script) at(seconds int) *script {
	s.now = start.Add(time.Duration(seconds) * time.Second)
	return s
}

func (s *script) opens(contact, queue string, seconds int) tale {
	s.t.Helper()
	s.at(seconds)
	id := conversation.NewID(s.now)
	seq := s.says(id, customer(contact), "hello")
	s.at(seconds)
	s.event(id, &conversation.Opened{Channel: "web", Contact: contact, Queue: queue, Arrival: conversation.Arrival{At: s.now, Seq: seq}})
	return tale{s, id}
}

func (c tale) queued(seconds int, queue string, cause conversation.Cause) {
	c.s.t.Helper()
	c.s.at(seconds)
	c.s.event(c.id, &conversation.Queued{Queue: queue, Cause: cause, Arrival: conversation.Arrival{At: c.s.now, Seq: c.s.seq}, HandOff: &conversation.HandOff{
		TranscriptSeq: 1, Language: "en", Verification: conversation.VerificationNone,
		Reason: conversation.Reason{Code: conversation.ReasonTransfer, Words: "why"},
	}})
}

func (c tale) assigned(seconds int, bot conversation.Agent) {
	c.s.at(seconds).event(c.id, &conversation.Assigned{Agent: bot})
}

func (c tale) accepted(seconds int, agent conversation.Agent) {
	c.s.at(seconds).event(c.id, &conversation.Offered{Agent: agent, Deadline: c.s.now.Add(time.Minute)})
	c.s.at(seconds).event(c.id, &conversation.Accepted{Agent: agent})
}

func (c tale) said(seconds int, agent conversation.Agent) {
	c.s.at(seconds).says(c.id, agent.Actor(), "well")
}

func (c tale) closed(seconds int, agent conversation.Agent) {
	c.s.at(seconds).event(c.id, &conversation.Closed{By: agent.Actor(), Reason: conversation.CloseResolved})
}

// rates stores a customer's rating, as the gateway does.
func (s *script) rates(conv conversation.ID, contact string, score int, comment string) {
	s.t.Helper()
	s.add(s.subjects.Messages(string(conv)), encode(s.t, conv, s.now, &conversation.Rated{
		By: customer(contact), Rating: conversation.Rating{Score: score, Comment: comment},
	}))
}

// tell all stays that are due.
func (d *DB) tell(t testing.TB) {
	t.Helper()
	for {
		n, err := d.TellStays(t.Context(), 7)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
}

func reportOf(t testing.TB, d *DB, r protocol.ReportRequest, levels Levels, now time.Time) map[string]protocol.ReportRow {
	t.Helper()
	rows := map[string]protocol.ReportRow{}
	r.Limit = 2 // pages are part of it
	for {
		reply, err := d.Report(t.Context(), r, levels, now)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range reply.Rows {
			if _, twice := rows[row.ID]; twice {
				t.Fatalf("row %s comes twice", row.ID)
			}
			rows[row.ID] = row
		}
		if reply.Next == "" {
			return rows
		}
		r.After = reply.Next
	}
}

func spansOf(seconds ...float64) protocol.Spans {
	return protocol.Spans{Count: int64(seconds[0]), MeanSeconds: seconds[1], P50Seconds: seconds[2], P90Seconds: seconds[3]}
}

var hour = protocol.ReportRequest{From: start, To: start.Add(time.Hour)}

// The data set of this test was added up by hand.
func TestReportOfKnownConversations(t *testing.T) {
	onEach(t, func(t *testing.T, d database) {
		s, db := newScript(t), d.store()
		// 1: the bot answers at once and ends it: deflected.
		c := s.opens("c-1", "bot", 0)
		c.assigned(0, robot)
		c.said(2, robot)
		c.closed(60, robot)
		// 2: the bot hands off after 30 s; Mei accepts after 10 s, says something 5 s later, has it for 100 s.
		c = s.opens("c-2", "bot", 100)
		c.assigned(101, robot)
		c.said(103, robot)
		c.queued(131, "refunds", conversation.CauseHandOff)
		c.accepted(141, mei)
		c.s.at(142).event(c.id, &conversation.Message{From: mei.Actor(), Text: "a note is no answer", ClientID: "note", Note: true})
		c.said(146, mei)
		c.closed(241, mei)
		// The contact is back after two days: not resolved at first contact. Mei again, after 40 s, for 60 s.
		c = s.opens("c-2", "refunds", 2*24*3600)
		c.accepted(2*24*3600+40, mei)
		c.said(2*24*3600+50, mei)
		c.closed(2*24*3600+100, mei)
		// 3: waits 60 s in refunds, is moved to general by the ladder, Ann takes it 30 s later, hands it to Mei after 200 s
		// without a word; Mei takes it after 20 s, answers 10 s later, ends it after 300 s. It is opened again.
		c = s.opens("c-3", "refunds", 300)
		c.queued(360, "general", conversation.CauseOverflow)
		c.accepted(390, ann)
		c.queued(590, "refunds", conversation.CauseHandOff)
		c.accepted(610, mei)
		c.said(620, mei)
		c.closed(910, mei)
		c.s.at(920).event(c.id, &conversation.Reopened{Cause: conversation.CauseReopened, Seq: c.s.seq})
		c.queued(921, "refunds", conversation.CauseReopened)
		c.accepted(926, mei)
		c.closed(976, mei)
		// 4: leaves after 45 s.
		c = s.opens("c-4", "general", 1000)
		c.s.at(1045).event(c.id, &conversation.Abandoned{WaitedMillis: 45000})
		// 5: Ann is lost after 10 s, Mei goes on 5 s later, and ends it after 20 s.
		c = s.opens("c-5", "general", 1100)
		c.accepted(1115, ann)
		c.said(1120, ann)
		c.queued(1125, "general", conversation.CauseAgentLost)
		c.accepted(1130, mei)
		c.closed(1150, mei)
		// 6: has not ended: it is told of when it has.
		s.opens("c-6", "general", 1200).accepted(1201, ann)
		s.at(4 * 24 * 3600)
		s.store(db)
		db.tell(t)

		now := start.Add(8 * 24 * time.Hour)
		// Nobody complains here: the test below has them.
		exactly := gocmp.Options{cmpopts.EquateApprox(0, 1e-9), cmpopts.IgnoreFields(protocol.ReportRow{}, "ComplaintShare")}
		byQueue, byAgent := hour, hour
		byQueue.By, byAgent.By = protocol.ByQueue, protocol.ByAgent
		queues := map[string]protocol.ReportRow{
			"bot": {
				ID: "bot", Stays: 2, Answered: 2, Conversations: 2, AnsweredWithin: 2, WithinSeconds: 20, Transfers: 1, Closed: 1, ResolvedFirst: 1, Deflected: 1,
				AbandonmentShare: new(0.0), ServiceLevel: new(1.0), FirstContactResolution: new(1.0), DeflectionShare: new(0.5),
				Wait: spansOf(2, 0.5, 0, 1), FirstResponse: spansOf(2, 2.5, 2, 3), Handle: spansOf(2, 45, 30, 60),
			},
			// Waits 10, 20 and 5 s, one moved; Mei's second part of conversation 3 was opened again.
			"refunds": {
				ID: "refunds", Stays: 4, Answered: 3, Moved: 1, Conversations: 2, AnsweredWithin: 2, WithinSeconds: 15, Closed: 3, Reopened: 1, ResolvedFirst: 1,
				AbandonmentShare: new(0.0), ServiceLevel: new(2.0 / 3), FirstContactResolution: new(1.0 / 3),
				Wait: spansOf(3, 35.0/3, 10, 20), FirstResponse: spansOf(2, 22.5, 15, 30), Handle: spansOf(3, 150, 100, 300),
			},
			// Waits 90 (60 of them in refunds), 15 and 5 s, one left.
			"general": {
				ID: "general", Stays: 4, Answered: 3, Abandoned: 1, Conversations: 2, AnsweredWithin: 2, WithinSeconds: 20, Transfers: 1, Lost: 1, Closed: 1, ResolvedFirst: 1,
				AbandonmentShare: new(0.25), ServiceLevel: new(0.5), FirstContactResolution: new(1.0),
				Wait: spansOf(3, 110.0/3, 15, 90), FirstResponse: spansOf(1, 20, 20, 20), Handle: spansOf(3, 230.0/3, 20, 200),
			},
		}
		if diff := gocmp.Diff(queues, reportOf(t, db, byQueue, Levels{"refunds": 15}, now), exactly); diff != "" {
			t.Errorf("queues (-want +got):\n%s", diff)
		}
		agents := map[string]protocol.ReportRow{
			"bots": {
				ID: "bots", Kind: conversation.KindBot, Pool: "bots", Stays: 2, Answered: 2, Conversations: 2, AnsweredWithin: 2, WithinSeconds: 30,
				Transfers: 1, Closed: 1, ResolvedFirst: 1, Deflected: 1,
				AbandonmentShare: new(0.0), ServiceLevel: new(1.0), FirstContactResolution: new(1.0), DeflectionShare: new(0.5),
				Wait: spansOf(2, 0.5, 0, 1), FirstResponse: spansOf(2, 2.5, 2, 3), Handle: spansOf(2, 45, 30, 60),
			},
			"mei": {
				ID: "mei", Kind: conversation.KindAgent, Name: "梅", Pool: "people", Stays: 4, Answered: 4, Conversations: 3, AnsweredWithin: 4, WithinSeconds: 30,
				Closed: 4, Reopened: 1, ResolvedFirst: 2, AbandonmentShare: new(0.0), ServiceLevel: new(1.0), FirstContactResolution: new(0.5),
				Wait: spansOf(4, 10, 5, 20), FirstResponse: spansOf(2, 22.5, 15, 30), Handle: spansOf(4, 117.5, 50, 300),
			},
			"ann": {
				ID: "ann", Kind: conversation.KindAgent, Name: "Ann", Pool: "people", Stays: 2, Answered: 2, Conversations: 2, AnsweredWithin: 1, WithinSeconds: 30,
				Transfers: 1, Lost: 1, AbandonmentShare: new(0.0), ServiceLevel: new(0.5),
				Wait: spansOf(2, 52.5, 15, 90), FirstResponse: spansOf(1, 20, 20, 20), Handle: spansOf(2, 105, 10, 200),
			},
		}
		byAgent.WithinSeconds = 30
		if diff := gocmp.Diff(agents, reportOf(t, db, byAgent, nil, now), exactly); diff != "" {
			t.Errorf("agents (-want +got):\n%s", diff)
		}
		// A week has not passed since: resolved so far.
		early := reportOf(t, db, byAgent, nil, start.Add(24*time.Hour))
		if got := early["mei"]; got.Provisional != 2 || got.ResolvedFirst != 2 {
			t.Errorf("a day later %d of %d are provisional", got.Provisional, got.ResolvedFirst)
		}
		// What is deleted is in no report.
		db.purgeAll(t, must(db.Position(t.Context())))
		if _, err := db.DeleteEnded(t.Context(), start.Add(90*24*time.Hour), now, 100); err != nil {
			t.Fatal(err)
		}
		if rows := reportOf(t, db, byQueue, nil, now); len(rows) > 0 {
			t.Errorf("after the retention: %v", rows)
		}
	})
}

func TestReportsAreBounded(t *testing.T) {
	db := newSQLite(t).store()
	for want, change := range map[string]func(*protocol.ReportRequest){
		"by":            func(r *protocol.ReportRequest) { r.By = "contacts" },
		"from":          func(r *protocol.ReportRequest) { r.From = time.Time{} },
		"to \"":         func(r *protocol.ReportRequest) { r.To = r.From },
		"92 days":       func(r *protocol.ReportRequest) { r.To = r.From.Add(protocol.MaxReportRange + 1) },
		"withinSeconds": func(r *protocol.ReportRequest) { r.WithinSeconds = -1 },
		"limit":         func(r *protocol.ReportRequest) { r.Limit = protocol.MaxReportRows + 1 },
		"after":         func(r *protocol.ReportRequest) { r.After = "\x00" },
	} {
		r := hour
		r.By = protocol.ByQueue
		change(&r)
		if _, err := db.Report(t.Context(), r, nil, start); !errors.Is(err, ErrBadRequest) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// Whatever happens to conversations, the report is what a slow and simple recomputation finds in their events.
func TestReportIsWhatTheEventsSay(t *testing.T) {
	onEach(t, func(t *testing.T, d database) {
		db := d.store()
		rapid.Check(t, func(r *rapid.T) {
			db.empty(t)
			s := newScript(t)
			drawn := map[conversation.ID][]told{}
			for range rapid.IntRange(1, 12).Draw(r, "conversations") {
				drawTale(r, s, drawn)
			}
			s.store(db)
			db.tell(t)
			now := start.Add(time.Duration(rapid.IntRange(0, 20*24).Draw(r, "hours")) * time.Hour)
			request := protocol.ReportRequest{From: start.Add(time.Hour), To: start.Add(10 * 24 * time.Hour), WithinSeconds: 25}
			for _, by := range []protocol.ReportBy{protocol.ByAgent, protocol.ByQueue} {
				request.By = by
				want, got := naive(drawn, &request, now), reportOf(t, db, request, nil, now)
				if diff := gocmp.Diff(want, got, cmpopts.EquateApprox(0, 1e-9)); diff != "" {
					r.Fatalf("%s (-events +report):\n%s", by, diff)
				}
			}
		})
	})
}

// empty is the archive before the first event.
func (d *DB) empty(t *testing.T) {
	t.Helper()
	for _, table := range append([]string{"conversations"}, conversationTables...) {
		if _, err := d.write.ExecContext(t.Context(), "DELETE FROM "+table); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.write.ExecContext(t.Context(), "UPDATE desk SET seq = 0"); err != nil {
		t.Fatal(err)
	}
}

// told is one thing that happened, as the naive recomputation knows it.
type told struct {
	at      time.Time
	what    string // opened, queued, answered, said, closed, abandoned, reopened
	queue   string
	cause   conversation.Cause
	agent   conversation.Agent
	contact string
	// Of the first one: what became of the conversation besides.
	score     int
	complaint bool
}

// drawTale lets a conversation take any course that the state machine allows, until it ends.
func drawTale(r *rapid.T, s *script, drawn map[conversation.ID][]told) {
	contact := rapid.SampledFrom([]string{"c-1", "c-2", "c-3"}).Draw(r, "contact")
	seconds := rapid.IntRange(0, 12*24*3600).Draw(r, "begins")
	people := []string{"general", "refunds"}
	queue := rapid.SampledFrom([]string{"bot", "general", "refunds"}).Draw(r, "queue")
	c := s.opens(contact, queue, seconds)
	note := func(n told) {
		n.at, n.contact = start.Add(time.Duration(seconds)*time.Second), contact
		drawn[c.id] = append(drawn[c.id], n)
	}
	note(told{what: "opened", queue: queue})
	if rapid.Bool().Draw(r, "complaint") {
		c.s.at(seconds).event(c.id, &conversation.Tagged{By: ann.Actor(), Tags: []string{"complaint", "lamp"}})
		drawn[c.id][0].complaint = true
	}
	defer func() {
		for range rapid.IntRange(0, 2).Draw(r, "ratings") { // the last one counts
			score := rapid.IntRange(1, 5).Draw(r, "score")
			c.s.at(seconds).rates(c.id, contact, score, "")
			drawn[c.id][0].score = score
		}
	}()
	var owner conversation.Agent
	status := "waiting"
	for range 12 {
		seconds += rapid.IntRange(0, 60).Draw(r, "pause")
		steps := map[string][]string{
			"waiting": {"answer", "move", "leave"}, "served": {"say", "say", "close", "handOff", "lose"}, "ended": {"reopen", "stop", "stop"},
		}[status]
		switch rapid.SampledFrom(steps).Draw(r, "step") {
		case "answer":
			if queue == "bot" {
				owner = robot
				c.assigned(seconds, owner)
			} else {
				owner = rapid.SampledFrom([]conversation.Agent{mei, ann}).Draw(r, "agent")
				c.accepted(seconds, owner)
			}
			note(told{what: "answered", agent: owner})
			status = "served"
		case "move":
			queue = rapid.SampledFrom(people).Draw(r, "to")
			c.queued(seconds, queue, conversation.CauseOverflow)
			note(told{what: "queued", queue: queue, cause: conversation.CauseOverflow})
		case "leave":
			c.s.at(seconds).event(c.id, &conversation.Abandoned{WaitedMillis: 1})
			note(told{what: "abandoned"})
			status = "ended"
		case "say":
			c.said(seconds, owner)
			note(told{what: "said", agent: owner})
		case "close":
			c.closed(seconds, owner)
			note(told{what: "closed"})
			status = "ended"
		case "handOff", "lose":
			cause := rapid.SampledFrom([]conversation.Cause{conversation.CauseHandOff, conversation.CauseAgentLost}).Draw(r, "cause")
			queue = rapid.SampledFrom(people).Draw(r, "to")
			c.queued(seconds, queue, cause)
			note(told{what: "queued", queue: queue, cause: cause})
			status = "waiting"
		case "reopen":
			c.s.at(seconds).event(c.id, &conversation.Reopened{Cause: conversation.CauseReopened, Seq: c.s.seq})
			note(told{what: "reopened"})
			queue = rapid.SampledFrom(people).Draw(r, "to")
			c.queued(seconds, queue, conversation.CauseReopened)
			note(told{what: "queued", queue: queue, cause: conversation.CauseReopened})
			status = "waiting"
		case "stop":
			return
		}
	}
	switch status { // what has not ended may not be told of yet: end it
	case "waiting":
		c.s.at(seconds).event(c.id, &conversation.Abandoned{WaitedMillis: 1})
		note(told{what: "abandoned"})
	case "served":
		c.closed(seconds, owner)
		note(told{what: "closed"})
	}
}
