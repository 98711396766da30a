package router

import (
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
	"github.com/deskfleet/deskfleet/internal/routing"
)

// queues lists the queues of people with their ladders.
func (s *session) queues() []protocol.Queue {
	var out []protocol.Queue
	now := s.now()
	for _, v := range s.desk.Queues() {
		if v.Name == conversation.BotQueue {
			continue
		}
		q := protocol.Queue{Name: v.Name, Waiting: v.Waiting, Nobody: v.Nobody}
		if wait, known := s.desk.NewcomersWait(v.Name, now); known {
			q.ExpectedWaitSeconds = new(wait.Seconds())
		}
		for i := range v.Ladder {
			q.Steps = append(q.Steps, stepView(&v, i))
		}
		out = append(out, q)
	}
	return out
}

func stepView(v *routing.QueueView, i int) protocol.Step {
	of := &v.Ladder[i]
	step := protocol.Step{
		Step: i + 1, Action: string(of.Action), Target: of.Target(),
		PredictedWaitSeconds: of.PredictedWait.Seconds(), Reached: i < v.Steps,
	}
	for _, h := range v.Held {
		if h.Step == i+1 {
			step.Held = &h
		}
	}
	return step
}
