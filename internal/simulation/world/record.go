package world

import (
	"fmt"
	"math"
	"slices"
)

// Result of a policy in a scenario. Shares are from 0 to 1.
type Result struct {
	Name          string  `json:"name"`
	ServiceLevel  float64 `json:"serviceLevel"`
	Abandonment   float64 `json:"abandonment"`
	AgentHours    float64 `json:"agentHours"`
	Dropped       int     `json:"dropped"`
	HandedOver    int     `json:"handedOver"`
	ScaleEvents   int     `json:"scaleEvents"`
	P95           float64 `json:"p95WaitSeconds"`
	P50           float64 `json:"p50WaitSeconds"`
	PodsMade      int     `json:"podsCreated"`
	Conversations int     `json:"conversations"`
	// Series for plots, a point a minute; programs of peers hand it over, it is not printed.
	Series []Point `json:"series,omitempty"`
}

// Point of a series.
type Point struct {
	At     float64 `json:"at"`
	Demand int     `json:"demand"`
	Slots  int     `json:"slots"`
	Queue  int     `json:"queue"`
}

type recorder struct {
	podSeconds                       float64
	answered, inTime, abandoned      int
	dropped, handedOver, scaleEvents int
	waits                            []float64
	series                           []Point
}

func (r *recorder) pass(w *World, to float64) {
	r.podSeconds += float64(len(w.pods)) * (to - w.Now)
	for at := float64(len(r.series)) * 60; at <= to; at += 60 {
		slots := 0
		for _, p := range w.pods {
			if p.Phase == Active {
				slots += w.Scenario.Slots
			}
		}
		r.series = append(r.series, Point{At: at, Demand: w.busy + w.waiting, Slots: slots, Queue: w.waiting})
	}
}

func (r *recorder) answer(wait, within float64) {
	r.answered++
	if wait <= within {
		r.inTime++
	}
	r.waits = append(r.waits, wait)
}

// Result of the run, which must have come to its end. Conversations that still wait count as not answered.
func (w *World) Result(name string) Result {
	if w.Now != w.Scenario.Seconds {
		panic(fmt.Sprintf("%s ended at %g s of %g s", name, w.Now, w.Scenario.Seconds))
	}
	r := &w.recorder
	total := r.answered + r.abandoned
	for _, c := range w.queue {
		if !c.gone && !c.answered {
			total++
		}
	}
	slices.Sort(r.waits)
	res := Result{
		Name: name, AgentHours: r.podSeconds / 3600, Dropped: r.dropped, HandedOver: r.handedOver, ScaleEvents: r.scaleEvents,
		PodsMade: w.made, Conversations: total, Series: r.series,
	}
	if total > 0 {
		res.ServiceLevel = float64(r.inTime) / float64(total)
		res.Abandonment = float64(r.abandoned) / float64(total)
	}
	res.P50, res.P95 = quantile(r.waits, 0.5), quantile(r.waits, 0.95)
	return res
}

func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(math.Ceil(q*float64(len(sorted))))-1)]
}
