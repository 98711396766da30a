package scaling

import "github.com/deskfleet/deskfleet/internal/scaling/erlang"

// Predict is how customers will be served by so many workers under the load of a decision, such as when the cluster runs
// fewer than were asked for; nil while nothing is known of how long conversations last, or the figures were no use.
func (m *Memory) Predict(s *Settings, d *Decision, workers int) *erlang.Performance {
	if m.knowledge == nil || d.Limiter == LimiterStale {
		return nil
	}
	for i := range d.Terms[:d.Proposals] {
		if t := &d.Terms[i]; t.Name == d.Winner {
			p := erlang.System{Load: t.Load, Service: m.knowledge.HandleTime(), Patience: m.knowledge.Patience()}.
				Serve(max(0, workers)*s.slots(), s.objective().Within.Seconds())
			return &p
		}
	}
	return nil
}
