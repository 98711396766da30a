package scaling

import (
	"fmt"
	"strings"
	"time"
)

// silence says since when the figures are no use.
func (in *Input) silence() string {
	switch f := &in.Figures; {
	case f.At.IsZero():
		return "no figures from the desk yet"
	case in.Now.Sub(f.At) > StaleAfter:
		return "no figures from the desk since " + f.At.UTC().Format(time.TimeOnly) + " UTC"
	case f.Draining < 0 || f.Draining > f.InProgress && possible(f.InProgress):
		return fmt.Sprintf("the desk reports %d of %d in progress with workers that drain, which cannot be", f.Draining, f.InProgress)
	default:
		return fmt.Sprintf("the desk reports %d waiting and %d in progress, which cannot be", f.Waiting, f.InProgress)
	}
}

func (p *plan) silentWords(trouble, by string, wanted int) string {
	reason := trouble + fmt.Sprintf("; %s kept", workers(p.current, "is", "are"))
	if p.d.Workers <= p.current {
		return reason
	}
	switch by {
	case "fallback":
		return reason + fmt.Sprintf("; fallback %d applies", wanted)
	case "forecast":
		return reason + fmt.Sprintf("; %s usual at this time", workers(wanted, "is", "are"))
	default:
		return reason + "; " + p.floorWords()
	}
}

func (p *plan) words() string {
	in, d := p.in, p.d
	f, slots := &in.Figures, in.Settings.slots()
	parts := make([]string, 0, 5)
	waiting := fmt.Sprintf("%d waiting and %d in progress", f.Waiting, f.busy())
	switch w := p.winner; w.Name {
	case TermFeedback:
		parts = append(parts, fmt.Sprintf("%s %s of %s", waiting, workers(d.Need, "need", "need"), plural(slots, "slot")))
	case TermCalendar:
		parts = append(parts, waiting, fmt.Sprintf("peak %s announces %s, about %.0f in progress: %s of %s",
			w.Peak, rateWords(w.Rate), w.Load, workers(d.Need, "need", "need"), plural(slots, "slot")))
	default:
		from := "as in the last minutes"
		if w.Name == TermForecast {
			from = "as expected at this time"
		}
		parts = append(parts, waiting, fmt.Sprintf("%s %s give about %.0f in progress in %d s: %s of %s",
			rateWords(w.Rate), from, w.Load, int(d.Lead.Seconds()), workers(d.Need, "need", "need"), plural(slots, "slot")))
	}
	parts = append(parts, fmt.Sprintf("%d now", p.current))
	return strings.Join(p.limiterWords(parts), "; ")
}

func (p *plan) limiterWords(parts []string) []string {
	in, d := p.in, p.d
	switch d.Limiter {
	case LimiterMax, LimiterCap:
		if p.floor > p.held {
			parts = append(parts, p.floorWords())
		}
		if p.cap != nil {
			return append(parts, fmt.Sprintf("peak %s allows %d at most until %s", p.cap.Name, p.most, p.cap.End.UTC().Format(time.RFC3339)))
		}
		return append(parts, fmt.Sprintf("max %d limits", p.most))
	case LimiterBudget:
		return append(parts, fmt.Sprintf("the budget of %g agent-hours a day allows %d", in.Settings.Budget.AgentHours, d.Workers))
	case LimiterMin, LimiterPeak:
		return append(parts, p.floorWords())
	case LimiterHold:
		return append(parts, fmt.Sprintf("%d were needed within the last %d s", p.held, int(in.Settings.hold().Seconds())))
	case LimiterPanic:
		return append(parts, fmt.Sprintf("a burst: %d stay", d.Workers))
	case LimiterPace:
		return append(parts, p.paceWords())
	case LimiterNone, LimiterStale:
	}
	return parts
}

func (p *plan) paceWords() string {
	switch s := &p.in.Settings; {
	case p.in.RollingOut:
		return "nobody leaves during a rollout"
	case p.kept:
		return "nobody leaves while the cluster refuses workers"
	case s.begins(p.in.Now, p.d.Lead+s.hold()):
		return "nobody leaves shortly before a peak"
	case p.found > p.d.Need && p.found == p.d.Workers:
		return "nobody leaves until arrivals were watched for a while"
	case s.percentPerMinute() < 100:
		return fmt.Sprintf("at most %d %% leave a minute", s.percentPerMinute())
	default:
		return fmt.Sprintf("%d will be needed again in a moment", p.d.Workers)
	}
}

func (p *plan) floorWords() string {
	if p.peak == nil {
		return fmt.Sprintf("min %d applies", p.floor)
	}
	return fmt.Sprintf("peak %s asks for %d until %s", p.peak.Name, p.floor, p.peak.End.UTC().Format(time.RFC3339))
}

func (p *plan) predictedWords() string {
	return fmt.Sprintf("; about %.0f %% will be answered in time and %.0f %% will hang up", 100*p.d.Predicted.ServiceLevel, 100*p.d.Predicted.Abandonment)
}

// rateWords tells a rate a second by the unit in which it is a number that one can picture.
func rateWords(perSecond float64) string {
	switch {
	case perSecond >= 1:
		return fmt.Sprintf("%.1f arrivals a second", perSecond)
	case perSecond >= 1.0/60:
		return fmt.Sprintf("%.1f arrivals a minute", perSecond*60)
	default:
		return fmt.Sprintf("%.1f arrivals an hour", perSecond*3600)
	}
}

// workers counts workers with a verb before or after them: "need 3 workers", "1 worker is".
func workers(n int, one, many string) string {
	verb := many
	if n == 1 {
		verb = one
	}
	if verb == "need" {
		return verb + " " + plural(n, "worker")
	}
	return plural(n, "worker") + " " + verb
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
