package console

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
	"github.com/deskfleet/deskfleet/internal/web/problem"
)

// queuesReply lists queues with their ladders.
type queuesReply struct {
	Queues []protocol.Queue `json:"queues"`
}

// queues lists the queues of people with the steps of their degradation ladders.
func (c *Console) queues(k *call) (any, error) {
	reply, err := k.link.router.Ask(k.Context(), k.user.Name, protocol.Request{Type: protocol.Queues})
	if err != nil {
		return nil, err
	}
	return queuesReply{orEmpty(reply.Queues)}, nil
}

// holdStep lets a step of a queue's ladder apply until a time, after that was stored for the audit.
func (c *Console) holdStep(k *call) (any, error) {
	body, err := readHeldUntil(k, "it ends by itself")
	if err != nil {
		return nil, err
	}
	return c.changeStep(k, "queue.stepHeld", protocol.Request{Type: protocol.HoldStep, Until: body.Until, Reason: body.Reason})
}

// heldUntil is what a supervisor says who lets something apply by hand for a while.
type heldUntil struct {
	Until  time.Time `json:"until"`
	Reason string    `json:"reason"`
}

// readHeldUntil reads and checks it; ends says in words what happens at its end.
func readHeldUntil(k *call, ends string) (heldUntil, error) {
	var body heldUntil
	if err := readBody(k, &body); err != nil {
		return heldUntil{}, err
	}
	body.Reason = strings.TrimSpace(body.Reason)
	if body.Until.IsZero() {
		return heldUntil{}, problem.Field(http.StatusBadRequest, problem.CodeInvalid, "until", "", "",
			"give the time at which "+ends+", in RFC 3339 and in the next 24 hours, such as 2026-11-20T18:00:00Z")
	}
	return body, conversation.CheckHeldReason(body.Reason)
}

// releaseStep leaves a step to the predicted wait again, after that was stored for the audit.
func (c *Console) releaseStep(k *call) (any, error) {
	return c.changeStep(k, "queue.stepReleased", protocol.Request{Type: protocol.ReleaseStep})
}

// changeStep asks the router to hold or to release a step. What it would refuse as unknown is no news for the audit.
func (c *Console) changeStep(k *call, action string, req protocol.Request) (any, error) {
	req.Queue = k.PathValue("queue")
	var err error
	if req.Step, err = strconv.Atoi(k.PathValue("step")); err != nil {
		return nil, problem.Field(http.StatusBadRequest, problem.CodeInvalid, "step", k.PathValue("step"), "",
			"give the number of a step of the queue's overflow, from 1")
	}
	before, err := k.link.router.Ask(k.Context(), k.user.Name, protocol.Request{Type: protocol.Queues})
	if err != nil {
		return nil, err
	}
	if step := stepOf(before.Queues, req.Queue, req.Step); step != nil {
		details, err := json.Marshal(struct {
			Queue  string    `json:"queue"`
			Step   int       `json:"step"`
			Action string    `json:"action"`
			Target string    `json:"target,omitempty"`
			Until  time.Time `json:"until,omitzero"`
			Reason string    `json:"reason,omitempty"`
		}{req.Queue, req.Step, step.Action, step.Target, req.Until, req.Reason})
		if err != nil {
			return nil, err
		}
		if err := k.link.report(k.Context(), action, k.user, "", details); err != nil {
			return nil, err
		}
	}
	reply, err := k.link.router.Ask(k.Context(), k.user.Name, req)
	if err != nil {
		return nil, err
	}
	return queuesReply{orEmpty(reply.Queues)}, nil
}

// stepOf a queue; nil when there is none.
func stepOf(queues []protocol.Queue, name string, step int) *protocol.Step {
	for i := range queues {
		if queues[i].Name == name && step >= 1 && step <= len(queues[i].Steps) {
			return &queues[i].Steps[step-1]
		}
	}
	return nil
}
