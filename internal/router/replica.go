package router

import (
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/routing"
)

// replica is what a router knows from the stream. It does no I/O.
type replica struct {
	names  bus.Subjects
	logger *slog.Logger
	desk   *routing.Desk

	// seq is the last sequence that was folded, dk the last one of the decision log.
	seq, dk uint64
	// cursor is the sequence up to which customers' messages were acted on, stored the one that the
	// decision log tells, and decidedAt the time of its last batch.
	cursor, stored uint64
	decidedAt      time.Time
	// leader by the decision log, and whether it has left.
	leader string
	left   bool
	// written are customers' messages beyond the cursor.
	written []conversation.Event
	// owed are decisions whose copy on .own or .msg was not seen, in the order of the log.
	owed []conversation.Event
	// people are the signed-on agents who are no bots: what they do is told to the audit.
	people map[string]struct{}
	// copies says that this router stores the copies. It knows their sequences when it has told of the decisions,
	// and not when the tail brings them, which may be earlier.
	copies bool
	// claims by subject.
	claims   map[string]claim
	requests recent
	// parts of a snapshot that is being read.
	parts []conversation.Event
	// sinceSnapshot counts the messages of the decision log since the last complete snapshot, and
	// snapshotAt is the sequence at which that one begins.
	sinceSnapshot int
	snapshotAt    uint64
	partsAt       uint64
}

// claim is the last message of a claim's subject.
type claim struct {
	conversation.Claim
	seq uint64
}

func newReplica(subjects bus.Subjects, config routing.Config, log *slog.Logger) (*replica, error) {
	desk, err := routing.New(config)
	if err != nil {
		return nil, fmt.Errorf("the desk's configuration: %w", err)
	}
	return &replica{names: subjects, logger: log, desk: desk, claims: map[string]claim{}, people: map[string]struct{}{}}, nil
}

// filters of the tail.
func (r *replica) filters() []string {
	return []string{r.names.Conversations(), r.names.Decisions(), r.names.Claims(), r.names.Audit()}
}

// fold takes one stored message. What cannot be read is reported and skipped: one bad message must not
// stop a desk. It returns the batch when the message was one of another router, or of this one before
// it led.
func (r *replica) fold(st bus.Stored) *conversation.Batch {
	r.seq = st.Seq
	subject, err := r.names.Parse(st.Subject)
	if err != nil {
		r.logger.Error("message on a subject that is not the desk's", "subject", st.Subject, "error", err)
		return nil
	}
	switch subject.Kind {
	case bus.KindMessages, bus.KindOwnership:
		r.foldEvent(st, subject)
	case bus.KindClaim:
		r.foldClaim(st)
	case bus.KindDecisions:
		return r.foldBatch(st)
	case bus.KindAudit:
		r.foldAudit(st)
	default:
	}
	return nil
}

func (r *replica) foldEvent(st bus.Stored, subject bus.Subject) {
	e, err := conversation.Decode(st.Data)
	if err == nil && string(e.Conversation) != subject.Conversation {
		err = fmt.Errorf("%w: it is of conversation %s", conversation.ErrForeign, e.Conversation)
	}
	if err != nil {
		r.logger.Error("event skipped", "subject", st.Subject, "seq", st.Seq, "error", err)
		return
	}
	e.Seq = st.Seq
	if subject.Kind == bus.KindOwnership {
		if !r.copies {
			r.desk.Owned(e.Conversation, e.Seq)
			r.paid(e.ID)
		}
		return
	}
	m, ok := e.Body.(*conversation.Message)
	if !ok {
		r.desk.Rated(e)
		return
	}
	// The gateways' clocks differ, and a conversation must not count as silent for an hour because of one.
	e.At = st.Time
	if m.From.Kind == conversation.KindSystem {
		r.paid(conversation.ID(m.ClientID))
	}
	if r.desk.Hear(e) && m.From.Kind == conversation.KindCustomer && e.Seq > r.cursor {
		r.written = append(r.written, e)
	}
}

func (r *replica) foldClaim(st bus.Stored) {
	c, err := conversation.DecodeClaim(st.Data)
	if err != nil {
		r.logger.Error("claim skipped", "subject", st.Subject, "seq", st.Seq, "error", err)
		return
	}
	if r.claims[st.Subject].seq < st.Seq {
		r.claims[st.Subject] = claim{Claim: c, seq: st.Seq}
	}
}

func (r *replica) foldBatch(st bus.Stored) *conversation.Batch {
	if st.Seq <= r.dk {
		return nil // our own, applied when it was appended
	}
	r.dk = st.Seq
	r.sinceSnapshot++
	b, err := conversation.DecodeBatch(st.Data)
	if err != nil {
		r.logger.Error("decisions skipped", "seq", st.Seq, "error", err)
		return nil
	}
	if b.Snapshot != nil {
		r.foldPart(b, st.Seq)
	} else {
		r.parts = nil
		for _, e := range b.Events {
			r.foldDecision(e)
		}
	}
	r.note(b)
	return b
}

func (r *replica) foldDecision(e conversation.Event) {
	if t, ok := e.Body.(*conversation.TookOver); ok {
		r.leader, r.left = t.Router, t.Left
		return
	}
	if err := r.desk.Fold(e); err != nil {
		// Before a snapshot this is what a compaction that was cut short leaves behind.
		r.logger.Error("decision skipped", "event", e.ID, "type", e.Type, "conversation", e.Conversation, "error", err)
		return
	}
	r.owe(e)
}

// foldPart collects the parts of a snapshot; the last one replaces the desk.
func (r *replica) foldPart(b *conversation.Batch, seq uint64) {
	if b.Snapshot.Number == 1 {
		r.parts, r.partsAt = []conversation.Event{}, seq
	}
	if r.parts == nil {
		return
	}
	r.parts = append(r.parts, b.Events...)
	if b.Snapshot.Number < b.Snapshot.Of {
		return
	}
	if err := r.desk.Restore(r.parts); err != nil {
		r.logger.Error("snapshot skipped", "seq", seq, "error", err)
	}
	// The leader that took it had told the audit everything before.
	r.owed = slices.DeleteFunc(r.owed, func(e conversation.Event) bool { return e.Conversation == "" })
	for _, a := range r.desk.Agents() {
		if a.Kind == conversation.KindAgent {
			r.people[a.ID] = struct{}{}
		}
	}
	r.snapshotTaken(r.partsAt)
}

func (r *replica) snapshotTaken(at uint64) {
	r.parts, r.sinceSnapshot, r.snapshotAt = nil, 0, at
}

// note takes over what a batch says besides its events.
func (r *replica) note(b *conversation.Batch) {
	for _, id := range b.Requests {
		r.requests.add(id)
	}
	r.stored = max(r.stored, b.Cursor)
	if b.At.After(r.decidedAt) {
		r.decidedAt = b.At
	}
	r.actedOn(b.Cursor)
}

// actedOn moves the cursor.
func (r *replica) actedOn(seq uint64) {
	if seq <= r.cursor {
		return
	}
	r.cursor = seq
	r.written = slices.DeleteFunc(r.written, func(e conversation.Event) bool { return e.Seq <= seq })
}

// owe remembers that a decision needs its copy, and says whether it does.
func (r *replica) owe(e conversation.Event) bool {
	owed := e.Type.OnOwn() || e.Type == conversation.TypeSaid || r.ofPerson(e)
	if owed {
		r.owed = append(r.owed, e)
	}
	if e.Type == conversation.TypeForgotten {
		// The archive has it all, also what this replica did not see because it was purged.
		r.owed = slices.DeleteFunc(r.owed, func(o conversation.Event) bool { return o.Conversation == e.Conversation })
	}
	return owed
}

// paid notes that the copy of a decision is stored.
func (r *replica) paid(id conversation.ID) {
	// Copies come in the order of the log, so that it is nearly always the first one.
	if i := slices.IndexFunc(r.owed, func(e conversation.Event) bool { return e.ID == id }); i >= 0 {
		r.owed = slices.Delete(r.owed, i, i+1)
	}
}

// purged lists ended conversations whose copies are owed although the stream has nothing of them: they
// were archived and purged, and only the decision log still tells of them.
func (r *replica) purged() []conversation.ID {
	var ids []conversation.ID
	for _, e := range r.owed {
		s, ok := r.desk.State(e.Conversation)
		if ok && s.Status.Ended() && s.OwnSeq == 0 && s.MsgSeq == 0 && !slices.Contains(ids, s.ID) {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

// recent remembers the last requests that were done.
type recent struct {
	ids  map[string]struct{}
	ring []string
	next int
}

// recentRequests is more than a desk handles within the time in which requests are repeated.
const recentRequests = 8192

func (r *recent) add(id string) {
	if r.has(id) {
		return
	}
	if r.ids == nil {
		r.ids = map[string]struct{}{}
	}
	if len(r.ring) < recentRequests {
		r.ring = append(r.ring, id)
	} else {
		delete(r.ids, r.ring[r.next])
		r.ring[r.next] = id
		r.next = (r.next + 1) % recentRequests
	}
	r.ids[id] = struct{}{}
}

func (r *recent) has(id string) bool {
	_, ok := r.ids[id]
	return ok
}

// last lists the newest n, oldest first.
func (r *recent) last(n int) []string {
	var ids []string
	for i := max(0, len(r.ring)-n); i < len(r.ring); i++ {
		ids = append(ids, r.ring[(r.next+i)%len(r.ring)])
	}
	return ids
}

// waited is how long a conversation has waited in its queue.
func waited(s *conversation.State, now time.Time) time.Duration {
	if !s.Status.Waiting() {
		return 0
	}
	return max(0, now.Sub(s.Arrival.At))
}
