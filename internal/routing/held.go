package routing

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
)

// HoldStep lets a step of a queue's degradation ladder apply until a time, whatever wait is predicted, because a person
// says so. Who may is for the caller to know. Held again it has the new time and reason.
type HoldStep struct {
	// By whom.
	By string
	// Queue, and the step of its ladder from 1.
	Queue string
	Step  int
	// Until when, at most conversation.MaxHeld from now on.
	Until  time.Time
	Reason string
}

func (in HoldStep) decide(d *Desk, now time.Time) error {
	what := fmt.Sprintf("step %d of queue %q is not held", in.Step, in.Queue)
	q, step, err := d.stepNamed(in.Queue, in.Step, what)
	if err != nil {
		return err
	}
	until := in.Until.Round(0).UTC()
	if !until.After(now) || until.Sub(now) > conversation.MaxHeld {
		return &RefusalError{
			Code: CodeMalformed, Field: "until", Value: until.Format(time.RFC3339), What: what,
			Why:    fmt.Sprintf("until is %s, and now it is %s", until.Format(time.RFC3339), now.Format(time.RFC3339)),
			Remedy: fmt.Sprintf("give a time in the next %d hours, at which it ends by itself; it can be held again then", int(conversation.MaxHeld/time.Hour)),
		}
	}
	body := &conversation.StepHeld{Queue: q.name, HeldStep: conversation.HeldStep{
		Step: in.Step, Action: string(step.Action), Target: step.Target(), Until: until, By: in.By, Reason: strings.TrimSpace(in.Reason),
	}}
	if err := body.Validate(); err != nil {
		refusal := &RefusalError{Code: CodeMalformed, What: what, Why: err.Error(), Remedy: "correct it and send it again"}
		if wrong, ok := errors.AsType[*conversation.FieldError](err); ok {
			refusal.Field, refusal.Value, refusal.Remedy = wrong.Field, wrong.Value, wrong.Remedy
		}
		return refusal
	}
	if slices.Contains(d.held[q.name], body.HeldStep) {
		return nil
	}
	d.emit(now, "", body)
	if step.Action == ActionPool {
		d.matchFree(now)
	}
	if closed, _ := d.closed(now); !closed {
		d.sweep(q, mostAtOnce, now)
	}
	return nil
}

// ReleaseStep leaves a step to the predicted wait again. One that is not held is released already.
type ReleaseStep struct {
	// By whom.
	By    string
	Queue string
	Step  int
}

func (in ReleaseStep) decide(d *Desk, now time.Time) error {
	if _, _, err := d.stepNamed(in.Queue, in.Step, fmt.Sprintf("step %d of queue %q is not released", in.Step, in.Queue)); err != nil {
		return err
	}
	if slices.ContainsFunc(d.held[in.Queue], func(h conversation.HeldStep) bool { return h.Step == in.Step }) {
		d.emit(now, "", &conversation.StepReleased{Queue: in.Queue, Step: in.Step, By: in.By})
	}
	return nil
}

// stepNamed finds a declared step.
func (d *Desk) stepNamed(queue string, step int, what string) (*queue, *Step, error) {
	if !d.hasQueue(queue) {
		return nil, nil, &RefusalError{
			Code: CodeUnknownQueue, Field: "queue", Value: queue, What: what, Why: fmt.Sprintf("the desk has no queue %q", queue),
			Remedy: "use one of " + strings.Join(d.queueNames(), ", "),
		}
	}
	q := d.queues[queue]
	if step >= 1 && step <= len(q.Ladder) {
		return q, &q.Ladder[step-1], nil
	}
	refusal := &RefusalError{
		Code: CodeMalformed, Field: "step", Value: strconv.Itoa(step), What: what,
		Why: fmt.Sprintf("step is %d, and queue %s declares %d in overflow", step, queue, len(q.Ladder)),
	}
	if refusal.Remedy = "use " + q.ladderInWords(); len(q.Ladder) == 0 {
		refusal.Remedy = "declare overflow of the queue in the ServiceDesk: only declared steps can be held"
	}
	return nil, nil, refusal
}

func (d *Desk) queueNames() []string {
	names := make([]string, 0, len(d.config.Queues))
	for i := range d.config.Queues {
		names = append(names, d.config.Queues[i].Name)
	}
	return names
}

// ladderInWords: 1 for Pool backup, 2 for Callback.
func (q *queue) ladderInWords() string {
	parts := make([]string, 0, len(q.Ladder))
	for i := range q.Ladder {
		parts = append(parts, fmt.Sprintf("%d for %s", i+1, q.Ladder[i].words()))
	}
	return strings.Join(parts, ", ")
}

// Target is what a step leads to by name; empty for those that name nothing.
func (s *Step) Target() string {
	switch s.Action {
	case ActionPool:
		return s.Pool
	case ActionQueue:
		return s.Queue
	default:
		return ""
	}
}

func (s *Step) words() string { return strings.TrimSpace(string(s.Action) + " " + s.Target()) }

// is says whether a step is the one that was held, and no other one that has its place now.
func (s *Step) is(h *conversation.HeldStep) bool {
	return string(s.Action) == h.Action && s.Target() == h.Target
}

// foldHeld takes over that a step is held, and foldReleased that it is not. What is held is kept by name, not in the
// queue: a replica may hear of it before the configuration that has the queue.
func (d *Desk) foldHeld(queue string, h conversation.HeldStep) {
	d.held[queue] = append(without(d.held[queue], h.Step), h)
	slices.SortFunc(d.held[queue], func(a, b conversation.HeldStep) int { return a.Step - b.Step })
	d.arm(timer{at: h.Until, kind: timerHeld, of: queue})
	d.applyHeld(queue)
}

func (d *Desk) foldReleased(queue string, step int) {
	if d.held[queue] = without(d.held[queue], step); len(d.held[queue]) == 0 {
		delete(d.held, queue)
	}
	d.applyHeld(queue)
}

func without(held []conversation.HeldStep, step int) []conversation.HeldStep {
	return slices.DeleteFunc(slices.Clone(held), func(h conversation.HeldStep) bool { return h.Step == step })
}

// applyHeld lets the steps apply that are held of those that the queue has.
func (d *Desk) applyHeld(name string) {
	q := d.queues[name]
	if q == nil {
		return
	}
	q.held = q.held[:0]
	for _, h := range d.held[name] {
		if h.Step <= len(q.Ladder) && q.Ladder[h.Step-1].is(&h) {
			q.held = append(q.held, h)
		}
	}
	d.judgeQueue(q)
}

// judgeQueue finds anew who may serve a queue.
func (d *Desk) judgeQueue(q *queue) {
	for _, cl := range d.classes {
		if cl.queue == q {
			d.judgeAll(cl)
		}
	}
}

// holding gives how a step, counted from 0, is held; nil for not.
func (q *queue) holding(i int) *conversation.HeldStep {
	for k := range q.held {
		if q.held[k].Step == i+1 {
			return &q.held[k]
		}
	}
	return nil
}

// applies says whether a step, counted from 0, applies to a queue at all.
func (q *queue) applies(i int) bool { return i < q.steps || q.holding(i) != nil }

// overHeld releases the steps of a queue whose time is over.
func (d *Desk) overHeld(queue string, now time.Time) {
	for _, h := range slices.Clone(d.held[queue]) {
		if !h.Until.After(now) {
			d.emit(now, "", &conversation.StepReleased{Queue: queue, Step: h.Step, Why: []string{"its time is over"}})
		}
	}
}

// settleHeld makes what is held fit a new configuration: a step that has another place there is held there, and one
// that is gone is not held any more.
func (d *Desk) settleHeld(now time.Time) {
	for _, queue := range slices.Sorted(maps.Keys(d.held)) {
		d.overHeld(queue, now)
		var moved []conversation.HeldStep
		for _, h := range slices.Clone(d.held[queue]) {
			var ladder []Step
			if d.hasQueue(queue) {
				ladder = d.queues[queue].Ladder
			}
			if h.Step <= len(ladder) && ladder[h.Step-1].is(&h) {
				continue
			}
			why := "the configuration has no such step any more"
			if at := slices.IndexFunc(ladder, func(s Step) bool { return s.is(&h) }); at >= 0 {
				why = fmt.Sprintf("it is step %d now", at+1)
				to := h
				to.Step = at + 1
				moved = append(moved, to)
			}
			d.emit(now, "", &conversation.StepReleased{Queue: queue, Step: h.Step, Why: []string{why}})
		}
		for _, h := range moved {
			d.emit(now, "", &conversation.StepHeld{Queue: queue, HeldStep: h})
		}
	}
}

// whyHeld says who holds a step, until when and why.
func whyHeld(queue string, step *Step, h *conversation.HeldStep) string {
	return clip(fmt.Sprintf("overflow of queue %s: %s is held by %s until %s: %s", queue, step.words(), h.By, h.Until.UTC().Format("15:04 MST"), h.Reason))
}
