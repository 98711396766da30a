package fault

import (
	"cmp"
	"flag"
	"math/rand/v2"
	"testing"
	"time"
)

var soak = flag.Duration("soak", 0, "time that each long test takes; 0 leaves them out")

// TestSoak draws faults of real processes, one after the other, for as long as -soak says: any role is killed, stopped
// or paused, the bus included.
func TestSoak(t *testing.T) {
	if *soak == 0 {
		t.Skip("make soak runs it")
	}
	first := cmp.Or(*seed, rand.Uint64N(1<<40))
	t.Logf("make soak SEED=%d draws these faults again", first)
	random := rand.New(rand.NewPCG(first, 3))
	r := newRig(t, shape{routers: 2, gateways: 2, bots: 2})
	tr := r.talk(customers, true)
	all := []*process{r.buses[0], r.consoles[0]}
	all = append(append(append(all, r.routers...), r.gateways...), r.bots...)
	faults := 0
	for end := time.Now().Add(*soak); time.Now().Before(end) && !t.Failed(); faults++ {
		p := all[random.IntN(len(all))]
		end := []func(){p.kill, p.stop, p.pause}[random.IntN(3)]
		end()
		down := time.NewTimer(time.Duration(random.IntN(3000)) * time.Millisecond)
		<-down.C
		select {
		case <-p.ended:
			p.start()
		default:
			p.resume()
		}
		r.ends(3)
	}
	tr.end()
	t.Logf("%d faults", faults)
}
