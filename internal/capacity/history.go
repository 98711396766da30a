package capacity

import (
	"crypto/sha256"
	"hash/fnv"
	"time"

	"github.com/deskfleet/deskfleet/internal/link"
	"github.com/deskfleet/deskfleet/internal/link/server"
)

// handEvery so long what was learned of a pool is handed to its desk, if it has changed.
const handEvery = 5 * time.Minute

// handAgainAfter so long it is handed over again although it is the same: the desk may have been unable to store it, and does not say so.
const handAgainAfter = time.Hour

// history is how far what was learned of a pool is kept at its desk.
type history struct {
	// settled says that the desk gave back what it keeps, or keeps nothing. Until then nothing is handed over: a minute
	// would take the place of eight weeks.
	settled bool
	// handed is when it was last looked at, to be handed over; summed when it last was, and sum what.
	handed, summed time.Time
	sum            [sha256.Size]byte
}

// What became of the history of a pool, as the metric names it.
const (
	historyRecalled  = "recalled"
	historyNone      = "none"
	historyDiscarded = "discarded"
	historyHanded    = "handed"
)

var historyResults = []string{historyRecalled, historyNone, historyDiscarded, historyHanded}

// Recalled takes what a desk gives back of its pools. What was not asked for is left out: it may be old, and a desk must
// not be able to keep a manager busy with it.
func (l *Loop) Recalled(namespace, name string, learned map[string][]byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := l.desks[server.Key{Namespace: namespace, Desk: name}]
	if d == nil {
		return
	}
	for _, e := range d.pools {
		stored, given := learned[e.pool.Name]
		if !given || e.history.settled {
			continue
		}
		e.history.settled = true
		// Spread, so that a manager which has just taken the lead does not encode all pools at the same time.
		e.history.handed = l.o.Now().Add(-spread(e.pool.Key))
		if len(stored) == 0 {
			l.histories[historyNone]++
			continue
		}
		if err := e.memory.Recall(stored); err != nil {
			l.histories[historyDiscarded]++
			l.o.Logger.Warn("what the desk keeps of a pool is discarded, it is learned anew",
				"namespace", namespace, "desk", name, "pool", e.pool.Name, "bytes", len(stored), "error", err)
			continue
		}
		e.history.sum, e.history.summed = sha256.Sum256(stored), l.o.Now()
		e.seats.planned = time.Time{} // by what was not known yet
		l.histories[historyRecalled]++
		l.o.Logger.Info("what was learned of a pool came back from its desk", "namespace", namespace, "desk", name, "pool", e.pool.Name, "bytes", len(stored))
	}
}

// spread is a part of handEvery that depends on the pool alone.
func spread(key Key) time.Duration {
	h := fnv.New32a()
	_, _ = h.Write([]byte(key.Namespace + "/" + key.Name)) // never fails
	return handEvery * time.Duration(h.Sum32()%256) / 256
}

// History says what a desk is to keep of its pools, and of which it is to give back what it keeps: in the answer to a
// report, a few at a time. What is handed over counts as kept. Were it lost, what comes five minutes later takes its place.
func (l *Loop) History(namespace, name string) (learned map[string][]byte, recall []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := l.desks[server.Key{Namespace: namespace, Desk: name}]
	if d == nil {
		return nil, nil
	}
	now := l.o.Now()
	for _, e := range d.pools {
		if !e.history.settled {
			if len(recall) < link.MaxLearnedPools {
				recall = append(recall, e.pool.Name)
			}
			continue
		}
		if len(learned) == link.MaxLearnedPools || now.Sub(e.history.handed) < handEvery {
			continue
		}
		if encoded := e.encode(now); encoded != nil {
			if learned == nil {
				learned = map[string][]byte{}
			}
			learned[e.pool.Name] = encoded
			l.histories[historyHanded]++
		}
	}
	return learned, recall
}

// encode what was learned of a pool; nil when that is nothing, or nothing new.
func (e *entry) encode(now time.Time) []byte {
	e.history.handed = now
	k := e.memory.Knowledge()
	if k == nil {
		return nil
	}
	encoded, err := k.MarshalBinary()
	if err != nil || len(encoded) > link.MaxLearnedBytes {
		return nil // neither can be, by the bounds of what is learned
	}
	sum := sha256.Sum256(encoded)
	if sum == e.history.sum && now.Sub(e.history.summed) < handAgainAfter {
		return nil
	}
	e.history.sum, e.history.summed = sum, now
	return encoded
}

func (l *Loop) historyCounts() map[string]uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	counts := make(map[string]uint64, len(historyResults))
	for _, result := range historyResults {
		counts[result] = l.histories[result] // also the zeros: a series that begins at 1 hides its first rise
	}
	return counts
}
