package servicedesk

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/capacity"
	wire "github.com/deskfleet/deskfleet/internal/link"
)

// fewest conversations of the last minutes that tell something about a service level.
const fewest = 10

// promises sets whether the queues keep their service levels.
func promises(desk *v1alpha1.ServiceDesk, queues []wire.Queue) {
	told, reason, broken := false, v1alpha1.ReasonPromisesKept, []string(nil)
	for i := range desk.Spec.Queues {
		q := &desk.Spec.Queues[i]
		at := slices.IndexFunc(queues, func(of wire.Queue) bool { return of.Name == string(q.Name) })
		if q.ServiceLevel == nil || at < 0 || queues[at].Figures == nil {
			continue
		}
		level := queues[at].Figures.Level
		if level == nil || level.Of < fewest {
			continue
		}
		told = true
		served := capacity.ServedOf(queues[at].Figures)
		if most := int(q.ServiceLevel.MaxAbandonmentPercent); served.AbandonedPercent > most {
			reason = v1alpha1.ReasonAbandoned
			broken = append(broken, fmt.Sprintf("queue %s: %d %% were given up, at most %d %% are promised", q.Name, served.AbandonedPercent, most))
		}
		if least := int(q.ServiceLevel.Percent); served.InTimePercent < least {
			reason = v1alpha1.ReasonAnsweredLate
			broken = append(broken, fmt.Sprintf("queue %s: %d %% were answered within %s, %d %% are promised", q.Name, served.InTimePercent, q.ServiceLevel.Within, least))
		}
	}
	switch {
	case !told:
		meta.RemoveStatusCondition(&desk.Status.Conditions, v1alpha1.ConditionServiceLevelMet)
	case len(broken) == 0:
		set(desk, v1alpha1.ConditionServiceLevelMet, metav1.ConditionTrue, reason, "over the last five minutes each queue kept its serviceLevel")
	default:
		set(desk, v1alpha1.ConditionServiceLevelMet, metav1.ConditionFalse, reason, "over the last five minutes: "+strings.Join(broken, "; "))
	}
}
