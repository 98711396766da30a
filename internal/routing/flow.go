package routing

import (
	"maps"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/scaling/survival"
)

// ageStep is how exactly the beginnings of conversations in progress are kept: a sketch of ages is no finer.
const ageStep = 5

// BotFlow is how conversations flow through a desk's bots. The counters only rise, from some time before this replica
// began to lead on: the difference of two of them says what happened meanwhile.
type BotFlow struct {
	// Arrived at the bots: in their queue, or at once with a bot. Started are those that a bot took, Left those that left
	// the queue otherwise, and Ended those that a bot has no more.
	Arrived, Started, Left, Ended uint64
	// Waited is how long all who have left the queue were in it, together.
	Waited time.Duration
	// Handled are the handle times of the ended ones, in the buckets of package survival.
	Handled [survival.Buckets]uint64
	// began are the conversations in progress by when a bot took them, in ageStep seconds since 1970.
	began map[int64]int
}

// moved brings the flow along with a change of state.
func (f *BotFlow) moved(before, next *conversation.State, at time.Time) {
	was, is := inBotQueue(before), inBotQueue(next)
	from, to := botOf(before), botOf(next)
	began := beganAt(before)
	same := from == to && began.Equal(beganAt(next))
	if was == is && (same || from == "" && to == "") {
		return
	}
	if is && !was {
		f.Arrived++
	}
	if was && !is {
		f.Waited += max(0, at.Sub(before.StatusAt))
		if to == "" {
			f.Left++
		}
	}
	if same {
		return
	}
	if from != "" {
		f.Ended++
		f.Handled[survival.Bucket(max(0, at.Sub(began).Seconds()))]++
		f.begin(began, -1)
	}
	if to != "" {
		f.Started++
		if !was {
			f.Arrived++
		}
		f.begin(beganAt(next), 1)
	}
}

func beganAt(s *conversation.State) time.Time {
	if s.ServedAt.IsZero() { // taken under a release that did not say it
		return s.StatusAt
	}
	return s.ServedAt
}

func (f *BotFlow) begin(at time.Time, n int) {
	if f.began == nil {
		f.began = map[int64]int{}
	}
	step := at.Unix() / ageStep
	if f.began[step] += n; f.began[step] <= 0 {
		delete(f.began, step)
	}
}

// Ages of the conversations in progress, in the buckets of package survival.
func (f *BotFlow) Ages(now time.Time) (ages [survival.Buckets]int) {
	for step, n := range f.began {
		ages[survival.Bucket(max(0, float64(now.Unix()-step*ageStep)))] += n
	}
	return ages
}

// BotFlow gives the flow through the bots.
func (d *Desk) BotFlow() BotFlow {
	f := d.flow
	f.began = maps.Clone(f.began)
	return f
}

func inBotQueue(s *conversation.State) bool {
	return s.Status.Waiting() && s.Queue == conversation.BotQueue
}

// botOf is the bot that has the conversation; empty for none.
func botOf(s *conversation.State) string {
	if o := s.Owner(); o != nil && o.Kind == conversation.KindBot {
		return o.ID
	}
	return ""
}
