package scaling_test

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/deskfleet/deskfleet/internal/scaling"
)

func TestPlanDrain(t *testing.T) {
	for _, c := range []struct {
		name    string
		workers []scaling.Worker
		wanted  int
		want    scaling.Marks
	}{
		{
			name:    "the least busy go first",
			workers: []scaling.Worker{{Name: "a", Busy: 3}, {Name: "b", Busy: 1}, {Name: "c", Busy: 2}},
			wanted:  1, want: scaling.Marks{Drain: []string{"b", "c"}},
		},
		{
			name:    "equals go by name",
			workers: []scaling.Worker{{Name: "c"}, {Name: "a"}, {Name: "b"}},
			wanted:  2, want: scaling.Marks{Drain: []string{"a"}},
		},
		{
			name:    "marks stay while they suffice",
			workers: []scaling.Worker{{Name: "a", Busy: 4, Draining: true}, {Name: "b"}, {Name: "c", Busy: 5}},
			wanted:  2, want: scaling.Marks{},
		},
		{
			name:    "the busiest come back first",
			workers: []scaling.Worker{{Name: "a", Busy: 1, Draining: true}, {Name: "b", Busy: 4, Draining: true}, {Name: "c", Busy: 5}},
			wanted:  2, want: scaling.Marks{Undrain: []string{"b"}},
		},
		{
			name:    "who ends by itself does not come back",
			workers: []scaling.Worker{{Name: "a", Busy: 3, Draining: true, Own: true}, {Name: "b", Draining: true}, {Name: "c"}},
			wanted:  3, want: scaling.Marks{Undrain: []string{"b"}},
		},
		{
			name:    "nor does who was given up, and it takes nothing new",
			workers: []scaling.Worker{{Name: "a", Draining: true, Leaving: true}, {Name: "b", Leaving: true}, {Name: "c"}},
			wanted:  3, want: scaling.Marks{Drain: []string{"b"}},
		},
		{
			name:    "none are wanted",
			workers: []scaling.Worker{{Name: "a", Busy: 2}},
			wanted:  -1, want: scaling.Marks{Drain: []string{"a"}},
		},
		{name: "none are there", wanted: 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, scaling.PlanDrain(c.workers, c.wanted)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func drawWorkers(t *rapid.T) []scaling.Worker {
	var workers []scaling.Worker
	for i := range rapid.IntRange(0, 12).Draw(t, "workers") {
		w := scaling.Worker{
			Name: "w" + strconv.Itoa(i), Busy: rapid.IntRange(0, 5).Draw(t, "busy"), Draining: rapid.Bool().Draw(t, "draining"),
			Own: rapid.IntRange(0, 4).Draw(t, "own") == 0, Leaving: rapid.IntRange(0, 4).Draw(t, "leaving") == 0,
		}
		w.Own = w.Own && w.Draining
		workers = append(workers, w)
	}
	return workers
}

// After the plan the wanted number is active, or as many as there are; a second plan changes nothing.
func TestPlanDrainReachesTheWantedNumber(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		workers := drawWorkers(t)
		wanted := rapid.IntRange(0, 12).Draw(t, "wanted")
		plan := scaling.PlanDrain(workers, wanted)
		active, possible := 0, 0
		for i := range workers {
			w := &workers[i]
			switch {
			case slices.Contains(plan.Drain, w.Name):
				w.Draining = true
			case slices.Contains(plan.Undrain, w.Name):
				if w.Own || w.Leaving {
					t.Fatalf("%+v was taken back", *w)
				}
				w.Draining = false
			}
			if !w.Draining {
				active++
			}
			if !w.Own && !w.Leaving {
				possible++
			}
		}
		if active != min(wanted, possible) {
			t.Fatalf("%d are active, %d are wanted, %d could be", active, wanted, possible)
		}
		if again := scaling.PlanDrain(workers, wanted); len(again.Drain)+len(again.Undrain) > 0 {
			t.Fatalf("a second plan changes %+v", again)
		}
	})
}

func TestOverdue(t *testing.T) {
	workers := []scaling.Worker{
		{Name: "b", Busy: 1, Draining: true, Since: at(-600)},
		{Name: "a", Busy: 1, Draining: true, Since: at(-700)},
		{Name: "in time", Busy: 1, Draining: true, Since: at(-599)},
		{Name: "drained", Draining: true, Since: at(-900)},
		{Name: "serving", Busy: 1, Since: at(-900)},
		{Name: "unknown", Busy: 1, Draining: true},
	}
	if got := scaling.Overdue(workers, noon, 10*time.Minute); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("got %v", got)
	}
}

func TestAct(t *testing.T) {
	serving := func(names ...string) []scaling.Pod {
		var pods []scaling.Pod
		for _, n := range names {
			pods = append(pods, scaling.Pod{Name: n, Ready: true})
		}
		return pods
	}
	drained, busy := scaling.Worker{Name: "a", Draining: true}, scaling.Worker{Name: "b", Busy: 2, Draining: true}
	for _, c := range []struct {
		name string
		in   scaling.ActInput
		want scaling.Action
	}{
		{
			name: "more is made at once, without figures too",
			in:   scaling.ActInput{Wanted: 9, Replicas: 4},
			want: scaling.Action{Replicas: 9},
		},
		{
			name: "as many as wanted",
			in:   scaling.ActInput{Wanted: 2, Replicas: 2, Fresh: true, Workers: []scaling.Worker{drained, {Name: "b"}}, Pods: serving("a", "b")},
			want: scaling.Action{Replicas: 2},
		},
		{
			name: "only the drained one goes",
			in:   scaling.ActInput{Wanted: 1, Replicas: 3, Fresh: true, Workers: []scaling.Worker{drained, busy, {Name: "c"}}, Pods: serving("a", "b", "c")},
			want: scaling.Action{Replicas: 2, Leave: []string{"a"}, Leaving: []string{"a"}, Waits: "1 of 2 workers are draining"},
		},
		{
			name: "none goes while all talk",
			in:   scaling.ActInput{Wanted: 1, Replicas: 2, Fresh: true, Workers: []scaling.Worker{busy, {Name: "c"}}, Pods: serving("b", "c")},
			want: scaling.Action{Replicas: 2, Waits: "1 of 2 workers are draining"},
		},
		{
			name: "never under what is wanted",
			in: scaling.ActInput{Wanted: 2, Replicas: 3, Fresh: true, Pods: serving("a", "b", "c"),
				Workers: []scaling.Worker{drained, {Name: "b", Draining: true}, {Name: "c", Draining: true}}},
			want: scaling.Action{Replicas: 2, Leave: []string{"a"}, Leaving: []string{"a"}},
		},
		{
			name: "who was given up stays given up",
			in: scaling.ActInput{Wanted: 2, Replicas: 3, Fresh: true, Workers: []scaling.Worker{drained, {Name: "b", Draining: true}, {Name: "c"}},
				Pods: []scaling.Pod{{Name: "a", Ready: true}, {Name: "b", Ready: true, Leaving: true}, {Name: "c", Ready: true}}},
			want: scaling.Action{Replicas: 2, Leave: []string{"b"}, Leaving: []string{"b"}},
		},
		{
			name: "it stays so until it has gone",
			in: scaling.ActInput{Wanted: 1, Replicas: 2, Fresh: true, Workers: []scaling.Worker{drained, busy, {Name: "c"}},
				Pods: []scaling.Pod{{Name: "a", Ready: true, Leaving: true}, {Name: "b", Ready: true}, {Name: "c", Ready: true}}},
			want: scaling.Action{Replicas: 2, Leaving: []string{"a"}, Waits: "1 of 2 workers are draining"},
		},
		{
			name: "another pod went in its place, and it is needed",
			in: scaling.ActInput{Wanted: 2, Replicas: 2, Fresh: true, Workers: []scaling.Worker{drained, {Name: "c"}},
				Pods: []scaling.Pod{{Name: "a", Ready: true, Leaving: true}, {Name: "c", Ready: true}}},
			want: scaling.Action{Replicas: 2, Stay: []string{"a"}},
		},
		{
			name: "a pool that has just been made has nobody to drain",
			in:   scaling.ActInput{Wanted: 0, Replicas: 1},
			want: scaling.Action{Replicas: 0},
		},
		{
			name: "a pod that serves again is no longer given up",
			in: scaling.ActInput{Wanted: 2, Replicas: 2, Fresh: true, Workers: []scaling.Worker{{Name: "a"}, {Name: "b"}},
				Pods: []scaling.Pod{{Name: "a", Ready: true, Leaving: true}, {Name: "b", Ready: true}}},
			want: scaling.Action{Replicas: 2, Stay: []string{"a"}},
		},
		{
			name: "pods that never came up go without a drain",
			in: scaling.ActInput{Wanted: 1, Replicas: 5, Fresh: true, Workers: []scaling.Worker{{Name: "a"}},
				Pods: []scaling.Pod{{Name: "a", Ready: true}, {Name: "b"}, {Name: "c"}}},
			want: scaling.Action{Replicas: 1},
		},
		{
			name: "a ready pod is about to sign on",
			in:   scaling.ActInput{Wanted: 1, Replicas: 2, Fresh: true, Workers: []scaling.Worker{{Name: "a"}}, Pods: serving("a", "b")},
			want: scaling.Action{Replicas: 2, Waits: "1 of 2 workers are draining"},
		},
		{
			name: "a silent desk keeps what it has",
			in:   scaling.ActInput{Wanted: 1, Replicas: 3, Workers: []scaling.Worker{drained}, Pods: serving("a", "b", "c")},
			want: scaling.Action{Replicas: 3, Waits: "2 of 3 workers are to leave, and the desk does not report what they do"},
		},
		{
			name: "blind",
			in:   scaling.ActInput{Wanted: 1, Replicas: 3, Blind: true, Pods: serving("a", "b", "c")},
			want: scaling.Action{Replicas: 1, Undrained: true},
		},
		{
			name: "not during a rollout",
			in:   scaling.ActInput{Wanted: 1, Replicas: 3, Fresh: true, RollingOut: true, Workers: []scaling.Worker{drained}, Pods: serving("a", "b", "c")},
			want: scaling.Action{Replicas: 3, Waits: "2 of 3 workers are to leave after the rollout"},
		},
		{
			name: "a pod that is not ready would be taken before the drained one",
			in: scaling.ActInput{Wanted: 1, Replicas: 2, Fresh: true, Workers: []scaling.Worker{drained, {Name: "b", Busy: 1}},
				Pods: []scaling.Pod{{Name: "a", Ready: true}, {Name: "b"}}},
			want: scaling.Action{Replicas: 2, Waits: "pod b is not ready and has conversations: it would be the first to go"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, scaling.Act(&c.in)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Whatever is reported, no replica goes that may have a conversation, unless the
// caller allowed it.
func TestActTakesNobodyWhoTalks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := scaling.ActInput{
			Wanted: rapid.IntRange(0, 12).Draw(t, "wanted"), Fresh: rapid.Bool().Draw(t, "fresh"),
			RollingOut: rapid.Bool().Draw(t, "rolling out"), Workers: drawWorkers(t),
		}
		mayTalk := 0
		for i := range in.Workers {
			in.Pods = append(in.Pods, scaling.Pod{Name: in.Workers[i].Name, Ready: rapid.IntRange(0, 4).Draw(t, "ready") > 0, Leaving: rapid.Bool().Draw(t, "given up")})
			if !in.Workers[i].Drained() {
				mayTalk++
			}
		}
		in.Replicas = len(in.Pods)
		a := scaling.Act(&in)
		switch {
		case a.Replicas < min(in.Wanted, in.Replicas) || a.Replicas > max(in.Wanted, in.Replicas):
			t.Fatalf("%d replicas from %d, %d are wanted", a.Replicas, in.Replicas, in.Wanted)
		case a.Replicas < in.Replicas && (!in.Fresh || in.RollingOut || a.Replicas < mayTalk):
			t.Fatalf("%d replicas from %d, %d may talk: %+v", a.Replicas, in.Replicas, mayTalk, in)
		case a.Undrained:
			t.Fatal("nobody allowed that")
		}
		if fall := max(0, in.Replicas-a.Replicas); len(a.Leave) != fall {
			t.Fatalf("the number falls by %d, given up are %v", fall, a.Leave)
		}
	})
}
