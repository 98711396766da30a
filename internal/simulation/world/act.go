package world

import "slices"

// Scale sets the replicas as a ReplicaSet does: it creates, or deletes those that are
// not ready first, then the newest. Deleted pods take nothing new and are cut when the
// grace is over.
func (w *World) Scale(replicas int) {
	replicas = min(max(0, replicas), w.Scenario.Max)
	if replicas != w.desired {
		w.recorder.scaleEvents++
		w.desired = replicas
	}
	have := w.Replicas()
	if have <= replicas {
		w.start(replicas - have)
		return
	}
	var live []*Pod
	for _, p := range w.pods {
		if p.Phase == Starting || p.Phase == Active {
			live = append(live, p)
		}
	}
	slices.SortStableFunc(live, func(a, b *Pod) int {
		if a.Phase != b.Phase {
			return int(a.Phase - b.Phase)
		}
		return b.ID - a.ID
	})
	for _, p := range live[:have-replicas] {
		p.Phase, p.Since = Terminating, w.Now
		if len(p.serving) == 0 {
			w.remove(p)
			continue
		}
		w.push(event{at: w.Now + w.Grace, kind: graceEnds, pod: p})
	}
}

// Desired replicas that were asked for last.
func (w *World) Desired() int { return w.desired }

// Wanted notes how many active pods a policy that drains asks for, and fills what is missing: draining pods are not counted.
func (w *World) Wanted(active int) {
	active = min(max(0, active), w.Scenario.Max)
	if active != w.desired {
		w.recorder.scaleEvents++
		w.desired = active
	}
	if missing := active - w.count(Starting, Active); missing > 0 {
		w.start(missing)
	}
}

// Cancel deletes pods that have not started yet; they have nothing.
func (w *World) Cancel(n int) int {
	cancelled := 0
	for _, p := range slices.Backward(slices.Clone(w.pods)) {
		if cancelled < n && p.Phase == Starting {
			w.remove(p)
			cancelled++
		}
	}
	return cancelled
}

// SignOn makes pods that serve at once, as people do who sit down.
func (w *World) SignOn(n int) {
	for range n {
		w.create().Phase = Active
	}
	w.assign()
}

// Drain marks a pod, Undrain takes the mark back.
func (w *World) Drain(p *Pod) {
	if p.Phase == Active {
		p.Phase, p.Since = Draining, w.Now
	}
}

// Undrain takes a pod's mark back.
func (w *World) Undrain(p *Pod) {
	if p.Phase == Draining {
		p.Phase = Active
		w.assign()
	}
}

// Release removes draining pods that are empty, and hands over what those have that have drained for longer than a deadline.
func (w *World) Release(deadline float64) {
	for _, p := range slices.Clone(w.pods) {
		if p.Phase != Draining {
			continue
		}
		if w.Now-p.Since >= deadline {
			w.handOver(p)
		}
		if len(p.serving) == 0 {
			w.remove(p)
		}
	}
}

// handOver puts a pod's conversations back into the queue at their old place: the time that they have left is theirs.
func (w *World) handOver(p *Pod) {
	for len(p.serving) > 0 {
		s := p.serving[0]
		s.left = max(0, s.left-(w.Now-s.began))
		w.end(s)
		w.recorder.handedOver++
		w.enqueue(s.customer)
	}
	w.assign()
}
