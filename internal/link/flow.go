package link

import "fmt"

// Flow of conversations through a pool. Counters only rise within one Report.Term, and need not begin at 0: two reports
// of a term say what happened between them, and one that was lost is made up for by the next.
type Flow struct {
	// Arrived conversations in the pool's queue or at once with a worker, those that a worker took, that left the queue
	// otherwise, and that a worker has no more.
	Arrived uint64 `json:"arrived"`
	Started uint64 `json:"started"`
	Left    uint64 `json:"left"`
	Ended   uint64 `json:"ended"`
	// WaitedSeconds is how long all who have left the queue were in it, together.
	WaitedSeconds float64 `json:"waitedSeconds"`
	// Handled counts the handle times of the ended ones, Ages how long those in progress have lasted: a sketch of at most
	// 128 durations, each of which stands for those up to a fifth below it.
	Handled []Lasting `json:"handled,omitempty"`
	Ages    []Lasting `json:"ages,omitempty"`
}

// Lasting is how many conversations lasted, or have lasted, about so many seconds.
type Lasting struct {
	Seconds float64 `json:"s"`
	Count   uint64  `json:"n"`
}

const (
	// maxLasting bounds a sketch.
	maxLasting = 128
	// maxCounter is the greatest whole number that every reader of JSON reads exactly.
	maxCounter = 1 << 53
)

func (f *Flow) validate() error {
	if f == nil {
		return nil
	}
	for _, c := range []struct {
		name  string
		value uint64
	}{{"arrived", f.Arrived}, {"started", f.Started}, {"left", f.Left}, {"ended", f.Ended}} {
		if c.value > maxCounter {
			return fmt.Errorf("%s is %d: send 0 to %d", c.name, c.value, uint64(maxCounter))
		}
	}
	for _, s := range []struct {
		name   string
		sketch []Lasting
		most   uint64
	}{{"handled", f.Handled, maxCounter}, {"ages", f.Ages, maxCount}} {
		if len(s.sketch) > maxLasting {
			return fmt.Errorf("%s has %d items: send at most %d", s.name, len(s.sketch), maxLasting)
		}
		for i, l := range s.sketch {
			if l.Count > s.most {
				return fmt.Errorf("%s[%d].n is %d: send 0 to %d", s.name, i, l.Count, s.most)
			}
			if err := numbers(number{"s", l.Seconds, maxSum}); err != nil {
				return fmt.Errorf("%s[%d].%w", s.name, i, err)
			}
		}
	}
	return numbers(number{"waitedSeconds", f.WaitedSeconds, maxSum})
}
