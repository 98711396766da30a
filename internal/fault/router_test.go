package fault

import (
	"testing"
	"time"

	"github.com/deskfleet/deskfleet/internal/testing/ledger"
)

// customers at a time: more than the agents have slots for.
const customers = 7

// Two routers start at once and both want the lead.
func TestI09TwoRoutersAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, shape{routers: 2})
	tr := r.talk(customers, true)
	r.ends(10)
	tr.end()
}

// The leader is stopped in the middle of what it does, another one takes the lead, and the stopped one goes on: it
// decides nothing any more, which the ledger holds. That it is alive shows when the lead comes back to it.
func TestTheLeaderIsPaused(t *testing.T) {
	t.Parallel()
	r := newRig(t, shape{routers: 2})
	tr := r.talk(customers, true)
	r.ends(3)
	for range 3 {
		paused, was := r.leader(nil), r.instance()
		paused.pause()
		next := r.leader(paused)
		r.ends(3)
		paused.resume()
		r.ends(3)
		instance := r.instance()
		next.kill()
		r.until("the router that was paused leads again", func(l *ledger.Ledger) bool { return l.Leader() != instance })
		if got := r.instance(); got != was {
			t.Errorf("%s leads, want %s", got, was)
		}
		next.start()
		r.ends(3)
	}
	tr.end()
}

// The leader is killed, again and again.
func TestTheLeaderIsKilled(t *testing.T) {
	t.Parallel()
	r := newRig(t, shape{routers: 2})
	tr := r.talk(customers, true)
	for range 4 {
		killed := r.leader(nil)
		killed.kill()
		r.leader(killed)
		killed.start()
		r.ends(3)
	}
	tr.end()
}

// The machines' clocks are an hour apart, and the lead goes from one to the other and back. What the ledger holds of
// places and turns it holds by the times in the log.
func TestClocksAreWrong(t *testing.T) {
	t.Parallel()
	r := newRig(t, shape{routers: 2})
	tr := r.talk(customers, true)
	r.ends(3)
	for _, wrong := range []time.Duration{time.Hour, -time.Hour, 0, -24 * time.Hour} {
		leads := r.leader(nil)
		standby := r.routers[0]
		if standby == leads {
			standby = r.routers[1]
		}
		standby.kill()
		standby.spec.Clock = wrong
		standby.start()
		was := r.instance()
		leads.kill()
		r.leads(standby, was)
		leads.start()
		r.ends(5)
	}
	tr.end()
}
