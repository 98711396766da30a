package capacity_test

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/deskfleet/deskfleet/internal/capacity"
	"github.com/deskfleet/deskfleet/internal/link"
	"github.com/deskfleet/deskfleet/internal/scaling"
)

// The controller is woken when another number of replicas is wanted, and twice a minute at most for other words; a desk
// that is silent keeps what it has.
func TestRolesFollowWhatTheDeskTells(t *testing.T) {
	w := newWorld(t)
	w.loop.LookAtDesk(web)
	settings := scaling.RoleSettings{Min: 2, Max: 10, PerReplica: 100, Unit: "connections"}
	look := func(replicas int) capacity.RoleView {
		t.Helper()
		views := w.loop.LookAtRoles("shop", "web", []capacity.Role{{Name: "gateway", Settings: settings, Replicas: replicas}})
		if len(views) != 1 || views[0].Name != "gateway" {
			t.Fatalf("%+v", views)
		}
		return views[0]
	}
	says := func(load float64, replicas int) func() {
		return func() {
			w.says(link.Report{Roles: []link.Role{{Name: "gateway", Load: load, Replicas: replicas}, {Name: "unheard-of", Load: 1e6}}})
		}
	}
	if v := look(1); v.Decision.Replicas != 2 || v.Known {
		t.Errorf("a new desk: %+v", v)
	}
	w.pass(1, says(30, 2))
	look(2)
	w.woken()
	w.pass(1, says(730, 2))
	if n := w.woken(); n != 1 {
		t.Errorf("%d wake-ups when more are needed", n)
	}
	if v := look(2); v.Decision.Replicas != 8 || v.Load != 730 || !v.Known {
		t.Errorf("with 730 connections: %+v", v)
	}
	is := func(want string) {
		t.Helper()
		if err := testutil.CollectAndCompare(capacity.NewCollector(w.loop), strings.NewReader(want), "deskfleet_desk_role_wanted_replicas", "deskfleet_desk_role_load"); err != nil {
			t.Error(err)
		}
	}
	is(`
# HELP deskfleet_desk_role_load Load by which a role scales, in connections, people or searches a second; missing while it is not known.
# TYPE deskfleet_desk_role_load gauge
deskfleet_desk_role_load{desk="web",namespace="shop",role="gateway"} 730
# HELP deskfleet_desk_role_wanted_replicas Pods that a role that scales is to have.
# TYPE deskfleet_desk_role_wanted_replicas gauge
deskfleet_desk_role_wanted_replicas{desk="web",namespace="shop",role="gateway"} 8
`)
	look(8)
	w.pass(600, nil)
	if v := look(8); v.Decision.Replicas != 8 || v.Known {
		t.Errorf("silent: %+v", v)
	}
	w.pass(60, says(30, 8))
	w.woken()
	w.pass(400, says(30, 8))
	if v := look(8); v.Decision.Replicas != 7 {
		t.Errorf("with few connections for long: %+v", v)
	}
	if v := look(7); v.Decision.Replicas != 7 {
		t.Errorf("just after a step: %+v", v)
	}
	w.woken()
	w.pass(int(scaling.RoleShrinkEvery/time.Second), says(30, 7))
	if n := w.woken(); n == 0 {
		t.Error("no wake-up for the next step")
	}
	// A manager that takes the lead keeps what it finds.
	w.restart()
	w.loop.LookAtDesk(web)
	w.pass(1, says(30, 7))
	if v := look(7); v.Decision.Replicas != 7 {
		t.Errorf("after a restart: %+v", v)
	}
	if views := w.loop.LookAtRoles("shop", "web", nil); len(views) != 0 {
		t.Errorf("nothing scales: %+v", views)
	}
	is("")
}

// Who is signed on the router knows as a whole: no console has to tell.
func TestACompleteLoadNeedsNoReplicas(t *testing.T) {
	w := newWorld(t)
	settings := scaling.RoleSettings{Min: 1, Max: 10, PerReplica: 10, Unit: "people"}
	w.says(link.Report{Roles: []link.Role{{Name: "console", Load: 41, Complete: true}}})
	if v := w.loop.LookAtRoles("shop", "web", []capacity.Role{{Name: "console", Settings: settings, Replicas: 2}})[0]; v.Decision.Replicas != 5 || !v.Known {
		t.Errorf("%+v", v)
	}
}
