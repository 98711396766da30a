// Package world is a made-up contact centre in virtual time: conversations arrive,
// wait in one queue, are served by pods with slots, or hang up. Pods take a while to
// start, and leave in one of two ways: as a ReplicaSet deletes them, or by drain.
//
// Everything follows from the scenario and its seed. Two runs are alike to the byte.
package world

import (
	"container/heap"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Conversation of a trace. Times are in seconds.
type Conversation struct {
	// Arrival since the beginning of the scenario.
	Arrival float64
	// Service is the handle time, Patience the time after which a customer hangs up who still waits.
	Service, Patience float64
	// Priority: the greater goes first.
	Priority int
}

// Phase of a pod.
type Phase int

// Phases of a pod.
const (
	// Starting pods take no conversations yet.
	Starting Phase = iota
	// Active pods take conversations.
	Active
	// Draining pods take no new conversations, and may be taken back.
	Draining
	// Terminating pods were deleted: they go when they are empty, at the latest when the grace is over.
	Terminating
	gone
)

// Pod with its conversations.
type Pod struct {
	ID int
	// Name sorts as the ID does.
	Name    string
	Phase   Phase
	Created float64
	// Since when it drains or terminates.
	Since   float64
	serving []*service
}

// Busy conversations of the pod.
func (p *Pod) Busy() int { return len(p.serving) }

// GroupAges adds the ages of its conversations in seconds to groups, each the first whose bound is not exceeded: their sums
// and counts. The bounds rise to infinity and are the same each time: as ages only rise, each is looked for from the
// group on in which it was last.
func (p *Pod) GroupAges(now float64, bounds, sums []float64, counts []int) {
	for _, s := range p.serving {
		age := now - s.began
		for bounds[s.group] < age {
			s.group++
		}
		sums[s.group], counts[s.group] = sums[s.group]+age, counts[s.group]+1
	}
}

type service struct {
	*customer
	pod   *Pod
	began float64
	group int
	over  bool
}

type customer struct {
	Conversation
	order    int
	left     float64 // service time that is left
	answered bool
	gone     bool
}

type line []*customer

func (l line) Len() int { return len(l) }
func (l line) Less(i, j int) bool {
	a, b := l[i], l[j]
	switch {
	case a.Priority != b.Priority:
		return a.Priority > b.Priority
	case a.Arrival != b.Arrival:
		return a.Arrival < b.Arrival
	default:
		return a.order < b.order
	}
}
func (l line) Swap(i, j int) { l[i], l[j] = l[j], l[i] }
func (l *line) Push(x any)   { *l = append(*l, x.(*customer)) } //nolint:forcetypeassert // heap.Push below gives nothing else
func (l *line) Pop() any     { old := *l; last := old[len(old)-1]; *l = old[:len(old)-1]; return last }

// World in which one policy works. Make it with [New]. It is not safe for concurrent use.
type World struct {
	Scenario *Scenario
	Now      float64
	// Grace after which a deleted pod's conversations are cut, in seconds.
	Grace float64
	// Pack prefers the fullest pod, so that others become empty; else the emptiest is preferred.
	Pack bool

	events   events
	order    int
	next     int // index of the next arrival
	queue    line
	waiting  int
	pods     []*Pod // that are not gone, by id
	made     int
	busy     int
	rng      *rand.Rand
	recorder recorder
	Counters
	desired  int
	outcomes []Outcome
}

// Counters of what happened since the beginning, and what ended since they were last taken.
type Counters struct {
	Arrivals, Starts, Abandonments, Ends uint64
	WaitedSeconds                        float64
	Handled                              []float64
	ColdStarts                           []float64
	// Refusals are pods that a quota did not allow.
	Refusals uint64
}

// New makes a world with pods that are ready.
func New(s *Scenario, pods int) *World {
	w := &World{Scenario: s, rng: rand.New(rand.NewPCG(s.Seed, 0xc01d))}
	for range pods {
		p := w.create()
		p.Phase = Active
	}
	w.desired = pods
	return w
}

func (w *World) push(e event) {
	w.order++
	e.order = w.order
	w.events.push(e)
}

// Run lets time pass up to an instant, at most to the end of the scenario: who
// looks later, such as a controller that is being stopped, sees the end. A clock
// that goes back is a mistake of the caller.
func (w *World) Run(until float64) {
	until = min(until, w.Scenario.Seconds)
	if until < w.Now {
		panic(fmt.Sprintf("the world is at %g s and cannot go back to %g s", w.Now, until))
	}
	for {
		at, arrival := math.Inf(1), false
		if w.next < len(w.Scenario.Trace) {
			at, arrival = w.Scenario.Trace[w.next].Arrival, true
		}
		if len(w.events) > 0 && w.events[0].at <= at {
			at, arrival = w.events[0].at, false
		}
		if at > until {
			break
		}
		w.advance(at)
		if arrival {
			w.arrive()
		} else {
			w.handle(w.events.pop())
		}
	}
	w.advance(until)
}

func (w *World) advance(to float64) {
	w.recorder.pass(w, to)
	w.Now = to
}

func (w *World) arrive() {
	c := &customer{Conversation: w.Scenario.Trace[w.next], order: w.next}
	c.left = c.Service
	w.next++
	w.enqueue(c)
	w.push(event{at: w.Now + c.Patience, kind: hangsUp, customer: c})
	w.assign()
}

func (w *World) enqueue(c *customer) {
	w.Arrivals++
	w.waiting++
	heap.Push(&w.queue, c)
}

func (w *World) handle(e event) {
	switch e.kind {
	case podReady:
		if e.pod.Phase == Starting {
			e.pod.Phase = Active
			w.ColdStarts = append(w.ColdStarts, w.Now-e.pod.Created)
			w.assign()
		}
	case serviceEnds:
		if !e.service.over {
			w.Handled = append(w.Handled, w.Now-e.service.began)
			w.noteEnd(e.service.customer)
			w.end(e.service)
			w.assign()
		}
	case hangsUp:
		if !e.customer.answered {
			e.customer.gone = true
			w.waiting--
			w.Abandonments++
			w.WaitedSeconds += w.Now - e.customer.Arrival
			w.recorder.abandoned++
			w.noteAbandonment(e.customer)
		}
	case graceEnds:
		for len(e.pod.serving) > 0 {
			w.noteEnd(e.pod.serving[0].customer)
			w.end(e.pod.serving[0])
			w.recorder.dropped++
		}
		w.remove(e.pod)
	}
}

// end takes a conversation from its pod, which goes if it was the last one of a deleted pod.
func (w *World) end(s *service) {
	s.over = true
	w.busy--
	w.Ends++
	p := s.pod
	p.serving = slices.DeleteFunc(p.serving, func(o *service) bool { return o == s })
	if p.Phase == Terminating && len(p.serving) == 0 {
		w.remove(p)
	}
}

// assign gives waiting conversations to free slots.
func (w *World) assign() {
	for w.waiting > 0 {
		p := w.choose()
		if p == nil {
			return
		}
		c := heap.Pop(&w.queue).(*customer) //nolint:forcetypeassert // the heap has nothing else
		if c.gone {
			continue
		}
		w.waiting--
		s := &service{customer: c, pod: p, began: w.Now}
		if !c.answered {
			c.answered = true
			w.noteAnswer(c)
			w.recorder.answer(w.Now-c.Arrival, w.Scenario.Within)
			w.WaitedSeconds += w.Now - c.Arrival
		}
		p.serving = append(p.serving, s)
		w.busy++
		w.Starts++
		w.push(event{at: w.Now + c.left, kind: serviceEnds, service: s})
	}
}

func (w *World) choose() *Pod {
	var best *Pod
	for _, p := range w.pods {
		if p.Phase != Active || len(p.serving) >= w.Scenario.Slots {
			continue
		}
		if best == nil || w.Pack && len(p.serving) > len(best.serving) || !w.Pack && len(p.serving) < len(best.serving) {
			best = p
		}
	}
	return best
}

func (w *World) create() *Pod {
	w.made++
	p := &Pod{ID: w.made, Name: fmt.Sprintf("%06d", w.made), Created: w.Now}
	w.pods = append(w.pods, p)
	return p
}

func (w *World) start(n int) {
	for range n {
		if quota := w.Scenario.quota(w.Now); quota > 0 && len(w.pods) >= quota {
			w.Refusals++
			return
		}
		p := w.create()
		cold := w.Scenario.cold(w.Now) * (0.8 + 0.4*w.rng.Float64())
		w.push(event{at: w.Now + cold, kind: podReady, pod: p})
	}
}

func (w *World) remove(p *Pod) {
	p.Phase = gone
	w.pods = slices.DeleteFunc(w.pods, func(o *Pod) bool { return o == p })
}

func (w *World) count(phases ...Phase) int {
	n := 0
	for _, p := range w.pods {
		if slices.Contains(phases, p.Phase) {
			n++
		}
	}
	return n
}

// Replicas that were asked for, as a Deployment counts them: without deleted pods.
func (w *World) Replicas() int { return w.count(Starting, Active, Draining) }

// Ready pods that take conversations.
func (w *World) Ready() int { return w.count(Active) }

// Pods that exist.
func (w *World) Pods() []*Pod { return w.pods }

// Waiting conversations, and Busy those in progress.
func (w *World) Waiting() int { return w.waiting }

// Busy is the number of conversations in progress.
func (w *World) Busy() int { return w.busy }
