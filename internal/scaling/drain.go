package scaling

import (
	"cmp"
	"slices"
	"time"
)

// Worker is a signed-on bot worker of a pool.
type Worker struct {
	// Name of the worker, which is its pod's.
	Name string
	// Busy is how many conversations it has.
	Busy int
	// Draining says that it takes nothing new, Since when.
	Draining bool
	Since    time.Time
	// Own says that the worker drains by itself, as it was told to end: that cannot be taken back.
	Own bool
	// Leaving says that its pod has been given up: it must not be taken back into service.
	Leaving bool
}

// Drained says that the worker takes nothing new and has nothing left.
func (w *Worker) Drained() bool { return w.Draining && w.Busy == 0 }

func (w *Worker) active() bool { return !w.Draining && !w.Leaving }

// Marks are the changes that bring a pool to its wanted number of active workers.
type Marks struct {
	// Drain names workers to mark, Undrain those whose marks are taken back; each in order.
	Drain, Undrain []string
}

// PlanDrain plans which workers of a pool to mark so that the wanted number stays
// active. The least busy go first, as they are empty soonest; the busiest come
// back first, as they would be empty last. A mark that stands is kept: to swap it
// for a worker that has become less busy would only hand more conversations over.
func PlanDrain(workers []Worker, wanted int) Marks {
	var m Marks
	active := 0
	var candidates []Worker
	for _, w := range workers {
		switch {
		case w.active():
			active++
		case w.Leaving && !w.Draining:
			m.Drain = append(m.Drain, w.Name)
		}
	}
	wanted = max(0, wanted)
	for _, w := range workers {
		back := w.Draining && !w.Own && !w.Leaving
		if active > wanted && w.active() || active < wanted && back {
			candidates = append(candidates, w)
		}
	}
	slices.SortFunc(candidates, func(a, b Worker) int { return cmp.Or(cmp.Compare(a.Busy, b.Busy), cmp.Compare(a.Name, b.Name)) })
	if active > wanted {
		for _, w := range candidates[:active-wanted] {
			m.Drain = append(m.Drain, w.Name)
		}
	} else if active < wanted {
		slices.Reverse(candidates)
		for _, w := range candidates[:min(len(candidates), wanted-active)] {
			m.Undrain = append(m.Undrain, w.Name)
		}
	}
	slices.Sort(m.Drain)
	slices.Sort(m.Undrain)
	return m
}

// Overdue names the draining workers that still have conversations when their
// time is over: those are handed over.
func Overdue(workers []Worker, now time.Time, deadline time.Duration) []string {
	var names []string
	for _, w := range workers {
		if w.Draining && w.Busy > 0 && !w.Since.IsZero() && now.Sub(w.Since) >= deadline {
			names = append(names, w.Name)
		}
	}
	slices.Sort(names)
	return names
}
