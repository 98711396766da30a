// Package limit bounds what one customer, agent or address may use of a web role. All state is bounded:
// what would grow with the number of clients forgets the least recently used first.
package limit

import (
	"container/list"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Buckets are token buckets by key.
type Buckets struct {
	most int

	mu    sync.Mutex
	byKey map[string]*list.Element
	order *list.List // of *bucket, most recently used in front
}

type bucket struct {
	key     string
	limiter *rate.Limiter
}

// NewBuckets keeps at most the given number of keys.
func NewBuckets(most int) *Buckets {
	return &Buckets{most: most, byKey: map[string]*list.Element{}, order: list.New()}
}

// Take takes one token of the key's bucket, which gets perMinute tokens a minute and holds at most burst.
// When there is none it returns how long until there is.
func (b *Buckets) Take(key string, perMinute, burst int, now time.Time) (wait time.Duration, ok bool) {
	l := b.limiter(key, perMinute, burst, now)
	r := l.ReserveN(now, 1)
	if !r.OK() {
		return time.Minute, false
	}
	if wait := r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
		return wait, false
	}
	return 0, true
}

// Empty says whether the key has no token left, and how long until it has, without taking one.
func (b *Buckets) Empty(key string, perMinute, burst int, now time.Time) (wait time.Duration, empty bool) {
	l := b.limiter(key, perMinute, burst, now)
	if missing := 1 - l.TokensAt(now); missing > 0 {
		return time.Duration(missing / float64(l.Limit()) * float64(time.Second)), true
	}
	return 0, false
}

func (b *Buckets) limiter(key string, perMinute, burst int, now time.Time) *rate.Limiter {
	limit := rate.Limit(float64(perMinute) / 60)
	b.mu.Lock()
	defer b.mu.Unlock()
	if e, known := b.byKey[key]; known {
		b.order.MoveToFront(e)
		l := e.Value.(*bucket).limiter //nolint:forcetypeassert // the list holds buckets only
		// The limits are configuration and may have changed.
		l.SetLimitAt(now, limit)
		l.SetBurstAt(now, burst)
		return l
	}
	if b.order.Len() >= b.most {
		oldest := b.order.Back()
		b.order.Remove(oldest)
		delete(b.byKey, oldest.Value.(*bucket).key) //nolint:forcetypeassert // the list holds buckets only
	}
	l := rate.NewLimiter(limit, burst)
	b.byKey[key] = b.order.PushFront(&bucket{key: key, limiter: l})
	return l
}

// Connections counts open connections, in all and by address.
type Connections struct {
	most, mostPerAddr int

	mu     sync.Mutex
	open   int
	byAddr map[netip.Addr]int
}

// NewConnections allows most connections, and mostPerAddr from one address.
func NewConnections(most, mostPerAddr int) *Connections {
	return &Connections{most: most, mostPerAddr: mostPerAddr, byAddr: map[netip.Addr]int{}}
}

// Acquire counts a connection until release is called. An invalid address is one that is not known and
// counts in all only.
func (c *Connections) Acquire(addr netip.Addr) (release func(), ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open >= c.most || addr.IsValid() && c.byAddr[addr] >= c.mostPerAddr {
		return nil, false
	}
	c.open++
	if addr.IsValid() {
		c.byAddr[addr]++
	}
	return sync.OnceFunc(func() { c.release(addr) }), true
}

func (c *Connections) release(addr netip.Addr) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open--
	if !addr.IsValid() {
		return
	}
	if c.byAddr[addr]--; c.byAddr[addr] == 0 {
		delete(c.byAddr, addr)
	}
}

// Open connections.
func (c *Connections) Open() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open
}

// PrivateNetworks are the addresses of which a desk's ingress is expected: private, loopback and
// link-local ones, and those of carrier-grade NAT, which some clusters use for pods.
func PrivateNetworks() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"),
		netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("169.254.0.0/16"),
		netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("fc00::/7"), netip.MustParsePrefix("fe80::/10"),
	}
}

// ClientAddr is the address that a request comes from: the last one in X-Forwarded-For that is not a
// trusted proxy, provided that the request itself comes from one. It is invalid when only proxies are
// known: counting all customers of an ingress as one address would lock them out together.
func ClientAddr(r *http.Request, trusted []netip.Prefix) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	peer, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}
	}
	peer = normal(peer)
	if !contains(trusted, peer) {
		return peer
	}
	forwarded := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(forwarded) {
		addr, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			return netip.Addr{}
		}
		if addr = normal(addr); !contains(trusted, addr) {
			return addr
		}
	}
	return netip.Addr{}
}

// normal makes one address of those that one client may choose from.
func normal(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if a.Is6() && !a.IsLoopback() {
		// An IPv6 client owns at least a /64.
		if p, err := a.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return a
}

func contains(prefixes []netip.Prefix, a netip.Addr) bool {
	for _, p := range prefixes {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
