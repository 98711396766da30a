package archive

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskfleet/deskfleet/internal/archive/protocol"
	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
)

func TestStoresAConversation(t *testing.T) {
	onEach(t, func(t *testing.T, d database) {
		st, s := d.store(), newScript(t)
		id, want := s.served("c-17", "I want my money back")
		p := s.store(st)
		if p.Seq != s.seq || p.Generation != 1 {
			t.Fatalf("position %+v after %d entries", p, s.seq)
		}
		if got := texts(t, st, id); !cmp.Equal(got, want) {
			t.Fatal(cmp.Diff(want, got))
		}
		reply, err := st.Transcript(t.Context(), protocol.TranscriptRequest{Conversation: id, Ownership: true})
		if err != nil {
			t.Fatal(err)
		}
		wantConv := &protocol.Conversation{
			ID: id, Status: conversation.StatusClosed, Channel: "web", Contact: "c-17", ContactName: "Li Wei", Language: "en",
			Queue: "refunds", Agent: &mei, Disposition: "refunded", OpenedAt: start.Add(time.Second), EndedAt: start.Add(11 * time.Second),
			Messages: len(want), LastSeq: s.seq,
		}
		if diff := cmp.Diff(wantConv, reply.Conversation); diff != "" {
			t.Error(diff)
		}
		var seqs []uint64
		for _, item := range reply.Items {
			seqs = append(seqs, item.Seq)
		}
		if len(seqs) != int(s.seq) || !slices.IsSorted(seqs) {
			t.Errorf("with ownership there are %d items of %d: %v", len(seqs), s.seq, seqs)
		}
	})
}

func TestCustomersSeeNoNotes(t *testing.T) {
	onEach(t, func(t *testing.T, d database) {
		st, s := d.store(), newScript(t)
		id, want := s.served("c-17", "hello")
		s.store(st)
		reply, err := st.Transcript(t.Context(), protocol.TranscriptRequest{Conversation: id, Ownership: true, ForCustomer: true})
		if err != nil {
			t.Fatal(err)
		}
		if len(reply.Items) != len(want)-1 {
			t.Fatalf("the customer sees %d items, want %d", len(reply.Items), len(want)-1)
		}
		for _, item := range reply.Items {
			if strings.Contains(string(item.Event), "check the order") {
				t.Errorf("the customer sees a note: %s", item.Event)
			}
		}
	})
}

// What was stored once is never stored twice: not after a repeated batch, not by a second archive, not when a
// client sends its message again after the bus has forgotten it.
func TestExactlyOnce(t *testing.T) {
	onEach(t, func(t *testing.T, d database) {
		st, s := d.store(), newScript(t)
		id, want := s.served("c-17", "where is my order")
		s.audit("agent.signedOn")
		batch := s.entries
		p, err := st.Position(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s.store(st)
		if _, _, err := st.Write(t.Context(), p, s.seq, batch); !errors.Is(err, ErrMoved) {
			t.Fatalf("a second write from the same position: %v", err)
		}
		again := batch[0]
		again.Seq, again.Time = s.seq+1, s.now
		s.seq++
		audit := batch[len(batch)-1]
		audit.Seq = s.seq + 1
		s.seq++
		owned := batch[1]
		owned.Seq = s.seq + 1
		s.seq++
		s.entries = []bus.Stored{again, audit, owned}
		s.store(st)
		if got := texts(t, st, id); !cmp.Equal(got, want) {
			t.Error(cmp.Diff(want, got))
		}
		totals, err := st.Totals(t.Context(), 1<<40)
		if err != nil {
			t.Fatal(err)
		}
		if totals.Messages != int64(len(want)) || totals.Conversations != 1 || totals.Audit.Number != 1 {
			t.Errorf("totals %+v", totals)
		}
	})
}

// A batch is stored as a whole or not at all.
func TestWriteIsAtomic(t *testing.T) {
	onEach(t, func(t *testing.T, d database) {
		st, s := d.store(), newScript(t)
		id, _ := s.served("c-17", "where is my order")
		p, err := st.Position(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		// The last statement of the transaction is refused.
		breaker := map[string]string{
			"sqlite":     `CREATE TRIGGER boom BEFORE UPDATE OF conversations ON desk BEGIN SELECT RAISE(ABORT, 'boom'); END`,
			"postgresql": `ALTER TABLE desk ADD CONSTRAINT boom CHECK (conversations = 0)`,
		}[st.engine.name]
		if _, err := st.write.ExecContext(t.Context(), breaker); err != nil {
			t.Fatal(err)
		}
		if _, _, err := st.Write(t.Context(), p, s.seq, s.entries); err == nil {
			t.Fatal("the write succeeds")
		}
		if now, err := st.Position(t.Context()); err != nil || now != p {
			t.Errorf("the position moved to %+v, %v", now, err)
		}
		if _, err := st.Transcript(t.Context(), protocol.TranscriptRequest{Conversation: id}); !errors.Is(err, ErrNotFound) {
			t.Errorf("a part of the batch is stored: %v", err)
		}
	})
}

// Nothing that lies in the log may stop the archive: it would fill the bus.
func TestNothingStopsTheArchive(t *testing.T) {
	onEach(t, func(t *testing.T, d database) {
		st, s := d.store(), newScript(t)
		id := conversation.NewID(start)
		s.says(id, customer("c-17"), "zero \x00 byte and \u202e direction")
		s.add(s.subjects.Messages(string(id)), []byte("no JSON \xff\x00"))
		s.add(s.subjects.Messages(string(id)), encode(t, conversation.NewID(start), start, &conversation.Message{From: customer("x"), Text: "of another one", ClientID: "z"}))
		s.add(s.subjects.Audit(), []byte(`{"v":1}`))
		s.add("cv.other.desk.x.msg", []byte(`{}`))
		s.add(s.subjects.Ownership(string(id)), []byte(`{"v":9,"id":"`+string(conversation.NewID(start))+`","type":"teleported","conversation":"`+string(id)+`","at":"2026-11-20T08:00:00Z","bad":"`+"\xff"+`"}`))
		// An end without a beginning.
		s.event(id, &conversation.Closed{By: mei.Actor(), Reason: conversation.CloseResolved})
		p, err := st.Position(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, written, err := st.Write(t.Context(), p, s.seq, s.entries)
		if err != nil {
			t.Fatal(err)
		}
		if want := (Written{Messages: 1, Ownership: 2, Unreadable: 4, Misfits: 1}); written != want {
			t.Errorf("written %+v, want %+v", written, want)
		}
		reply, err := st.Transcript(t.Context(), protocol.TranscriptRequest{Conversation: id, Ownership: true})
		if err != nil {
			t.Fatal(err)
		}
		if reply.Conversation.Status != conversation.StatusClosed || len(reply.Items) != 3 {
			t.Errorf("%+v with %d items", reply.Conversation, len(reply.Items))
		}
		// The message itself keeps its zero byte, escaped in its JSON.
		if e, err := conversation.Decode(reply.Items[0].Event); err != nil || !strings.Contains(e.Body.(*conversation.Message).Text, "\x00") {
			t.Errorf("the stored event is %s, %v", reply.Items[0].Event, err)
		}
	})
}

func TestUnpurged(t *testing.T) {
	onEach(t, func(t *testing.T, d database) {
		st, s := d.store(), newScript(t)
		id, _ := s.served("c-17", "hello")
		open := conversation.NewID(s.now)
		s.says(open, customer("c-18"), "still open")
		end := s.now
		closedSeq := s.seq - 1
		p := s.store(st)
		unpurged := func(before time.Time, cursor uint64) []Purge {
			t.Helper()
			due, err := st.Unpurged(t.Context(), p.Generation, before, cursor, 10)
			if err != nil {
				t.Fatal(err)
			}
			return due
		}
		expect := func(what string, got []Purge, want ...Purge) {
			t.Helper()
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: %s", what, diff)
			}
		}
		first := Purge{Conversation: id, Generation: 1, Seq: closedSeq}
		expect("ended and seen by the router", unpurged(end, s.seq), first)
		expect("before the grace time has passed", unpurged(start, s.seq))
		expect("although the router has not seen the customer's last message", unpurged(end, 5))
		if err := st.Purged(t.Context(), []Purge{first}); err != nil {
			t.Fatal(err)
		}
		expect("after the purge", unpurged(end, s.seq))
		late := s.says(id, customer("c-17"), "one more thing")
		s.store(st)
		later := s.now.Add(time.Hour)
		expect("a late message that the router has not seen", unpurged(later, late-1))
		totals, err := st.Totals(t.Context(), late-1)
		if err != nil || totals.Unpurged != 1 || totals.Held != 1 {
			t.Errorf("totals %+v, %v", totals, err)
		}
		expect("a late message that the router has seen", unpurged(later, late), Purge{Conversation: id, Generation: 1, Seq: late})
		s.event(id, &conversation.Reopened{Cause: conversation.CauseReopened, Seq: late})
		s.store(st)
		expect("reopened", unpurged(later, s.seq))
		if reply, err := st.Transcript(t.Context(), protocol.TranscriptRequest{Conversation: id}); err != nil || !reply.Conversation.EndedAt.IsZero() {
			t.Errorf("a reopened conversation has an end: %+v, %v", reply, err)
		}
	})
}

func TestRestartWithAnotherLog(t *testing.T) {
	onEach(t, func(t *testing.T, d database) {
		st, s := d.store(), newScript(t)
		done, before := s.served("c-17", "first")
		open := conversation.NewID(s.now)
		s.says(open, customer("c-18"), "lost with the log?")
		copied := s.entries
		p := s.store(st)
		created := start.Add(time.Hour)
		p, err := st.Restart(t.Context(), p, created, s.now)
		if err != nil {
			t.Fatal(err)
		}
		if p.Generation != 2 || p.Seq != 0 || !p.Created.Equal(created) {
			t.Fatalf("position %+v", p)
		}
		if _, err := st.Restart(t.Context(), Position{Generation: 1}, created, s.now); !errors.Is(err, ErrMoved) {
			t.Errorf("a second restart: %v", err)
		}
		if c := st.mustFind(t, open); c.EndedAt.IsZero() {
			t.Errorf("a conversation of the lost log never ends: %+v", c)
		}
		if due, err := st.Unpurged(t.Context(), p.Generation, s.now.Add(time.Hour), 1<<40, 10); err != nil || len(due) != 0 {
			t.Errorf("due in the new log: %v, %v", due, err)
		}
		// The new log is a copy of the old one, and goes on.
		s.entries, s.seq = copied, copied[len(copied)-1].Seq
		s.event(open, &conversation.Opened{Channel: "web", Contact: "c-18", Queue: conversation.BotQueue, Arrival: conversation.Arrival{At: s.now, Seq: 1}})
		s.says(open, customer("c-18"), "no, it goes on")
		s.store(st)
		if got := texts(t, st, done); !cmp.Equal(got, before) {
			t.Error(cmp.Diff(before, got))
		}
		if got, want := texts(t, st, open), []string{"lost with the log?", "no, it goes on"}; !cmp.Equal(got, want) {
			t.Error(cmp.Diff(want, got))
		}
		if c := st.mustFind(t, open); c.Status != conversation.StatusQueued || !c.EndedAt.IsZero() {
			t.Errorf("the conversation is not open again: %+v", c)
		}
		st.checkChain(t, 1)
	})
}

// checkChain walks the audit chain, which must hold.
func (d *DB) checkChain(t *testing.T, records uint64) {
	t.Helper()
	if v, err := d.VerifyAudit(t.Context()); err != nil || v.Broken != nil || v.Records != records {
		t.Errorf("audit chain of %d records: %+v, %v", records, v, err)
	}
}

func (d *DB) mustFind(t *testing.T, id conversation.ID) *protocol.Conversation {
	t.Helper()
	c, err := d.conversation(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestRetention(t *testing.T) {
	onEach(t, func(t *testing.T, d database) {
		st, s := d.store(), newScript(t)
		var ids []conversation.ID
		for i := range 5 {
			id, _ := s.served(fmt.Sprintf("c-%d", i), fmt.Sprintf("question number %d", i))
			ids = append(ids, id)
		}
		limit := s.now
		kept, want := s.served("c-9", "the last question")
		p := s.store(st)
		if n, err := st.DeleteEnded(t.Context(), limit, s.now, 3); err != nil || n != 0 {
			t.Fatalf("%d conversations were deleted that still lie in the log, %v", n, err)
		}
		st.purgeAll(t, p)
		for _, want := range []int{3, 2, 0} {
			if n, err := st.DeleteEnded(t.Context(), limit, s.now, 3); err != nil || n != want {
				t.Fatalf("deleted %d, want %d: %v", n, want, err)
			}
		}
		if got := texts(t, st, kept); !cmp.Equal(got, want) {
			t.Error(cmp.Diff(want, got))
		}
		st.checkOnly(t, kept)
		if hits := search(t, st, protocol.SearchRequest{Text: "question"}); len(hits) != 1 {
			t.Errorf("%d messages are found, want 1", len(hits))
		}
		totals, err := st.Totals(t.Context(), 1<<40)
		if err != nil || totals.Conversations != 1 || totals.Messages != int64(len(want)) {
			t.Errorf("totals %+v, %v", totals, err)
		}
		st.checkNoted(t, ids[:3])
	})
}

// checkNoted looks for the audit record of a deletion.
func (d *DB) checkNoted(t *testing.T, ids []conversation.ID) {
	t.Helper()
	reply, err := d.Audit(t.Context(), protocol.AuditRequest{Action: "retention."})
	if err != nil || len(reply.Records) != 2 {
		t.Fatalf("audit of the deletion: %+v, %v", reply, err)
	}
	for _, id := range ids {
		if !strings.Contains(string(reply.Records[0].Details), string(id)) {
			t.Errorf("%s does not name %s", reply.Records[0].Details, id)
		}
	}
}

// purgeAll notes that the log has nothing left of what has ended.
func (d *DB) purgeAll(t *testing.T, p Position) {
	t.Helper()
	due, err := d.Unpurged(t.Context(), p.Generation, start.AddDate(1, 0, 0), 1<<40, 100)
	if err == nil {
		err = d.Purged(t.Context(), due)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// checkOnly looks for rows of any other conversation.
func (d *DB) checkOnly(t *testing.T, kept conversation.ID) {
	t.Helper()
	for _, table := range append([]string{"conversations"}, conversationTables...) {
		key := "conversation"
		if table == "conversations" {
			key = "id"
		}
		var n int
		err := d.read.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM `+table+` WHERE `+key+` <> $1`, string(kept)).Scan(&n)
		if err != nil || n != 0 {
			t.Errorf("%d rows are left in %s: %v", n, table, err)
		}
	}
}

func TestReopenedDatabase(t *testing.T) {
	onEach(t, func(t *testing.T, d database) {
		s := newScript(t)
		first, err := d.open(t.Context(), testSubjects(t))
		if err != nil {
			t.Fatal(err)
		}
		id, want := s.served("c-17", "hello")
		p := s.store(first)
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		st := d.store()
		if again, err := st.Position(t.Context()); err != nil || again != p {
			t.Errorf("position %+v, want %+v: %v", again, p, err)
		}
		if got := texts(t, st, id); !cmp.Equal(got, want) {
			t.Error(cmp.Diff(want, got))
		}
		other, err := bus.NewSubjects("shop", "other")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.open(t.Context(), other); !errors.Is(err, errOtherDesk) {
			t.Errorf("another desk opens the archive: %v", err)
		}
		if _, err := st.write.ExecContext(t.Context(), `INSERT INTO migrations (number, name) VALUES (9999, 'later')`); err != nil {
			t.Fatal(err)
		}
		if _, err := d.open(t.Context(), testSubjects(t)); !errors.Is(err, ErrNewerSchema) {
			t.Errorf("an older release opens the archive: %v", err)
		}
	})
}
