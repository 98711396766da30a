package controllers_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	wire "github.com/deskfleet/deskfleet/internal/link"
)

// What the roster lacks for an announced peak stands in the status, goes to the desk as a plan, and who was called in is told
// by an event and outlives the operator.
func TestWhatPeopleAreNeededFor(t *testing.T) {
	d := newLinkedDesk(t)
	d.start()
	days := []v1alpha1.Weekday{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"}
	now := time.Now()
	edit(d.bench, &v1alpha1.AgentPool{}, "people", func(p *v1alpha1.AgentPool) {
		h := p.Spec.Human
		h.Shifts = []v1alpha1.Shift{{Name: "always", Days: days, From: "00:00", To: "24:00", Seats: 1}}
		h.Peaks = []v1alpha1.Peak{{Name: "sale", Start: metav1.NewTime(now.Add(-time.Hour)), End: metav1.NewTime(now.Add(time.Hour)), Floor: 5}}
		h.Reserve = []v1alpha1.ReserveTier{{Name: "office", Seats: 2}}
	})
	d.report.Pools = []wire.Pool{{Name: "people", SignedOn: 1, Slots: 5, Reserve: []wire.Reserve{
		{Name: "office", Called: true, Since: now, Until: now.Add(time.Hour), By: "sara"},
	}}}
	d.until("the plan comes", func(reply *wire.Reply) error {
		plan := reply.Seats["people"].Staffing
		if plan == nil || plan.Required[0] != 5 || plan.Scheduled[0] != 8 || plan.Rostered[0] != 1 {
			return fmt.Errorf("it is %+v", reply.Seats)
		}
		d.report.Pools[0].Staffing = plan.Revision
		return nil
	})
	d.until("it comes once", func(reply *wire.Reply) error {
		if plan := reply.Seats["people"].Staffing; plan != nil {
			d.report.Pools[0].Staffing = plan.Revision // a quarter of an hour may have begun
			return errors.New("it comes again")
		}
		return nil
	})
	d.says("people", v1alpha1.ConditionStaffed, metav1.ConditionTrue, v1alpha1.ReasonEnoughSeats, "the roster is short of 7 from ")
	d.says("people", v1alpha1.ConditionStaffed, metav1.ConditionTrue, v1alpha1.ReasonEnoughSeats, "reserve office was called in by sara until ")
	check := func(when string) {
		t.Helper()
		s := d.pool("people").Status.Seats
		if s == nil || *s.Scheduled != 1 || *s.RequiredScheduled != 8 || s.Next == nil || s.Next.Seats != 7 || s.Peak == nil || s.Peak.Seats != 8 {
			t.Fatalf("%s the status is %+v", when, s)
		}
		if r := s.Reserve[0]; r.State != v1alpha1.ReserveCalled || r.By != "sara" || r.Until.Sub(now).Round(time.Minute) != time.Hour {
			t.Errorf("%s the reserve is %+v", when, r)
		}
	}
	check("")
	d.until("an event tells", func(*wire.Reply) error {
		var list eventsv1.EventList
		if err := d.client.List(t.Context(), &list, client.InNamespace(d.pool("people").Namespace)); err != nil {
			return err
		}
		for i := range list.Items {
			if e := &list.Items[i]; e.Reason == v1alpha1.ReasonReserveCalled && strings.HasPrefix(e.Note, "reserve office is called in by sara until ") {
				return nil
			}
		}
		return fmt.Errorf("of %d events none does", len(list.Items))
	})
	d.stopOperator()
	d.startOperator()
	d.until("the desk reports again", func(reply *wire.Reply) error {
		if len(reply.Seats) == 0 {
			return fmt.Errorf("it is told %+v", reply)
		}
		return nil
	})
	check("after a restart")
}
