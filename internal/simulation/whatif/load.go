package whatif

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/deskfleet/deskfleet/internal/scaling"
	"github.com/deskfleet/deskfleet/internal/simulation/world"
)

// load of one draw.
type load struct {
	// bots are the arrivals by pool of bots, people what arrives without one; customers are by their index.
	bots   [][]world.Conversation
	people []world.Conversation
	// index of each conversation of a pool of bots among all.
	index [][]int
	// handsOff, humanHandle and patience are of each customer, whatever becomes of it: another desk is asked about the same customers.
	handsOff              []bool
	humanHandle, patience []float64
	humanPool             []float64
}

// Streams of chance of the customers, one a concern, besides those of the trace.
const (
	streamHandOff = 11 + iota
	streamHumanHandle
	streamPatience
	streamBotPool
	streamHumanPool
)

// draw the load of a seed. What a trace does not say is drawn, one customer after the other.
func (q *Question) draw(seed uint64) *load {
	stream := func(n uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, n)) }
	draws := world.NewDraws(seed)
	list := q.Trace.Arrivals(draws)
	handOff, humanHandle, patience := stream(streamHandOff), stream(streamHumanHandle), stream(streamPatience)
	botPool, humanPool := stream(streamBotPool), stream(streamHumanPool)
	l := &load{bots: make([][]world.Conversation, len(q.Desk.Bots)), index: make([][]int, len(q.Desk.Bots))}
	shares := botShares(q.Desk.Bots)
	for i := range list {
		c := &list[i]
		recorded := c.Service > 0
		if service := q.BotHandle.draw(draws.Handle); !recorded {
			c.Service = service
		}
		if p := q.Patience.draw(draws.Patience); c.Patience == 0 {
			c.Patience = p
		}
		l.handsOff = append(l.handsOff, handOff.Float64() < q.HandOff)
		handle := q.HumanHandle.draw(humanHandle)
		if recorded && len(q.Desk.Bots) == 0 {
			handle = c.Service // the trace says how long people took
		}
		l.humanHandle = append(l.humanHandle, handle)
		l.patience = append(l.patience, q.Patience.draw(patience))
		l.humanPool = append(l.humanPool, humanPool.Float64())
		if pool := pick(shares, botPool.Float64()); pool >= 0 {
			l.bots[pool] = append(l.bots[pool], *c)
			l.index[pool] = append(l.index[pool], i)
		}
	}
	if len(q.Desk.Bots) == 0 {
		l.people = list
	}
	return l
}

// pick the pool into whose share a number from 0 to 1 falls; -1 without pools.
func pick(shares []float64, at float64) int {
	for i, s := range shares {
		if at -= s; at < 0 {
			return i
		}
	}
	return len(shares) - 1
}

// botShares divides what arrives by the greatest number of slots that pools may have.
func botShares(pools []Bots) []float64 {
	slots := make([]float64, len(pools))
	for i := range pools {
		workers := pools[i].Replicas
		if s := pools[i].Scaling; s != nil {
			workers = s.Max
		}
		slots[i] = float64(workers * pools[i].Concurrency)
	}
	return proportions(slots)
}

// humanShares divides what is handed off by the slots of the usual seats.
func humanShares(pools []People) []float64 {
	slots := make([]float64, len(pools))
	for i := range pools {
		slots[i] = float64(pools[i].Usual * pools[i].Concurrency)
	}
	return proportions(slots)
}

func proportions(parts []float64) []float64 {
	sum := 0.0
	for _, p := range parts {
		sum += p
	}
	for i := range parts {
		if sum > 0 {
			parts[i] /= sum
		} else {
			parts[i] = 1 / float64(len(parts))
		}
	}
	return parts
}

// handedOff are the conversations that come to people, by pool: those that bots answered and handed off, when they were
// done with them.
func (q *Question) handedOff(l *load, outcomes [][]world.Outcome) [][]world.Conversation {
	arrivals := slices.Clone(l.people)
	customers := make([]int, 0, len(arrivals))
	for i := range arrivals {
		customers = append(customers, i)
	}
	for pool, list := range l.bots {
		for i := range list {
			ended, customer := outcomes[pool][i].Ended, l.index[pool][i]
			if math.IsNaN(ended) || !l.handsOff[customer] {
				continue
			}
			arrivals = append(arrivals, world.Conversation{Arrival: ended, Priority: list[i].Priority})
			customers = append(customers, customer)
		}
	}
	byPool := make([][]world.Conversation, len(q.Desk.People))
	shares := humanShares(q.Desk.People)
	for i, c := range arrivals {
		customer := customers[i]
		pool := pick(shares, l.humanPool[customer])
		if pool < 0 || q.Desk.Open != nil && !q.Desk.Open(q.at(c.Arrival)) {
			continue
		}
		c.Service = l.humanHandle[customer] + q.Desk.People[pool].WrapUp.Seconds()
		if c.Patience == 0 {
			c.Patience = l.patience[customer]
		}
		byPool[pool] = append(byPool[pool], c)
	}
	for _, list := range byPool {
		slices.SortStableFunc(list, func(a, b world.Conversation) int { return cmp.Compare(a.Arrival, b.Arrival) })
	}
	return byPool
}

func (q *Question) at(seconds float64) time.Time {
	return q.Start.Add(time.Duration(seconds * float64(time.Second)))
}

// Announced multiplies usual arrivals in bins of a width from a start by what peaks announce: those that announce how many
// come replace what is usual. Of several lists of peaks the one that announces most counts.
func Announced(start time.Time, width time.Duration, usual []float64, lists ...[]scaling.Peak) []float64 {
	counts := slices.Clone(usual)
	for i := range counts {
		at := start.Add(time.Duration(i) * width)
		most, announced := 0.0, false
		for _, peaks := range lists {
			if n, there := expected(at, width, usual[i], peaks); there {
				most, announced = max(most, n), true
			}
		}
		if announced {
			counts[i] = most
		}
	}
	return counts
}

// expected arrivals of a bin with the peaks that run at its beginning.
func expected(at time.Time, width time.Duration, usual float64, peaks []scaling.Peak) (n float64, announced bool) {
	n = usual
	instead := 0.0
	for i := range peaks {
		p := &peaks[i]
		if at.Before(p.Start) || !at.Before(p.End) {
			continue
		}
		if p.Multiplier > 0 {
			n, announced = n*p.Multiplier, true
		}
		if p.ExpectedArrivals > 0 {
			instead, announced = instead+p.ExpectedArrivals*width.Seconds()/p.End.Sub(p.Start).Seconds(), true
		}
	}
	return max(n, instead), announced
}

// TypicalDay are the usual arrivals of each five minutes of a local day on which so many come, and History those of the
// weeks before, of which Saturdays and Sundays are quieter.
func TypicalDay(midnight time.Time, perDay float64, weeks int) (day, history []float64) {
	curve := func(at time.Time) []float64 {
		counts := proportions(world.Typical(at))
		for i := range counts {
			counts[i] *= perDay * world.OfWeek(at.Weekday()) / world.OfWeek(midnight.Weekday())
		}
		return counts
	}
	for at := midnight.AddDate(0, 0, -7*weeks); at.Before(midnight); at = at.AddDate(0, 0, 1) {
		history = append(history, curve(at)...)
	}
	return curve(midnight), history
}
