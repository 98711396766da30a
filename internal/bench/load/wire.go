package load

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// kind of a line.
type kind string

const (
	ask    kind = "ask"
	answer kind = "answer"
)

func prefix(k kind, turn int) string { return fmt.Sprintf("%s %d ", k, turn) }

// line is what is said: who says it, the turn, and when, in nanoseconds since the load began. It has the length of a usual message.
func line(k kind, turn int, began time.Time) string {
	return prefix(k, turn) + strconv.FormatInt(int64(time.Since(began)), 10) + " Where is my order, and when will it be here?"
}

func parse(text string, began time.Time) (k kind, turn int, at time.Time, ok bool) {
	fields := strings.SplitN(text, " ", 4)
	if len(fields) < 4 {
		return "", 0, time.Time{}, false
	}
	turn, turnErr := strconv.Atoi(fields[1])
	nanos, atErr := strconv.ParseInt(fields[2], 10, 64)
	k = kind(fields[0])
	return k, turn, began.Add(time.Duration(nanos)), turnErr == nil && atErr == nil && (k == ask || k == answer)
}

// addressOf is an address of its own for each customer, of the network that is set aside for benchmarks (RFC 2544).
// A desk trusts the word of proxies in private networks, and bounds what one address may do.
func addressOf(number int64) netip.Addr {
	n := uint32(number) % (1 << 17) //nolint:gosec // a remainder
	return netip.AddrFrom4([4]byte{198, 18 + byte(n>>16), byte(n >> 8 & 0xff), byte(n & 0xff)})
}

type fromAddress struct {
	address string
	next    http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (f fromAddress) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("X-Forwarded-For", f.address)
	return f.next.RoundTrip(r)
}

// CloseIdleConnections lets http.Client close what the transport below keeps.
func (f fromAddress) CloseIdleConnections() {
	if closer, ok := f.next.(interface{ CloseIdleConnections() }); ok {
		closer.CloseIdleConnections()
	}
}

func clientFrom(address netip.Addr) *http.Client {
	return &http.Client{Transport: fromAddress{address.String(), &http.Transport{
		DialContext: (&net.Dialer{Timeout: 10 * time.Second}).DialContext, MaxIdleConns: 1, IdleConnTimeout: 10 * time.Second,
	}}}
}
