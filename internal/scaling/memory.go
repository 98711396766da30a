package scaling

import "time"

// Hold is how long the need must have been lower before a pool shrinks, where
// nothing else is declared. It is several times the time between two figures and
// about the time a worker takes to start: shorter, and the workers that a second
// wave needs have just gone.
const Hold = time.Minute

// Arrivals are watched for several holds before anybody leaves who was found, but for no longer than their rate is measured.
const (
	watchedHolds   = 5
	longestWatched = 5 * time.Minute
)

// LongestHold is the longest hold that can be declared.
const LongestHold = 10 * time.Minute

// The window is kept in buckets, so that its size does not depend on how often
// is decided. One bucket more than fits the hold: the one of now is not full.
const (
	bucketLength = 5 * time.Second
	buckets      = int(LongestHold/bucketLength) + 1
)

// window is the highest need in each part of the last [LongestHold].
type window struct {
	begun bool
	last  int64 // the bucket of the latest decision, in bucketLength since 1970
	need  [buckets]int32
}

// record notes the need at a time. For times at which nothing was recorded
// nobody knows the need: they count as unknown, what there is now.
func (w *window) record(now time.Time, need, unknown int) {
	bucket := now.UnixNano() / int64(bucketLength)
	if !w.begun || bucket-w.last >= int64(buckets) || w.last-bucket >= int64(buckets) {
		// The beginning, a pause longer than the window, or a clock that was set back further than that.
		w.begun, w.last = true, bucket
		for i := range w.need {
			w.need[i] = int32(unknown) //nolint:gosec // bounded by the caller
		}
	}
	for w.last < bucket {
		w.last++
		w.need[w.last%int64(buckets)] = 0
		if w.last < bucket {
			w.need[w.last%int64(buckets)] = int32(unknown) //nolint:gosec // bounded by the caller
		}
	}
	// A clock that was set back a little writes into the newest bucket.
	i := w.last % int64(buckets)
	w.need[i] = max(w.need[i], int32(need)) //nolint:gosec // bounded by the caller
}

// highest need of the last hold.
func (w *window) highest(hold time.Duration) int {
	highest := int32(0)
	for i := range int64(hold/bucketLength) + 1 {
		highest = max(highest, w.need[((w.last-i)%int64(buckets)+int64(buckets))%int64(buckets)])
	}
	return int(highest)
}

// Memory is what decisions remember of a pool. The zero value remembers nothing:
// the first decision takes the workers that it finds for needed, so that a restart
// shrinks no pool. It is changed by [Decide] and must not be copied after that.
type Memory struct {
	window    window
	knowledge *Knowledge
	// trusted are the latest figures that were believed, with a flow of their own; doubted is since when none were.
	trusted Figures
	flow    Flow
	doubted time.Time
	refused time.Time // when workers were last refused
	decided bool      // the first decision was made: it found so many
	found   int
	panic   panicking
	shrink  allowance
	spent   spending
}

// NewMemory remembers what was learned of a pool before, such as a former leader stored. Nil for nothing.
func NewMemory(k *Knowledge) *Memory { return &Memory{knowledge: k} }

// Knowledge that was learned; nil before the first figures with a flow.
func (m *Memory) Knowledge() *Knowledge { return m.knowledge }

// Recall takes back what was learned of the pool before, as [Knowledge.MarshalBinary] stored it, and keeps what was
// learned since. An error says that the bytes cannot be read; nothing has changed then.
func (m *Memory) Recall(stored []byte) error {
	former := NewKnowledge()
	if err := former.UnmarshalBinary(stored); err != nil {
		return err
	}
	if m.knowledge == nil {
		m.knowledge = former
		return nil
	}
	m.knowledge.join(former)
	return nil
}

// Forget what was decided, but not what was learned: the next decision takes the workers that it finds for needed.
func (m *Memory) Forget() { *m = Memory{knowledge: m.knowledge} }
