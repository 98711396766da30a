package agentpool

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/capacity"
	"github.com/deskfleet/deskfleet/internal/plan"
	"github.com/deskfleet/deskfleet/internal/scaling"
	"github.com/deskfleet/deskfleet/internal/scaling/forecast"
)

// tellPeople adds what a pool of people declares about its seats. Objects of the cache are never changed, so that they may
// be read later.
func tellPeople(p *capacity.Pool, pool *v1alpha1.AgentPool, desk *v1alpha1.ServiceDesk, days forecast.Calendar) {
	spec := pool.DeepCopy() // the status of the one that is reconciled changes
	p.People = func(now time.Time) *scaling.People {
		people := plan.People(spec, desk, now)
		people.Calendar = days // with the holidays of a feed
		return people
	}
	p.PeopleRevision = fmt.Sprintf("%s/%d %s/%d", pool.UID, pool.Generation, desk.UID, desk.Generation)
	if seats := pool.Status.Seats; seats != nil {
		for i := range seats.Reserve {
			r := &seats.Reserve[i]
			p.Reserve = append(p.Reserve, scaling.TierState{
				Name: string(r.Name), Called: r.State == v1alpha1.ReserveCalled, Since: timeOf(r.Since), Until: timeOf(r.Until), By: r.By,
			})
		}
	}
}

func timeOf(t *metav1.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.Time
}

func orNone(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	return &metav1.Time{Time: t.Truncate(time.Second)}
}

// seatsOf sums up what is known of the seats of a pool of people; nil for bots, and what was there while nothing is known yet.
func seatsOf(former *v1alpha1.SeatsStatus, view *capacity.View) *v1alpha1.SeatsStatus {
	if view.Plan == nil {
		return nil
	}
	s := &v1alpha1.SeatsStatus{}
	if view.Rostered != nil {
		s.Scheduled = new(count(*view.Rostered))
	}
	if len(view.Plan.Steps) > 0 && view.Plan.Steps[0].Scheduled != scaling.NotKnown {
		s.RequiredScheduled = new(count(view.Plan.Steps[0].Scheduled))
	}
	if next, ok := view.Plan.Next(view.Plan.Start); ok {
		s.Next = &v1alpha1.SeatsShortfall{At: metav1.Time{Time: next.From}, Until: metav1.Time{Time: next.Until}, Seats: count(next.Seats)}
	}
	if at, seats, ok := view.Plan.Peak(); ok {
		s.Peak = &v1alpha1.SeatsRequirement{At: metav1.Time{Time: at}, Seats: count(seats)}
	}
	if view.Young && former != nil && s.Peak == nil {
		// The operator has just begun, and learns what it knew.
		s.RequiredScheduled, s.Next, s.Peak = former.RequiredScheduled, former.Next, former.Peak
	}
	for i := range view.Reserve {
		r := &view.Reserve[i]
		state := v1alpha1.ReserveStatus{Name: v1alpha1.DNSLabel(r.Name), State: v1alpha1.ReserveReleased, Since: orNone(r.Since), By: r.By}
		if r.Called {
			state.State, state.Until = v1alpha1.ReserveCalled, orNone(r.Until)
		}
		s.Reserve = append(s.Reserve, state)
	}
	return s
}

// staffed says of a pool of people whether enough of them are signed on, when they will not be, and who was called in.
func (r *Reconciler) staffed(pool *v1alpha1.AgentPool, view *capacity.View) {
	switch {
	case !r.Capacity.Linked():
		meta.RemoveStatusCondition(&pool.Status.Conditions, v1alpha1.ConditionStaffed)
	case view.Fresh && view.Seats.Shortfall > 0:
		set(pool, v1alpha1.ConditionStaffed, metav1.ConditionFalse, v1alpha1.ReasonSeatsMissing, staffedWords(view))
	case view.Fresh:
		set(pool, v1alpha1.ConditionStaffed, metav1.ConditionTrue, v1alpha1.ReasonEnoughSeats, staffedWords(view))
	case !view.Young:
		set(pool, v1alpha1.ConditionStaffed, metav1.ConditionUnknown, v1alpha1.ReasonNoFigures, view.Seats.Reason)
	}
}

// staffedWords are for whoever has to find people.
func staffedWords(view *capacity.View) string {
	words := []string{view.Seats.Reason}
	if n := view.Seats.Shortfall; n > 0 {
		words[0] = fmt.Sprintf("%d of %d seats are missing: %s", n, view.Seats.Required, words[0])
	}
	if view.Plan != nil {
		if next, ok := view.Plan.Next(view.Plan.Start); ok {
			words = append(words, fmt.Sprintf("the roster is short of %d from %s to %s",
				next.Seats, next.From.UTC().Format(time.RFC3339), next.Until.UTC().Format(time.RFC3339)))
		}
	}
	for i := range view.Reserve {
		if view.Reserve[i].Called {
			words = append(words, "reserve "+view.Reserve[i].Words())
		}
	}
	all := strings.Join(words, "; ")
	return all[:min(len(all), maxReason)]
}
