package routing

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
)

// The score of a waiting conversation is its priority, 0 to 100 (the queue's and that of the contact's tier, or a rule's), plus the desk's ageing for each minute since its
// arrival: score(t) = priority + ageing × (t − arrival). All scores of a desk grow at one rate, so that the order of
// two conversations never changes while they wait. It is the order of their virtual arrivals:
//
//	virtual = arrival − priority / ageing
//
// which do not depend on the time. Nobody is overtaken by anyone who came more than 100/ageing minutes later, and
// with any bounded load everyone is served.

// virtual arrival in nanoseconds since 1970.
func (d *Desk) virtual(s *conversation.State) int64 {
	return s.Arrival.At.UnixNano() - int64(s.Priority)*int64(time.Minute)/int64(d.config.Ageing)
}

// earlier is the order of places: by score, the higher first; of equal ones by the log.
func earlier(a, b *entry) bool {
	if a.virtual != b.virtual {
		return a.virtual < b.virtual
	}
	if a.state.Arrival.Seq != b.state.Arrival.Seq {
		return a.state.Arrival.Seq < b.state.Arrival.Seq
	}
	return a.state.ID < b.state.ID
}

// Score of a waiting conversation at now.
func (d *Desk) Score(s *conversation.State, now time.Time) float64 {
	return float64(s.Priority) + d.aged(s, now)
}

func (d *Desk) aged(s *conversation.State, now time.Time) float64 {
	return float64(d.config.Ageing) * max(0, now.Sub(s.Arrival.At).Minutes())
}

// whyScore gives the parts of the score.
func (d *Desk) whyScore(s *conversation.State, now time.Time) string {
	base := fmt.Sprintf("priority %d", s.Priority)
	if tier := s.Attributes.Tier(); d.config.Tiers[tier] > 0 && !s.FixedPriority {
		if q := d.queues[s.Queue]; q != nil && s.Priority > q.Priority {
			base = fmt.Sprintf("priority %d + %d for tier %s", q.Priority, s.Priority-q.Priority, tier)
		}
	}
	return fmt.Sprintf("score %s = %s + %s for %s in queue %s",
		points(d.Score(s, now)), base, points(d.aged(s, now)), span(now.Sub(s.Arrival.At)), s.Queue)
}

// points with one digit at most.
func points(x float64) string {
	return strings.TrimSuffix(strconv.FormatFloat(x, 'f', 1, 64), ".0")
}

// span in words: 31 s, 3 min 30 s, 2 h 5 min.
func span(d time.Duration) string {
	d = max(0, d).Round(time.Second)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d/time.Second))
	case d < time.Hour:
		return joinUnits(int(d/time.Minute), "min", int(d%time.Minute/time.Second), "s")
	default:
		return joinUnits(int(d/time.Hour), "h", int(d%time.Hour/time.Minute), "min")
	}
}

func joinUnits(a int, unitA string, b int, unitB string) string {
	if b == 0 {
		return fmt.Sprintf("%d %s", a, unitA)
	}
	return fmt.Sprintf("%d %s %d %s", a, unitA, b, unitB)
}
