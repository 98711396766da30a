package client_test

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/deskfleet/deskfleet/internal/link"
	"github.com/deskfleet/deskfleet/internal/link/linktest"
	"github.com/deskfleet/deskfleet/internal/link/server"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

func TestAllManagersHearAndOnlyTheLeaderIsObeyed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		first := n.start("10.0.0.1", func(m *manager) { m.lead(time.Now(), wanted(4)) })
		second := n.start("10.0.0.2", func(m *manager) { m.answer = wanted(99) })
		d := n.desk()
		d.run(10, rising)
		if first.reports() == 0 || second.reports() == 0 {
			t.Fatalf("the managers heard %d and %d reports", first.reports(), second.reports())
		}
		if d.active() != 4 {
			t.Errorf("%d workers are wanted, the leader said 4", d.active())
		}
		// The second one takes the lead; the first was cut off from the API server and does not know it.
		second.lead(time.Now(), wanted(6))
		d.run(3, rising)
		for range 10 {
			d.run(1, rising)
			if d.active() != 6 {
				t.Fatalf("%d workers are wanted, the new leader said 6", d.active())
			}
		}
		// The new one goes away for good; the old one really leads again by its own lights. It is believed when nobody else is heard.
		second.stop()
		n.find("10.0.0.1")
		d.run(60, rising)
		if d.active() != 4 {
			t.Errorf("%d workers are wanted, the only leader said 4", d.active())
		}
	})
}

func TestReportsOnChangeAtMostOnceASecondElseEveryFive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		m := n.start("10.0.0.1", nil)
		d := n.desk()
		d.run(60, still)
		if sent := m.reports(); sent < 12 || sent > 14 {
			t.Errorf("%d reports in a minute without a change", sent)
		}
		before := m.reports()
		for i := range 600 { // ten changes a second
			d.Report(&link.Report{Router: "router-0_a", Term: 7, Queues: []link.Queue{{Name: "bot", Waiting: i}}})
			pass(100 * time.Millisecond)
		}
		if sent := m.reports() - before; sent < 50 || sent > 61 {
			t.Errorf("%d reports in a minute of changes", sent)
		}
		if last, _ := m.desks.Last(key); last.Queues[0].Waiting < 590 {
			t.Errorf("the last report says %d", last.Queues[0].Waiting)
		}
	})
}

func TestOnlyWhoLeadsReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		m := n.start("10.0.0.1", nil)
		d := n.desk()
		pass(time.Minute)
		if m.reports() != 0 || n.dials != 0 {
			t.Errorf("a standby made %d connections and sent %d reports", n.dials, m.reports())
		}
		d.run(10, rising)
		if m.reports() == 0 {
			t.Fatal("the leader did not report")
		}
		pass(4 * time.Second)
		sent := m.reports()
		pass(time.Minute)
		if m.reports() != sent {
			t.Errorf("%d reports after the lead was lost", m.reports()-sent)
		}
	})
}

// A manager that hangs holds up neither the router nor the other manager.
func TestManagerThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		hung := n.start("10.0.0.1", nil)
		hung.stop()
		n.managers["10.0.0.1"] = &manager{conns: make(chan net.Conn), done: context.Background()} // nobody accepts
		good := n.start("10.0.0.2", func(m *manager) { m.lead(time.Now(), wanted(2)) })
		d := n.desk()
		start := time.Now()
		d.run(30, rising)
		if took := time.Since(start); took > 30*time.Second {
			t.Errorf("30 reports took %s", took)
		}
		if sent := good.reports(); d.active() != 2 || sent < 25 {
			t.Errorf("the good manager heard %d reports, %d workers are wanted", sent, d.active())
		}
	})
}

func TestManagerComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		m := n.start("10.0.0.1", nil)
		d := n.desk()
		d.run(5, rising)
		m.stop()
		before := n.dials
		d.run(300, rising)
		if tries := n.dials - before; tries < 10 || tries > 60 {
			t.Errorf("%d tries in five minutes", tries)
		}
		m = n.start("10.0.0.1", nil)
		d.run(20, rising)
		if m.reports() == 0 {
			t.Error("the manager that came back heard nothing")
		}
	})
}

func TestManagersAreFoundAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		first := n.start("10.0.0.1", nil)
		d := n.desk()
		d.run(5, rising)
		second := n.start("fd00::2", nil) // IPv6
		n.find("fd00::2")
		d.run(60, rising)
		if second.reports() == 0 {
			t.Error("the new manager heard nothing")
		}
		sent := first.reports()
		d.run(10, rising)
		if first.reports() != sent {
			t.Error("the former address still gets reports")
		}
		n.mu.Lock()
		n.lookup = errors.New("the resolver does not answer")
		n.mu.Unlock()
		sent = second.reports()
		d.run(120, rising)
		if second.reports() < sent+100 {
			t.Errorf("%d reports in two minutes without a resolver", second.reports()-sent)
		}
	})
}

func TestTokenIsReadAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		m := n.start("10.0.0.1", nil)
		d := n.desk()
		n.write(d, n.cluster.Token("shop", "web-desk", linktest.Claims{Expiry: time.Now().Add(30 * time.Second)}))
		d.run(60, rising)
		sent := m.reports()
		d.run(30, rising)
		// Refused ones have numbers too; none of them arrives.
		if m.reports() != sent {
			t.Fatal("an expired token was accepted")
		}
		n.write(d, n.cluster.Token("shop", "web-desk", linktest.Claims{Expiry: time.Now().Add(time.Hour)}))
		d.run(30, rising)
		if m.reports() == sent {
			t.Error("the new token was not used")
		}
	})
}

func TestConfigurationComesInTheReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		m := n.start("10.0.0.1", nil)
		d := n.desk()
		next := document(t, func(doc *runtimeconfig.Document) {
			n.managersOf(doc)
			doc.Generation, doc.DisplayName = 2, "Shop"
		})
		read := 0
		answer := func(data []byte) server.Answer {
			return server.Answer{Revision: runtimeconfig.Revision(data), Document: func() (string, error) { read++; return string(data), nil }}
		}
		m.lead(time.Now(), answer(next))
		d.run(30, rising)
		if got := d.store.Current().Document.DisplayName; got != "Shop" || read != 1 {
			t.Errorf("the desk is called %q after %d readings of the document", got, read)
		}
		// One that this release cannot read is refused once, not each second.
		read = 0
		m.lead(time.Now(), answer([]byte(`{"version":99}`)))
		d.run(30, rising)
		if d.store.Current().Document.DisplayName != "Shop" || read > 2 {
			t.Errorf("a document that cannot be read was sent %d times", read)
		}
	})
}

// A certificate of another authority ends the connection before a token is shown.
func TestStrangersGetNoToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, rival := newNetwork(t), newNetwork(t)
		stranger := rival.start("10.0.0.1", func(m *manager) { m.lead(time.Now(), wanted(99)) })
		n.managers, n.found = rival.managers, rival.found
		d := n.desk()
		d.run(30, rising)
		if stranger.reports() != 0 || d.told != 0 {
			t.Errorf("a stranger heard %d reports and was obeyed %d times", stranger.reports(), d.told)
		}
		// The authority is renewed: it comes with the configuration.
		if _, err := d.store.Offer(document(t, func(doc *runtimeconfig.Document) {
			rival.managersOf(doc)
			doc.Generation = 2
		})); err != nil {
			t.Fatal(err)
		}
		n.write(d, rival.cluster.Token("shop", "web-desk", linktest.Claims{}))
		d.run(30, rising)
		if stranger.reports() == 0 {
			t.Error("the manager whose authority the new configuration names heard nothing")
		}
	})
}

func TestDeskWithoutManagersWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		m := n.start("10.0.0.1", nil)
		d := n.deskWith(func(*runtimeconfig.Document) {}, slog.DiscardHandler)
		d.run(30, rising)
		if m.reports() != 0 {
			t.Error("reports went to managers that the configuration does not name")
		}
		if _, err := d.store.Offer(document(t, func(doc *runtimeconfig.Document) { n.managersOf(doc); doc.Generation = 2 })); err != nil {
			t.Fatal(err)
		}
		d.run(10, rising)
		if m.reports() == 0 {
			t.Error("the managers that the new configuration names heard nothing")
		}
	})
}

func TestMissingTokenIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		m := n.start("10.0.0.1", nil)
		var log strings.Builder
		d := n.deskWith(n.managersOf, slog.NewTextHandler(&log, nil))
		if err := os.Remove(d.token); err != nil {
			t.Fatal(err)
		}
		d.run(30, rising)
		if m.reports() != 0 || strings.Count(log.String(), "mount the projected ServiceAccount token") != 1 {
			t.Errorf("the log says %s", log.String())
		}
	})
}

// keeper is what a desk keeps.
type keeper struct {
	mu    sync.Mutex
	kept  map[string][]byte
	reads int
	fails error
}

func (k *keeper) Keep(learned map[string][]byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	maps.Copy(k.kept, learned)
}

func (k *keeper) Kept(_ context.Context, pools []string) (map[string][]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.reads++
	kept := map[string][]byte{}
	for _, p := range pools {
		kept[p] = append([]byte{}, k.kept[p]...)
	}
	return kept, k.fails
}

// What the leader recalls it gets, within a moment, alone and once; what it learned is kept.
func TestLearnedTravelsBothWays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		first := n.start("10.0.0.1", nil)
		standby := n.start("10.0.0.2", nil)
		first.lead(time.Now(), server.Answer{Recall: []string{"bots", "more"}})
		k := &keeper{kept: map[string][]byte{"bots": []byte("two weeks")}}
		k.fails = errors.New("the bus is away")
		d := n.deskKeeping(k)
		d.run(5, still)
		if first.recalled != nil {
			t.Fatalf("%q came back from a bus that is away", first.recalled)
		}
		k.fails = nil
		d.run(6, still)
		if string(first.recalled["bots"]) != "two weeks" || first.recalled["more"] == nil || len(first.recalled["more"]) > 0 || standby.recalled != nil {
			t.Errorf("the leader got %q, the other one %q", first.recalled, standby.recalled)
		}
		if last, _ := first.desks.Last(key); last.Learned != nil {
			t.Error("it is kept with the report")
		}
		first.lead(time.Now(), server.Answer{Learned: map[string][]byte{"bots": []byte("three weeks")}})
		before := k.reads
		d.run(10, still)
		if string(k.kept["bots"]) != "three weeks" || k.reads != before {
			t.Errorf("%q is kept, after %d readings that nobody asked for", k.kept["bots"], k.reads-before)
		}
		// A manager that asks for ever is answered, and not in a tight loop.
		first.lead(time.Now(), server.Answer{Recall: []string{"bots"}})
		sent := first.reports()
		d.run(20, still)
		if posts := first.reports() - sent; posts < 10 || posts > 85 {
			t.Errorf("%d posts in 20 s to a manager that asks for ever", posts)
		}
	})
}
