package limit

import (
	"fmt"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var start = time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)

func TestTake(t *testing.T) {
	b := NewBuckets(10)
	for i := range 3 {
		if _, ok := b.Take("a", 6, 3, start); !ok {
			t.Fatalf("token %d is refused", i)
		}
	}
	wait, ok := b.Take("a", 6, 3, start)
	if ok || wait != 10*time.Second {
		t.Errorf("the fourth gives %t after %s, want false and 10s", ok, wait)
	}
	if _, ok := b.Take("b", 6, 3, start); !ok {
		t.Error("another key is refused")
	}
	// Being refused costs nothing.
	if _, ok := b.Take("a", 6, 3, start.Add(10*time.Second)); !ok {
		t.Error("refused after the wait")
	}
	if _, empty := b.Empty("a", 6, 3, start.Add(10*time.Second)); !empty {
		t.Error("the bucket has a token left")
	}
	if _, empty := b.Empty("a", 6, 3, start.Add(20*time.Second)); empty {
		t.Error("looking takes a token")
	}
	// A changed configuration counts at once.
	if _, ok := b.Take("a", 600, 3, start.Add(21*time.Second)); !ok {
		t.Error("the new rate is not taken over")
	}
}

func TestBucketsAreBounded(t *testing.T) {
	b := NewBuckets(5)
	b.Take("kept", 1, 1, start)
	for i := range 100 {
		b.Take(fmt.Sprint(i), 1, 1, start)
		if _, ok := b.Take("kept", 1, 1, start); ok {
			t.Fatalf("a key in use was forgotten after %d others", i)
		}
	}
	if len(b.byKey) != 5 || b.order.Len() != 5 {
		t.Errorf("%d keys in the map and %d in the list", len(b.byKey), b.order.Len())
	}
}

// TestNeverFaster: over any time no more tokens are given than burst and rate allow.
func TestNeverFaster(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := NewBuckets(3)
		perMinute := rapid.IntRange(1, 600).Draw(t, "perMinute")
		burst := rapid.IntRange(1, 50).Draw(t, "burst")
		now, given := start, 0
		for _, ms := range rapid.SliceOfN(rapid.IntRange(0, 5000), 1, 200).Draw(t, "pauses") {
			now = now.Add(time.Duration(ms) * time.Millisecond)
			if _, ok := b.Take("k", perMinute, burst, now); ok {
				given++
			}
		}
		most := float64(burst) + now.Sub(start).Minutes()*float64(perMinute)
		if float64(given) > most+1e-6 {
			t.Fatalf("%d tokens in %s, at most %f are allowed", given, now.Sub(start), most)
		}
	})
}

func TestConnections(t *testing.T) {
	c := NewConnections(3, 2)
	a, b := netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("198.51.100.2")
	release, ok := c.Acquire(a)
	if !ok {
		t.Fatal("the first is refused")
	}
	if _, ok := c.Acquire(a); !ok {
		t.Fatal("the second is refused")
	}
	if _, ok := c.Acquire(a); ok {
		t.Error("the third of an address is taken")
	}
	if _, ok := c.Acquire(b); !ok {
		t.Error("another address is refused")
	}
	if _, ok := c.Acquire(netip.Addr{}); ok {
		t.Error("the fourth in all is taken")
	}
	release()
	release() // a second call counts once
	if c.Open() != 2 {
		t.Errorf("%d are open", c.Open())
	}
	unknown, ok := c.Acquire(netip.Addr{})
	if !ok {
		t.Error("an unknown address is refused")
	}
	unknown()
	if len(c.byAddr) != 2 {
		t.Errorf("%d addresses are counted", len(c.byAddr))
	}
}

func TestClientAddr(t *testing.T) {
	for _, tc := range []struct {
		name, peer string
		forwarded  []string
		want       string // empty for unknown
	}{
		{"direct", "203.0.113.7:4711", nil, "203.0.113.7"},
		{"a client cannot pretend", "203.0.113.7:4711", []string{"198.51.100.1"}, "203.0.113.7"},
		{"ingress", "10.1.2.3:80", []string{"198.51.100.1"}, "198.51.100.1"},
		{"a forged entry before the real one", "10.1.2.3:80", []string{"192.0.2.1, 198.51.100.1"}, "198.51.100.1"},
		{"two proxies", "10.1.2.3:80", []string{"198.51.100.1, 10.9.9.9"}, "198.51.100.1"},
		{"two headers", "10.1.2.3:80", []string{"192.0.2.1", "198.51.100.1"}, "198.51.100.1"},
		{"ingress that says nothing", "10.1.2.3:80", nil, ""},
		{"only proxies", "10.1.2.3:80", []string{"10.2.2.2"}, ""},
		{"garbage", "10.1.2.3:80", []string{"not an address"}, ""},
		{"IPv4 in IPv6", "[::ffff:203.0.113.7]:4711", nil, "203.0.113.7"},
		{"one network of IPv6", "[2001:db8:1:2:3:4:5:6]:4711", nil, "2001:db8:1:2::"},
		{"loopback", "[::1]:4711", []string{"198.51.100.1"}, "198.51.100.1"},
		{"no port", "203.0.113.7", nil, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := &http.Request{RemoteAddr: tc.peer, Header: http.Header{}}
			for _, f := range tc.forwarded {
				r.Header.Add("X-Forwarded-For", f)
			}
			got := ClientAddr(r, PrivateNetworks())
			if tc.want == "" && got.IsValid() || tc.want != "" && got.String() != tc.want {
				t.Errorf("address is %s, want %q", got, tc.want)
			}
		})
	}
}
