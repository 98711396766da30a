package servicedesk

import (
	"fmt"
	"math"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/capacity"
	wire "github.com/deskfleet/deskfleet/internal/link"
	"github.com/deskfleet/deskfleet/internal/render"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/scaling"
)

// unheardEvery so long a desk that is not ready and was never heard is looked at: when it is ready, it is time to miss
// its reports, and nothing wakes the controller then.
const unheardEvery = time.Minute

// figures sets how the desk's customers are served, as far as it is reported, and says when to look again; 0 for when
// the link wakes.
func (r *Reconciler) figures(desk *v1alpha1.ServiceDesk) time.Duration {
	if !r.Link.Loop.Linked() {
		unknown(&desk.Status)
		for _, kind := range []string{
			v1alpha1.ConditionLinked, v1alpha1.ConditionStorageLow, v1alpha1.ConditionBusStorageLow, v1alpha1.ConditionArchiveBehind,
			v1alpha1.ConditionWebhooksTroubled, v1alpha1.ConditionServiceLevelMet,
		} {
			meta.RemoveStatusCondition(&desk.Status.Conditions, kind)
		}
		return 0
	}
	queues := make([]string, 0, len(desk.Spec.Queues))
	for i := range desk.Spec.Queues {
		queues = append(queues, string(desk.Spec.Queues[i].Name))
	}
	view := r.Link.Loop.LookAtDesk(capacity.Desk{Namespace: desk.Namespace, Name: desk.Name, Queues: queues})
	return show(desk, &view, r.Now())
}

// show sets what a view says.
func show(desk *v1alpha1.ServiceDesk, view *capacity.DeskView, now time.Time) time.Duration {
	switch {
	case view.Fresh:
		serving(&desk.Status, view)
		set(desk, v1alpha1.ConditionLinked, metav1.ConditionTrue, v1alpha1.ReasonFiguresArrive, "the desk reports how its customers are served")
		storage(desk, view)
		behind(desk, view.ArchiveLag)
		troubled(desk, view.Webhooks)
		promises(desk, view.Queues)
		return 0
	case view.Young:
		return 0 // what was said last stands until there was time to hear the desk
	default:
		unknown(&desk.Status)
		meta.RemoveStatusCondition(&desk.Status.Conditions, v1alpha1.ConditionServiceLevelMet)
		return silent(desk, view, now)
	}
}

// serving sets the figures.
func serving(s *v1alpha1.ServiceDeskStatus, view *capacity.DeskView) {
	s.Waiting, s.OldestSince = new(count(view.Waiting)), since(view.OldestSince)
	s.Queues, s.Agents = nil, nil
	for i := range view.Queues {
		q := &view.Queues[i]
		s.Queues = append(s.Queues, queue(q))
	}
	if a := view.Agents; a != nil {
		s.Agents = &v1alpha1.AgentsStatus{Online: count(a.Online), Busy: count(a.Busy)}
	}
}

// queue as the desk reports it. What it does not tell is absent.
func queue(q *wire.Queue) v1alpha1.QueueStatus {
	served := capacity.ServedOf(q.Figures)
	s := v1alpha1.QueueStatus{
		Name: v1alpha1.DNSLabel(q.Name), Waiting: count(q.Waiting), OldestSince: since(q.OldestSince),
		ServiceLevelPercent: told(served.InTimePercent), AbandonedPercent: told(served.AbandonedPercent), OverflowSteps: told(served.OverflowSteps),
	}
	if served.ExpectedWait != capacity.Unknown {
		s.ExpectedWait = new(v1alpha1.Duration(fmt.Sprintf("%ds", int(served.ExpectedWait/time.Second))))
	}
	if q.Figures != nil {
		for _, h := range q.Figures.Held {
			s.HeldSteps = append(s.HeldSteps, v1alpha1.HeldStepStatus{
				Step: int32(h.Step), Action: h.Action, Target: h.Target, Until: *since(h.Until), //nolint:gosec // bounded by the link
			})
		}
	}
	return s
}

func told(n int) *int32 {
	if n == capacity.Unknown {
		return nil
	}
	return new(count(n))
}

// unknown takes the figures out: what nobody knows is not 0.
func unknown(s *v1alpha1.ServiceDeskStatus) {
	s.Waiting, s.OldestSince, s.Queues, s.Agents = nil, nil, nil, nil
}

// silent says since when nothing has been heard. That a new desk has not reported is no news before it is ready and has
// had the time to. What fills up is left as it was: it does not get empty by being silent.
func silent(desk *v1alpha1.ServiceDesk, view *capacity.DeskView, now time.Time) time.Duration {
	former := meta.FindStatusCondition(desk.Status.Conditions, v1alpha1.ConditionLinked)
	when := view.Received
	if when.IsZero() {
		when = view.Since // the operator has listened since then
		switch ready := meta.FindStatusCondition(desk.Status.Conditions, v1alpha1.ConditionReady); {
		case former != nil && former.Status == metav1.ConditionFalse:
			return 0 // it has said since when already, and this operator has heard nothing else
		case former != nil: // it has been heard before
		case ready == nil || ready.Status != metav1.ConditionTrue:
			return unheardEvery
		case now.Sub(ready.LastTransitionTime.Time) < scaling.StaleAfter:
			return scaling.StaleAfter - now.Sub(ready.LastTransitionTime.Time)
		}
	}
	set(desk, v1alpha1.ConditionLinked, metav1.ConditionFalse, v1alpha1.ReasonNoFigures, fmt.Sprintf(
		"nothing has been heard from the desk since %s: how its customers are served is not known; see whether its router runs and reaches the managers on port %d",
		when.UTC().Format(time.RFC3339), wire.Port))
	return 0
}

// storage sets the conditions of what fills up. What the desk does not tell leaves them as they are.
func storage(desk *v1alpha1.ServiceDesk, view *capacity.DeskView) {
	role := runtimeconfig.RoleArchive
	if desk.Spec.Profile == v1alpha1.ProfileCompact {
		role = runtimeconfig.RoleDesk
	}
	filling(desk, view.Archive, v1alpha1.ConditionStorageLow, v1alpha1.ReasonVolumeFillsUp, fmt.Sprintf(
		"on the archive's volume: enlarge the claim %s, or shorten spec.retention.days; when it is full, conversations that have ended stay on the bus until that is full too",
		render.ClaimName(desk.Name, role)))
	filling(desk, view.Bus, v1alpha1.ConditionBusStorageLow, v1alpha1.ReasonLogFillsUp,
		"in the log of the bus: customers are refused when hardly anything is. Conversations leave it when they have ended and the archive has stored them: "+
			"see that the archive runs and that agents close what is done; a desk that needs more is made anew with a larger spec.bus.storage.size")
}

func filling(desk *v1alpha1.ServiceDesk, s *wire.Storage, kind, reason, remedy string) {
	switch {
	case s == nil:
	case s.Low:
		set(desk, kind, metav1.ConditionTrue, reason, fmt.Sprintf("%s of %s are free %s", size(s.FreeBytes), size(s.TotalBytes), remedy))
	default:
		meta.RemoveStatusCondition(&desk.Status.Conditions, kind)
	}
}

// behind sets the condition of an archive that does not keep up. What the desk does not tell leaves it as it is.
func behind(desk *v1alpha1.ServiceDesk, lag *wire.Lag) {
	switch {
	case lag == nil:
	case lag.Behind && lag.Silent:
		set(desk, v1alpha1.ConditionArchiveBehind, metav1.ConditionTrue, v1alpha1.ReasonArchiveSilent, fmt.Sprintf(
			"the archive has not answered for %s: what happens stays on the bus until that is full; see whether the archive's pod runs, and in its /readyz whether it reaches its database",
			roughly(lag.Seconds)))
	case lag.Behind:
		set(desk, v1alpha1.ConditionArchiveBehind, metav1.ConditionTrue, v1alpha1.ReasonArchiveLags, fmt.Sprintf(
			"the archive has not stored what happened %s ago: it stays on the bus until that is full; see in the archive's log whether its database takes what it writes, "+
				"and in deskfleet_archive_write_seconds whether it is too slow", roughly(lag.Seconds)))
	default:
		meta.RemoveStatusCondition(&desk.Status.Conditions, v1alpha1.ConditionArchiveBehind)
	}
}

// roughly so many seconds: a message that counts them would change all the time.
func roughly(seconds float64) string {
	switch {
	case seconds < 2*60:
		return "a minute"
	case seconds < 2*60*60:
		return fmt.Sprintf("%d minutes", int(seconds/60))
	case seconds < 2*24*60*60:
		return fmt.Sprintf("%d hours", int(seconds/3600))
	default:
		return fmt.Sprintf("%d days", int(seconds/86400))
	}
}

func set(desk *v1alpha1.ServiceDesk, kind string, value metav1.ConditionStatus, reason, message string) {
	meta.SetStatusCondition(&desk.Status.Conditions, metav1.Condition{
		Type: kind, Status: value, Reason: reason, Message: message, ObservedGeneration: desk.Generation,
	})
}

// since is a time as the API server keeps it: to the second.
func since(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	return new(metav1.NewTime(t.Truncate(time.Second)))
}

// count is a number as the API server takes it.
func count(n int) int32 { return int32(min(max(0, n), math.MaxInt32)) } //nolint:gosec // bounded

// size of so many bytes, to two digits: a volume on which every second something is written must not be told of each time.
func size(bytes int64) string {
	value, unit := float64(bytes), "bytes"
	for _, next := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if value < 1024 {
			break
		}
		value, unit = value/1024, next
	}
	if value < 10 {
		return fmt.Sprintf("%.2g %s", value, unit)
	}
	step := math.Pow(10, math.Floor(math.Log10(value))-1)
	return fmt.Sprintf("%.0f %s", math.Round(value/step)*step, unit)
}
