package chatclient

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/deskfleet/deskfleet/internal/router/protocol"
)

// Queues lists the queues of people with the steps of their degradation ladders.
func (a *Agent) Queues(ctx context.Context) ([]protocol.Queue, error) {
	var reply struct {
		Queues []protocol.Queue `json:"queues"`
	}
	err := a.get(ctx, "queues", nil, &reply)
	return reply.Queues, err
}

// HoldStep lets a step of a queue's ladder apply until a time, for supervisors.
func (a *Agent) HoldStep(ctx context.Context, queue string, step int, until time.Time, reason string) error {
	body, err := json.Marshal(struct {
		Until  time.Time `json:"until"`
		Reason string    `json:"reason"`
	}{until, reason})
	if err != nil {
		return fmt.Errorf("hold step %d of queue %s: %w", step, queue, err)
	}
	return a.call(ctx, http.MethodPut, stepPath(queue, step), body, &struct{}{})
}

// ReleaseStep leaves a step to the predicted wait again, for supervisors.
func (a *Agent) ReleaseStep(ctx context.Context, queue string, step int) error {
	return a.call(ctx, http.MethodDelete, stepPath(queue, step), nil, &struct{}{})
}

func stepPath(queue string, step int) string {
	return "queues/" + url.PathEscape(queue) + "/steps/" + strconv.Itoa(step)
}

// ladder does the commands about queues; false for one that it does not know.
func (p *person) ladder(ctx context.Context, command, rest string) bool {
	switch command {
	case "/queues":
		p.seat.do(ctx, "queues", p.queues)
	case "/hold":
		p.hold(ctx, rest)
	case "/release":
		queue, number, _ := strings.Cut(rest, " ")
		step, err := strconv.Atoi(strings.TrimSpace(number))
		if err != nil {
			p.seat.printer.note("write /release QUEUE STEP; /queues lists the steps")
			return true
		}
		p.seat.do(ctx, command, func(ctx context.Context) error {
			err := p.seat.agent.ReleaseStep(ctx, queue, step)
			if err == nil {
				p.seat.printer.note("step %d of %s is released", step, clean(queue))
			}
			return err
		})
	default:
		return false
	}
	return true
}

func (p *person) hold(ctx context.Context, rest string) {
	parts := strings.SplitN(rest, " ", 4)
	if len(parts) < 4 || strings.TrimSpace(parts[3]) == "" {
		p.seat.printer.note("write /hold QUEUE STEP 2h REASON; /queues lists the steps")
		return
	}
	step, err := strconv.Atoi(parts[1])
	if err != nil {
		p.seat.printer.note("%q is no step: write its number; /queues lists them", brief(clean(parts[1])))
		return
	}
	until, err := parseWhen(parts[2], time.Now())
	if err != nil {
		p.seat.printer.note("%s", err.Error())
		return
	}
	p.seat.do(ctx, "/hold", func(ctx context.Context) error {
		err := p.seat.agent.HoldStep(ctx, parts[0], step, until, parts[3])
		if err == nil {
			p.seat.printer.note("step %d of %s is held until %s", step, clean(parts[0]), until.Local().Format(time.DateTime))
		}
		return err
	})
}

func (p *person) queues(ctx context.Context) error {
	queues, err := p.seat.agent.Queues(ctx)
	for i := range queues {
		q := &queues[i]
		p.seat.printer.note("%s: %d waiting", clean(q.Name), q.Waiting)
		for _, s := range q.Steps {
			state := "from a predicted wait of " + (time.Duration(s.PredictedWaitSeconds) * time.Second).String()
			if s.Reached {
				state = "applies now"
			}
			if s.Held != nil {
				state = fmt.Sprintf("held by %s until %s: %s", clean(s.Held.By), s.Held.Until.Local().Format(time.DateTime), clean(s.Held.Reason))
			}
			p.seat.printer.note("  step %d %s: %s", s.Step, clean(strings.TrimSpace(s.Action+" "+s.Target)), state)
		}
	}
	return err
}
