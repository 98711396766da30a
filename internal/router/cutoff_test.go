package router

import (
	"testing"
	"time"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/routing"
)

// cutOff is a connection that does not stand.
type cutOff struct{ bus.Conn }

func (cutOff) Connected() bool { return false }

// A leader that is cut off can do nothing about what is due, and does not ask itself again and again without a pause.
func TestALeaderThatIsCutOffWaits(t *testing.T) {
	r, err := New(Options{Name: "router-0", Config: configOf(t, document()), Logger: quiet(t)})
	if err != nil {
		t.Fatal(err)
	}
	s := &session{Router: r, conn: cutOff{}, leading: true}
	if s.replica, err = newReplica(r.subjects, r.current().routing, r.log); err != nil {
		t.Fatal(err)
	}
	agent := conversation.Agent{Kind: conversation.KindAgent, ID: "ann"}
	if _, err := s.desk.Decide(time.Now().Add(-time.Hour), routing.SignOn{Agent: agent, Presence: conversation.PresenceOnline}); err != nil {
		t.Fatal(err)
	}
	if next := s.desk.NextTimer(); next.IsZero() || next.After(time.Now()) {
		t.Fatalf("nothing is due: %v", next)
	}
	if wait := s.untilNext(); wait != housekeeping {
		t.Errorf("it looks again after %s, want %s", wait, housekeeping)
	}
}
