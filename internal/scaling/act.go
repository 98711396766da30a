package scaling

import (
	"cmp"
	"fmt"
	"slices"
)

// Pod of a pool that has not been told to end.
type Pod struct {
	Name  string
	Ready bool
	// Leaving says that the pod has been given up: its deletion cost is the lowest.
	Leaving bool
}

// ActInput is what may be done about a pool is decided from.
type ActInput struct {
	// Wanted active workers, and Replicas that the workload has now.
	Wanted, Replicas int
	// Fresh says that Workers are what the desk reported a moment ago.
	Fresh   bool
	Workers []Worker
	Pods    []Pod
	// RollingOut says that pods of two revisions exist: which one of them goes is not ours to choose then.
	RollingOut bool
	// Blind allows to shrink without knowing what is cut.
	Blind bool
}

// Action is what may be done about a pool now.
type Action struct {
	// Replicas to set.
	Replicas int
	// Leave names the pods to give up: they have no conversation, and are the ones that go when the number falls.
	Leave []string
	// Stay names the pods that were given up before and are not to go any more.
	Stay []string
	// Leaving names all pods that are given up after this.
	Leaving []string
	// Waits says in words why Replicas is not Wanted yet; empty when it is.
	Waits string
	// Undrained says that the number falls although nobody knows what is cut.
	Undrained bool
}

// Act says what may be done to bring a pool to its wanted workers. The number of
// replicas rises at once. It falls by the workers that have confirmed that they
// have nothing left, and by pods that never came to serve; never below what is
// wanted.
func Act(in *ActInput) Action {
	wanted, replicas := max(0, in.Wanted), max(0, in.Replicas)
	a := Action{Replicas: replicas}
	switch {
	case wanted >= replicas:
		a.Replicas = wanted
	case in.Blind:
		a.Replicas, a.Undrained = wanted, true
	default:
		if a.Waits = in.obstacle(replicas - wanted); a.Waits == "" {
			a.Replicas = max(wanted, min(replicas, in.serving()))
			a.Leave = in.leave(replicas - a.Replicas)
			if a.Replicas > wanted {
				a.Waits = fmt.Sprintf("%d of %d workers are draining", a.Replicas-wanted, a.Replicas)
			}
		}
	}
	in.mark(&a)
	return a
}

// obstacle says in words why nobody may leave now; empty when that may be.
func (in *ActInput) obstacle(leaving int) string {
	switch {
	case len(in.Pods) == 0 && len(in.Workers) == 0:
		return "" // there is nobody yet
	case !in.Fresh:
		return fmt.Sprintf("%d of %d workers are to leave, and the desk does not report what they do", leaving, in.Replicas)
	case in.RollingOut:
		return fmt.Sprintf("%d of %d workers are to leave after the rollout", leaving, in.Replicas)
	}
	if pod := in.talking(); pod != "" {
		return fmt.Sprintf("pod %s is not ready and has conversations: it would be the first to go", pod)
	}
	return ""
}

// mark sorts the pods that were given up before: those that are still about to
// go, and those that are not. As long as there are more pods than replicas some
// are about to be deleted.
func (in *ActInput) mark(a *Action) {
	for _, p := range in.Pods {
		serves := slices.ContainsFunc(in.Workers, func(w Worker) bool { return w.Name == p.Name && w.active() })
		switch {
		case slices.Contains(a.Leave, p.Name), p.Leaving && !serves && len(in.Pods) > a.Replicas:
			a.Leaving = append(a.Leaving, p.Name)
		case p.Leaving:
			a.Stay = append(a.Stay, p.Name)
		}
	}
}

// serving counts the workers that have or may get a conversation: those that are
// signed on and not drained, and ready pods that are about to sign on.
func (in *ActInput) serving() int {
	n := 0
	known := map[string]bool{}
	for i := range in.Workers {
		known[in.Workers[i].Name] = true
		if !in.Workers[i].Drained() {
			n++
		}
	}
	for _, p := range in.Pods {
		if p.Ready && !known[p.Name] {
			n++
		}
	}
	return n
}

// talking names a pod that is not ready and has conversations. A ReplicaSet takes
// such a pod before any other, whatever its deletion cost.
func (in *ActInput) talking() string {
	for _, p := range in.Pods {
		if p.Ready {
			continue
		}
		if i := slices.IndexFunc(in.Workers, func(w Worker) bool { return w.Name == p.Name && w.Busy > 0 }); i >= 0 {
			return p.Name
		}
	}
	return ""
}

// leave picks n drained workers' pods to give up: those that were given up
// already, then by name.
func (in *ActInput) leave(n int) []string {
	var drained []Pod
	for _, p := range in.Pods {
		if slices.ContainsFunc(in.Workers, func(w Worker) bool { return w.Name == p.Name && w.Drained() }) {
			drained = append(drained, p)
		}
	}
	slices.SortFunc(drained, func(a, b Pod) int {
		if a.Leaving != b.Leaving {
			if a.Leaving {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.Name, b.Name)
	})
	drained = drained[:min(n, len(drained))]
	if len(drained) == 0 {
		return nil
	}
	names := make([]string, 0, len(drained))
	for _, p := range drained {
		names = append(names, p.Name)
	}
	return names
}
