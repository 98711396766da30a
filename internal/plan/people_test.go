package plan_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/google/go-cmp/cmp"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/plan"
	"github.com/deskfleet/deskfleet/internal/scaling"
)

// What a pool of people declares reaches the reckoning: the objectives of its queues, each once, the roster without the
// reserve, the defaults, its own peaks and the multipliers of the desk's.
func TestPeople(t *testing.T) {
	start := time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)
	peak := func(name v1alpha1.DNSLabel, percent, floor int32) v1alpha1.Peak {
		return v1alpha1.Peak{Name: name, Start: metav1.NewTime(start), End: metav1.NewTime(start.Add(time.Hour)), MultiplierPercent: percent, Floor: floor}
	}
	desk := &v1alpha1.ServiceDesk{Spec: v1alpha1.ServiceDeskSpec{
		TimeZone: "Asia/Shanghai",
		Queues: []v1alpha1.Queue{
			{Name: "vip", ServiceLevel: &v1alpha1.ServiceLevel{Percent: 90, Within: "10s", MaxAbandonmentPercent: 2}}, {Name: "general"}, {Name: "other"},
		},
		Calendar: &v1alpha1.Calendar{Peaks: []v1alpha1.Peak{peak("sale", 400, 30), peak("workers", 0, 9), peak("own", 900, 0)}},
	}}
	pool := &v1alpha1.AgentPool{Spec: v1alpha1.AgentPoolSpec{Type: v1alpha1.PoolTypeHuman, Concurrency: 3, Human: &v1alpha1.HumanSettings{
		Members: []v1alpha1.DNSLabel{"ann", "ben", "otto"}, Queues: []v1alpha1.DNSLabel{"vip", "general", "other", "gone"},
		Shifts:  []v1alpha1.Shift{{Name: "early", Days: []v1alpha1.Weekday{"Friday"}, From: "09:00", To: "18:00"}},
		Peaks:   []v1alpha1.Peak{peak("own", 200, 5)},
		Reserve: []v1alpha1.ReserveTier{{Name: "office", Seats: 2, Members: []v1alpha1.DNSLabel{"otto"}}, {Name: "agency", Seats: 4, Notice: new(v1alpha1.Duration("0s"))}},
	}}}
	p := plan.People(pool, desk, start)
	if diff := cmp.Diff([]scaling.Objective{{Share: 0.9, Within: 10 * time.Second, MaxAbandonment: 0.02}, scaling.DefaultObjective}, p.Objectives); diff != "" {
		t.Error(diff)
	}
	if p.Shrinkage != 0.3 || p.Concurrency != 3 || p.Calendar.Location.String() != "Asia/Shanghai" {
		t.Errorf("%+v", p)
	}
	if n := p.Roster.At(start); n != 2 { // five in the afternoon in Shanghai, and otto is in reserve
		t.Errorf("%d are on the roster", n)
	}
	announced := map[string][2]float64{}
	for i := range p.Peaks {
		announced[p.Peaks[i].Name] = [2]float64{p.Peaks[i].Multiplier, float64(p.Peaks[i].Floor)}
	}
	if diff := cmp.Diff(map[string][2]float64{"sale": {4, 0}, "own": {2, 5}}, announced); diff != "" {
		t.Error(diff)
	}
	want := []scaling.Tier{
		{Name: "office", Seats: 2, Notice: 15 * time.Minute, Stay: time.Hour, Members: true}, {Name: "agency", Seats: 4, Stay: time.Hour},
	}
	if diff := cmp.Diff(want, p.Reserve); diff != "" {
		t.Error(diff)
	}
	if bots := plan.People(&v1alpha1.AgentPool{Spec: v1alpha1.AgentPoolSpec{Type: v1alpha1.PoolTypeBot}}, desk, start); bots != nil {
		t.Errorf("bots have %+v", bots)
	}
}
