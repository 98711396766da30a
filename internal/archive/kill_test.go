package archive

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deskfleet/deskfleet/internal/archive/protocol"
	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
)

var errKilled = errors.New("killed")

// killer ends an archive when it comes to a place, or to any, for the n-th time: from then on nothing it does
// has an effect.
type killer struct {
	mu    sync.Mutex
	left  int
	place string
	dead  chan struct{}
}

func newKiller(place string, n int) *killer {
	return &killer{place: place, left: n, dead: make(chan struct{})}
}

func (k *killer) step(place string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.left == 0 {
		return errKilled
	}
	if k.place != "" && k.place != place {
		return nil
	}
	if k.left--; k.left > 0 {
		return nil
	}
	close(k.dead)
	return errKilled
}

// around runs f between two steps.
func (k *killer) around(place string, f func() error) error {
	if err := k.step("before " + place); err != nil {
		return err
	}
	if err := f(); err != nil {
		return err
	}
	return k.step("after " + place)
}

type mortalStore struct {
	Store
	*killer
}

func (s mortalStore) Write(ctx context.Context, from Position, through uint64, entries []bus.Stored) (p Position, w Written, err error) {
	err = s.around("write", func() error { p, w, err = s.Store.Write(ctx, from, through, entries); return err })
	return p, w, err
}

func (s mortalStore) Purged(ctx context.Context, done []Purge) error {
	if len(done) == 0 {
		return nil
	}
	return s.around("noting the purge", func() error { return s.Store.Purged(ctx, done) })
}

type mortalDialer struct {
	bus.Dialer
	*killer
}

func (d mortalDialer) Dial(ctx context.Context, o bus.ClientOptions) (bus.Conn, error) {
	c, err := d.Dialer.Dial(ctx, o)
	return mortalConn{c, d.killer}, err
}

type mortalConn struct {
	bus.Conn
	*killer
}

func (c mortalConn) Log(stream string) bus.Log { return mortalLog{c.Conn.Log(stream), c.killer} }

type mortalLog struct {
	bus.Log
	*killer
}

func (l mortalLog) PurgeUpTo(ctx context.Context, filter string, seq uint64) error {
	return l.around("purge", func() error { return l.Log.PurgeUpTo(ctx, filter, seq) })
}

// Wherever the archive is killed, each acknowledged message is afterwards in the archive exactly once and in
// order, and nothing has left the log that the database did not hold.
func TestKilledAtEachStep(t *testing.T) {
	onEach(t, func(t *testing.T, d database) {
		b := newBench(t)
		runs := int64(0)
		for _, place := range []string{"write", "purge", "noting the purge"} {
			for _, side := range []string{"before ", "after "} {
				runs++
				b.killAt(d, side+place, runs)
			}
		}
	})
}

// killAt runs an archive that is killed, looks at what it leaves behind, and lets a healthy one take over.
func (b *bench) killAt(d database, place string, runs int64) {
	b.t.Helper()
	s := newScript(b.t)
	want := map[conversation.ID][]string{}
	for i := range 2 {
		id, texts := s.served(fmt.Sprintf("c-%d-%d", runs, i), "question "+place)
		want[id] = texts
	}
	s.audit("agent.signedOn")
	b.play(s)
	b.decide()
	k := newKiller(place, 1)
	o := b.options()
	o.Open = func(ctx context.Context, s bus.Subjects) (Store, error) {
		db, err := d.open(ctx, s)
		return mortalStore{db, k}, err
	}
	o.Dialer = mortalDialer{b.server, k}
	done := func(s *protocol.Status) bool {
		return s.Lag == 0 && s.Unpurged == 0 && s.Conversations == 2*runs && s.Audit.Number == uint64(runs)
	}
	stop := b.run(o)
	eventually.Receive(b.t, "the archive is killed "+place, valueOf(k.dead))
	stop()
	db := d.store()
	for id, texts := range want {
		b.checkNothingLost(db, id, texts)
	}
	o = b.options()
	o.Open = func(ctx context.Context, s bus.Subjects) (Store, error) { return d.open(ctx, s) }
	stop = b.run(o)
	b.waitStatus("everything is archived and purged after "+place, done)
	stop()
	b.checkExactlyOnce(db, want)
}

// valueOf turns a channel that is closed into one that gives a value.
func valueOf(closed <-chan struct{}) <-chan bool {
	ch := make(chan bool, 1)
	go func() { <-closed; ch <- true }()
	return ch
}

// waitDeadOr waits until the archive is dead or has nothing more to do.
func (b *bench) waitDeadOr(k *killer, done func(*protocol.Status) bool) {
	b.t.Helper()
	eventually.True(b.t, "the archive is killed or done", func() bool {
		select {
		case <-k.dead:
			return true
		default:
		}
		s, err := b.client().Status(b.t.Context())
		return err == nil && done(s)
	})
}

// checkNothingLost looks for each message in the database and in the log.
func (b *bench) checkNothingLost(db *DB, id conversation.ID, want []string) {
	b.t.Helper()
	there := map[string]bool{}
	reply, err := db.Transcript(b.t.Context(), protocol.TranscriptRequest{Conversation: id})
	if err != nil && !errors.Is(err, ErrNotFound) {
		b.t.Fatal(err)
	}
	if err == nil {
		for _, item := range reply.Items {
			there[textOf(b.t, item.Event)] = true
		}
	}
	for m, err := range b.log.Read(b.t.Context(), b.subjects.Messages(string(id)), 0) {
		if err != nil {
			b.t.Fatal(err)
		}
		there[textOf(b.t, m.Data)] = true
	}
	for _, text := range want {
		if !there[text] {
			b.t.Errorf("%q of %s is neither in the archive nor in the log", text, id)
		}
	}
}

func textOf(t testing.TB, data []byte) string {
	t.Helper()
	e, err := conversation.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	return e.Body.(*conversation.Message).Text
}

func (b *bench) checkExactlyOnce(db *DB, want map[conversation.ID][]string) {
	b.t.Helper()
	for id, wanted := range want {
		if got := texts(b.t, db, id); !cmp.Equal(got, wanted) {
			b.t.Error(cmp.Diff(wanted, got))
		}
		if n := b.inLog(id); n != 0 {
			b.t.Errorf("the log still holds %d events of %s", n, id)
		}
	}
	if v, err := db.VerifyAudit(b.t.Context()); err != nil || v.Broken != nil {
		b.t.Errorf("audit chain: %+v, %v", v, err)
	}
}

// Messages go on being acknowledged while archives come, are killed, and go.
func TestRestartsUnderLoad(t *testing.T) {
	const conversations, messages = 4, 60
	b := newBench(t)
	want := map[conversation.ID][]string{}
	var ids []conversation.ID
	for range conversations {
		id := conversation.NewID(start)
		ids = append(ids, id)
		for m := range messages {
			want[id] = append(want[id], fmt.Sprintf("message %d", m))
		}
	}
	var writers sync.WaitGroup
	var router sync.Mutex // one router decides: the cursor of its last decision is the greatest
	for _, id := range ids {
		writers.Go(func() {
			for m, text := range want[id] {
				data := encode(t, id, start, &conversation.Message{From: customer("c-1"), Text: text, ClientID: fmt.Sprintf("m%d", m)})
				if _, _, err := b.log.Append(t.Context(), b.subjects.Messages(string(id)), data, bus.AppendOptions{}); err != nil {
					t.Error(err)
					return
				}
			}
			data := encode(t, id, start, &conversation.Closed{By: mei.Actor(), Reason: conversation.CloseResolved})
			if _, _, err := b.log.Append(t.Context(), b.subjects.Ownership(string(id)), data, bus.AppendOptions{}); err != nil {
				t.Error(err)
			}
			router.Lock()
			defer router.Unlock()
			b.decide()
		})
	}
	for n := 1; n <= 12; n++ {
		k := newKiller("", n)
		o := b.options()
		o.Open = func(ctx context.Context, s bus.Subjects) (Store, error) {
			db, err := OpenSQLite(ctx, b.file, s)
			return mortalStore{db, k}, err
		}
		o.Dialer = mortalDialer{b.server, k}
		stop := b.run(o)
		b.waitDeadOr(k, func(s *protocol.Status) bool {
			return s.Messages == conversations*messages && s.Unpurged == 0 && s.Lag == 0
		})
		stop()
	}
	writers.Wait()
	stop := b.run(b.options())
	b.waitStatus("everything is archived and purged", func(s *protocol.Status) bool {
		return s.Lag == 0 && s.Unpurged == 0 && s.Conversations == conversations && s.Messages == conversations*messages
	})
	stop()
	db, err := OpenSQLite(t.Context(), b.file, b.subjects)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	b.checkExactlyOnce(db, want)
}

// A database that refuses writes for a while costs time and nothing else.
func TestDatabaseFails(t *testing.T) {
	b, s := newBench(t), newScript(t)
	id, want := s.served("c-17", "where is my order")
	b.play(s)
	b.decide()
	full := &fullStore{}
	full.set(true)
	o := b.options()
	o.Logger = slog.New(slog.DiscardHandler)
	o.Open = func(ctx context.Context, subjects bus.Subjects) (Store, error) {
		db, err := OpenSQLite(ctx, b.file, subjects)
		full.Store = db
		return full, err
	}
	b.run(o)
	status := b.waitStatus("the problem is reported", func(s *protocol.Status) bool { return s.Problem != "" })
	if status.Lag == 0 || b.inLog(id) != 12 {
		t.Errorf("status %+v, the log holds %d events", status, b.inLog(id))
	}
	full.set(false)
	b.waitArchived(id, want)
	b.waitStatus("all is well again", func(s *protocol.Status) bool { return s.Problem == "" && s.Lag == 0 && s.Unpurged == 0 })
}

type fullStore struct {
	Store
	mu   sync.Mutex
	full bool
}

func (s *fullStore) set(full bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.full = full
}

func (s *fullStore) Write(ctx context.Context, from Position, through uint64, entries []bus.Stored) (Position, Written, error) {
	s.mu.Lock()
	full := s.full
	s.mu.Unlock()
	if full {
		return from, Written{}, errors.New("database or disk is full")
	}
	return s.Store.Write(ctx, from, through, entries)
}

// What the log holds beyond the database keeps the whole conversation there: it may be a reopening.
func TestWaitsForWhatIsNotStored(t *testing.T) {
	b, s := newBench(t), newScript(t)
	id, want := s.served("c-17", "where is my order")
	b.play(s)
	gate := &slowStore{open: make(chan struct{})}
	close(gate.open)
	looked := make(chan struct{}, 100)
	o := b.options()
	o.Open = func(ctx context.Context, subjects bus.Subjects) (Store, error) {
		db, err := OpenSQLite(ctx, b.file, subjects)
		gate.Store = db
		return gate, err
	}
	o.Dialer = watchedDialer{b.server, b.subjects.Conversation(string(id)), looked}
	b.run(o)
	b.waitArchived(id, want)
	b.waitStatus("it is held for the router", func(s *protocol.Status) bool { return s.Held == 1 && s.Lag == 0 })
	gate.shut()
	late := s.says(id, customer("c-17"), "it is broken")
	s.event(id, &conversation.Reopened{Cause: conversation.CauseReopened, Seq: late})
	b.play(s)
	b.decide()
	for range 3 {
		eventually.Receive(t, "the archive looks whether it may purge", looked)
	}
	if n := b.inLog(id); n != 14 {
		t.Errorf("the log holds %d of 14 events", n)
	}
	gate.release()
	b.waitStatus("it knows of the reopening", func(s *protocol.Status) bool { return s.Unpurged == 0 && s.Lag == 0 })
	if n := b.inLog(id); n != 14 {
		t.Errorf("the log holds %d of 14 events", n)
	}
}

// watchedDialer tells each time that the last sequence of a subject is asked for.
type watchedDialer struct {
	bus.Dialer
	subject string
	looked  chan struct{}
}

func (d watchedDialer) Dial(ctx context.Context, o bus.ClientOptions) (bus.Conn, error) {
	c, err := d.Dialer.Dial(ctx, o)
	return watchedConn{c, d}, err
}

type watchedConn struct {
	bus.Conn
	d watchedDialer
}

func (c watchedConn) Log(stream string) bus.Log { return watchedLog{c.Conn.Log(stream), c.d} }

type watchedLog struct {
	bus.Log
	d watchedDialer
}

func (l watchedLog) LastSeq(ctx context.Context, filter string) (uint64, error) {
	seq, err := l.Log.LastSeq(ctx, filter)
	if filter == l.d.subject {
		select {
		case l.d.looked <- struct{}{}:
		default:
		}
	}
	return seq, err
}

// slowStore takes its time while it is shut.
type slowStore struct {
	Store
	mu   sync.Mutex
	open chan struct{}
}

func (s *slowStore) shut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = make(chan struct{})
}

func (s *slowStore) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.open)
}

func (s *slowStore) Write(ctx context.Context, from Position, through uint64, entries []bus.Stored) (Position, Written, error) {
	s.mu.Lock()
	open := s.open
	s.mu.Unlock()
	select {
	case <-open:
	case <-ctx.Done():
	}
	return s.Store.Write(ctx, from, through, entries)
}
