package agentpool

import (
	"math"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/scaling"
)

// explained is a decision with everything that it rests on, in whole numbers: finer ones would be another status each
// time that somebody looks.
func explained(d *scaling.Decision) *v1alpha1.PoolScalingStatus {
	s := &v1alpha1.PoolScalingStatus{
		Recommended: count(d.Workers), Needed: count(d.Need), Winner: string(d.Winner), Limiter: string(d.Limiter),
		LeadTime: v1alpha1.Duration(d.Lead.Round(time.Second).String()),
	}
	for i := range d.Terms[:d.Proposals] {
		t := &d.Terms[i]
		s.Proposals = append(s.Proposals, v1alpha1.ScalingProposal{
			Name: string(t.Name), Agents: count(t.Workers), Load: rounded(t.Load), ArrivalsPerHour: rounded(t.Rate * 3600),
		})
		if t.Name == d.Winner {
			s.OfferedLoad = rounded(t.Load)
		}
		if t.Name == scaling.TermForecast {
			s.Forecast = new(rounded(t.Load))
		}
	}
	if c := d.Next; c != nil {
		s.Next = &v1alpha1.ScalingChange{At: metav1.Time{Time: c.At.Truncate(time.Second)}, Peak: c.Peak, Phase: "Ends", Floor: count(c.Floor)}
		if c.Begins {
			s.Next.Phase = "Begins"
		}
	}
	return s
}

func rounded(x float64) int32 {
	if !(x > 0) { // also NaN
		return 0
	}
	return int32(math.Round(min(x, math.MaxInt32)))
}
