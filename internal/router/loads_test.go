package router

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/link"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
)

// The loads that replicas tell are reported together, those of silent ones not; who is signed on the router knows itself.
func TestLoadsOfRolesAreReported(t *testing.T) {
	d := newDesk(t)
	d.doc.Scaled = []runtimeconfig.Role{runtimeconfig.RoleGateway, runtimeconfig.RoleConsole, runtimeconfig.RoleKnowledge}
	figures := make(chan protocol.Figures, 1)
	d.startRouter("router-0", func(o *Options) {
		o.OnFigures = func(f protocol.Figures) {
			select {
			case <-figures:
			default:
			}
			figures <- f
		}
	})
	ann := d.client(bus.PartyAgent, "ann")
	ann.signOn()
	ann.must(protocol.Request{Type: protocol.Presence, Presence: conversation.PresenceAway})
	want := []link.Role{{Name: "gateway", Load: 12.5, Replicas: 2}, {Name: "console", Load: 1, Complete: true}, {Name: "knowledge"}}
	eventually.True(t, "the loads are reported", func() bool {
		for replica, data := range map[string]string{"g-0": `{"v":1,"load":12}`, "g-1": `{"v":1,"load":0.5}`, "g-2": `{"v":1,"load":-1}`, "g-3": `[]`} {
			if err := d.conn.Publish(d.ctx, d.names.Load(runtimeconfig.RoleGateway, replica), []byte(data)); err != nil {
				t.Fatal(err)
			}
		}
		f := eventually.Receive(t, "figures", figures)
		return cmp.Equal(want, ReportOf(&f).Roles)
	})
}

func TestSilentReplicasAreNotCounted(t *testing.T) {
	subjects, err := bus.NewSubjects("shop", "web")
	if err != nil {
		t.Fatal(err)
	}
	var l loads
	now := time.Unix(1e9, 0)
	tell := func(replica string, at time.Time) {
		l.take(subjects, &bus.Message{Subject: subjects.Load(runtimeconfig.RoleGateway, replica), Data: []byte(`{"v":1,"load":10}`)}, at)
	}
	is := func(what string, at time.Time, load float64, replicas int) {
		t.Helper()
		if got, n := l.sum(runtimeconfig.RoleGateway, at); got != load || n != replicas {
			t.Errorf("%s: %g of %d, expected %g of %d", what, got, n, load, replicas)
		}
	}
	tell("a", now)
	tell("b", now.Add(5*time.Second))
	is("both", now.Add(5*time.Second), 20, 2)
	is("one is silent", now.Add(8*time.Second), 10, 1)
	is("all are silent", now.Add(time.Minute), 0, 0)
	for i := range 300 {
		tell(fmt.Sprint("r", i), now)
	}
	is("more than there can be", now, 10*mostReplicas, mostReplicas)
}
