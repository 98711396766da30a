package runtimeconfig

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// Source gives a role its configuration while it runs.
type Source interface {
	// Current is the last good document.
	Current() Snapshot
	// Watch gives the current snapshot and then each later one, until ctx ends
	// and the channel is closed. A slow receiver misses snapshots in between,
	// never the newest.
	Watch(ctx context.Context) <-chan Snapshot
	// Err says why what came last was refused; nil when Current is what came last.
	Err() error
}

// Snapshot is a document with its revision. Receivers share it and must not
// change it.
type Snapshot struct {
	Document *Document
	Revision string
	// Data is the document as it was rendered. Whoever passes it on passes this on: rendered anew it would lose
	// the fields of a newer release, and with them its revision.
	Data []byte
}

// supersedes reports whether a document replaces the current one. A document that
// has come late on one of several ways never does. Without generations the last
// word counts: such documents travel one way only. Two that were made at the same
// moment must win or lose alike in every role, whatever the order in which they
// come.
func (s *Snapshot) supersedes(current *Snapshot) bool {
	if current.Document == nil {
		return true
	}
	next, now := s.Document.Generation, current.Document.Generation
	if next == 0 && now == 0 {
		return s.Revision != current.Revision
	}
	return cmp.Or(cmp.Compare(next, now), cmp.Compare(s.Revision, current.Revision)) > 0
}

// Store is a [Source] in memory: whoever learns of a document offers it.
type Store struct {
	mu       sync.Mutex
	current  Snapshot
	err      error
	watchers map[chan Snapshot]struct{}
}

var _ Source = (*Store)(nil)

// NewStore begins with a rendered document, which must be good.
func NewStore(data []byte) (*Store, error) {
	s := &Store{watchers: map[chan Snapshot]struct{}{}}
	if _, err := s.Offer(data); err != nil {
		return nil, err
	}
	return s, nil
}

// NewStoreOf begins with a document, for a desk in one process and for tests.
func NewStoreOf(d *Document) (*Store, error) {
	data, err := d.Marshal()
	if err != nil {
		return nil, err
	}
	return NewStore(data)
}

// Offer a rendered document. A bad one is refused: the last good one stays
// current and [Store.Err] tells why. An older one than the current is left alone
// without an error. It says whether the current one changed.
func (s *Store) Offer(data []byte) (changed bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	document, err := Parse(data)
	if err == nil {
		err = s.sameDesk(document)
	}
	s.err = err
	if err != nil {
		return false, err
	}
	next := Snapshot{Document: document, Revision: Revision(data), Data: bytes.Clone(data)}
	if !next.supersedes(&s.current) {
		return false, nil
	}
	s.current = next
	for w := range s.watchers {
		put(w, next)
	}
	return true, nil
}

// sameDesk refuses the document of another desk. The roles have the names of
// theirs in every subject, so that taking it over would mix two tenants.
func (s *Store) sameDesk(d *Document) error {
	have := s.current.Document
	if have == nil || (have.Namespace == d.Namespace && have.Desk == d.Desk) {
		return nil
	}
	return fmt.Errorf("configuration is of desk %s/%s, this role serves %s/%s: restart the role if that is meant",
		d.Namespace, d.Desk, have.Namespace, have.Desk)
}

// fail records that nothing could be learnt; the current document stays.
func (s *Store) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// Current is the last good document.
func (s *Store) Current() Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current
}

// Err says why the last offer was refused.
func (s *Store) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Watch follows the store, see [Source].
func (s *Store) Watch(ctx context.Context) <-chan Snapshot {
	w := make(chan Snapshot, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	put(w, s.current)
	s.watchers[w] = struct{}{}
	context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.watchers, w)
		close(w)
	})
	return w
}

// put replaces what the receiver has not taken yet. The caller holds the lock,
// so that nobody else sends.
func put(w chan Snapshot, s Snapshot) {
	select {
	case <-w:
	default:
	}
	w <- s
}

// FromFile reads the mounted document and follows it until ctx ends, looking
// each interval. The first read must succeed; later a missing or bad file
// leaves the last good document current.
//
// It reads the file instead of waiting for events of the file system: a
// ConfigMap is swapped by renaming a folder that the file is linked into, which
// a watch on the file does not see.
func FromFile(ctx context.Context, path string, interval time.Duration) (*Store, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	s, err := NewStore(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	go s.follow(ctx, path, interval, Revision(data))
	return s, nil
}

func (s *Store) follow(ctx context.Context, path string, interval time.Duration, seen string) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		data, err := readFile(path)
		if err != nil {
			s.fail(err)
			seen = ""
			continue
		}
		// Only what is new in the file is offered: another way of the document,
		// such as the bus, may be ahead of the mounted copy.
		if revision := Revision(data); revision != seen {
			seen = revision
			_, _ = s.Offer(data) // kept in Err
		}
	}
}

func readFile(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("configuration: %w: mount the ConfigMap of the desk", err)
	case err != nil:
		return nil, fmt.Errorf("configuration: %w", err)
	}
	return data, nil
}
