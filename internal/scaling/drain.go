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
	active, wanted := 0, max(0, wanted)
	for i := range workers {
		switch w := &workers[i]; {
		case w.active():
			active++
		case w.Leaving && !w.Draining:
			m.Drain = append(m.Drain, w.Name)
		}
	}
	switch {
	case active > wanted:
		m.Drain = append(m.Drain, byBusy(workers, (*Worker).active)[:active-wanted]...)
	case active < wanted:
		back := byBusy(workers, func(w *Worker) bool { return w.Draining && !w.Own && !w.Leaving })
		m.Undrain = append(m.Undrain, back[max(0, len(back)-(wanted-active)):]...)
	}
	slices.Sort(m.Drain)
	slices.Sort(m.Undrain)
	return m
}

// byBusy names the chosen workers, the least busy first.
func byBusy(workers []Worker, chosen func(*Worker) bool) []string {
	var some []*Worker
	for i := range workers {
		if chosen(&workers[i]) {
			some = append(some, &workers[i])
		}
	}
	slices.SortFunc(some, func(a, b *Worker) int { return cmp.Or(cmp.Compare(a.Busy, b.Busy), cmp.Compare(a.Name, b.Name)) })
	names := make([]string, 0, len(some))
	for _, w := range some {
		names = append(names, w.Name)
	}
	return names
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
