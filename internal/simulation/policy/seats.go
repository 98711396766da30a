package policy

import (
	"cmp"
	"math"
	"slices"

	"github.com/deskfleet/deskfleet/internal/simulation/world"
)

// Seats has agents come and go by a plan: so many are there from each step of
// seconds on. Nobody is cut: who is to go finishes what he has, and the least busy
// go first. The world begins with the agents of the first step.
func Seats(w *world.World, step float64, seats []int) {
	const look = 60.0
	for at := 0.0; at < w.Scenario.Seconds; at += look {
		w.Run(at)
		w.Release(math.Inf(1))
		seat(w, seats[min(len(seats)-1, int(at/step))])
	}
	w.Run(w.Scenario.Seconds)
}

func seat(w *world.World, want int) {
	for _, p := range w.Pods() {
		if w.Ready() >= want {
			break
		}
		if p.Phase == world.Draining {
			w.Undrain(p)
		}
	}
	if missing := want - w.Ready(); missing > 0 {
		w.SignOn(missing)
	}
	over := w.Ready() - want
	if over <= 0 {
		return
	}
	active := slices.DeleteFunc(slices.Clone(w.Pods()), func(p *world.Pod) bool { return p.Phase != world.Active })
	slices.SortStableFunc(active, func(a, b *world.Pod) int { return cmp.Compare(a.Busy(), b.Busy()) })
	for _, p := range active[:over] {
		w.Drain(p)
	}
	w.Release(math.Inf(1))
}
