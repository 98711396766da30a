package fault

import (
	"testing"

	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/testing/ledger"
)

// A gateway stands still while the desk talks on through the other one: it is the slow consumer of everything that is
// said. When it goes on, its customers get all of it, once and in order.
func TestAGatewayIsPaused(t *testing.T) {
	t.Parallel()
	r := newRig(t, shape{routers: 1, gateways: 2})
	tr := r.talk(customers, true)
	r.ends(3)
	// Three of the seven customers are there, so that the agents have a slot left for the others.
	r.gateways[1].pause()
	tr.replies(20)
	r.gateways[1].resume()
	r.ends(3)
	tr.end()
}

// The console stands still until its agents are lost: what they had is in the queue, at the old places. When it goes on
// they cannot answer what is not theirs any more, and serve again.
func TestI07AgentsWhoseConsoleStoodStill(t *testing.T) {
	t.Parallel()
	r := newRig(t, shape{routers: 2})
	tr := r.talk(customers, true)
	r.ends(3)
	r.consoles[0].pause()
	r.until("everybody waits at the old place", func(l *ledger.Ledger) bool {
		waiting := 0
		for _, s := range l.Open() {
			if s.Agent != nil {
				return false
			}
			waiting++
		}
		return waiting > 0
	})
	r.consoles[0].resume()
	r.ends(5)
	tr.end()
}

// points are where roles decide: what they say to the bus, each with what may be lost before or after it.
var points = []struct {
	role runtimeconfig.Role
	point
}{
	{runtimeconfig.RoleRouter, point{Do: "append", On: "dk.", N: 1}},            // taking the lead
	{runtimeconfig.RoleRouter, point{Do: "append", On: "dk.", N: 3}},            // a decision
	{runtimeconfig.RoleRouter, point{Do: "append", On: "own", N: 2}},            // its copy
	{runtimeconfig.RoleRouter, point{Do: "append", On: "msg", N: 1}},            // what the desk says
	{runtimeconfig.RoleRouter, point{Do: "append", On: "ct.", N: 1}},            // the end of a claim
	{runtimeconfig.RoleRouter, point{Do: "publish", On: "of.", N: 1}},           // telling an agent
	{runtimeconfig.RoleRouter, point{Do: "reply", On: "in.", N: 2}},             // the answer to a request
	{runtimeconfig.RoleGateway, point{Do: "append", On: "ct.", N: 1}},           // opening a conversation
	{runtimeconfig.RoleGateway, point{Do: "append", On: "msg", N: 2}},           // a customer's message
	{runtimeconfig.RoleGateway, point{Do: "request", On: "in.", N: 1}},          // a customer's end
	{runtimeconfig.RoleConsole, point{Do: "append", On: "msg", N: 2}},           // an agent's answer
	{runtimeconfig.RoleConsole, point{Do: "request", On: "in.", N: 3}},          // an agent's acceptance
	{runtimeconfig.RoleBot, point{Do: "request", On: "in.shop.web.bot.", N: 2}}, // a bot's hand-off
}

// Each role is killed before and after each kind of decision, by SIGKILL and in the middle of its work.
func TestKilledAtEachDecision(t *testing.T) {
	t.Parallel()
	r := newRig(t, shape{routers: 2, bots: 1})
	tr := r.talk(customers, true)
	r.ends(1)
	for i := range points {
		for _, after := range []bool{false, true} {
			at := &point{Do: points[i].Do, On: points[i].On, N: points[i].N, After: after}
			r.killAt(points[i].role, at)
		}
	}
	r.ends(3)
	tr.end()
}

// killAt lets a process of the role run into the point, and starts a healthy one.
func (r *rig) killAt(role runtimeconfig.Role, at *point) {
	r.t.Helper()
	victim := map[runtimeconfig.Role][]*process{
		runtimeconfig.RoleRouter: r.routers, runtimeconfig.RoleGateway: r.gateways, runtimeconfig.RoleConsole: r.consoles, runtimeconfig.RoleBot: r.bots,
	}[role][0]
	r.t.Logf("%s is killed %s", victim.spec.Name, at)
	victim.kill()
	if role == runtimeconfig.RoleRouter {
		r.leader(victim)
	}
	victim.spec.Kill = at
	victim.start()
	if role == runtimeconfig.RoleRouter {
		r.routers[1].kill() // so that the victim takes the lead
	}
	victim.wait()
	victim.spec.Kill = nil
	victim.start()
	if role == runtimeconfig.RoleRouter {
		r.routers[1].start()
	}
}

// I-11: everything starts in the same moment, in no order: what is said reaches everybody live, through whichever of the
// gateways.
func TestI11EverythingStartsAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, shape{routers: 2, gateways: 3})
	tr := r.talk(customers, true)
	r.ends(8)
	tr.end()
}
