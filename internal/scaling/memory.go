package scaling

import "time"

// Hold is how long the need must have been lower before a pool shrinks. It is
// several times the time between two figures and about the time a worker takes
// to start: shorter, and the workers that a second wave needs have just gone.
const Hold = time.Minute

// The window is kept in buckets, so that its size does not depend on how often
// is decided. One bucket more than fits Hold: the one of now is not full.
const (
	bucketLength = 5 * time.Second
	buckets      = int(Hold/bucketLength) + 1
)

// Memory is what decisions remember of a pool: the highest need in each part of
// the last [Hold]. The zero value remembers nothing: the first decision takes the
// workers that it finds for needed, so that a restart shrinks no pool.
type Memory struct {
	begun bool
	last  int64 // the bucket of the latest decision, in bucketLength since 1970
	need  [buckets]int
}

// record notes the need at a time. For times at which nothing was recorded
// nobody knows the need: they count as unknown, what there is now.
func (m Memory) record(now time.Time, need, unknown int) Memory {
	bucket := now.UnixNano() / int64(bucketLength)
	if !m.begun || bucket-m.last >= int64(buckets) || m.last-bucket >= int64(buckets) {
		// The beginning, a pause longer than the window, or a clock that was set back further than that.
		m = Memory{begun: true, last: bucket}
		for i := range m.need {
			m.need[i] = unknown
		}
	}
	for m.last < bucket {
		m.last++
		m.need[m.last%int64(buckets)] = 0
		if m.last < bucket {
			m.need[m.last%int64(buckets)] = unknown
		}
	}
	// A clock that was set back a little writes into the newest bucket.
	i := m.last % int64(buckets)
	m.need[i] = max(m.need[i], need)
	return m
}

// highest need that is remembered.
func (m Memory) highest() int {
	highest := 0
	for _, n := range m.need {
		highest = max(highest, n)
	}
	return highest
}
