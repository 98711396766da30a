package server

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/deskfleet/deskfleet/internal/link"
)

// Bounds of what is kept.
const (
	// maxDesks that are kept; a cluster has fewer.
	maxDesks = 20_000
	// forgetAfter a desk that has not reported is forgotten, with its limit.
	forgetAfter = 10 * time.Minute
	// reportsPerSecond and their burst are what one desk may send: two routers, one of which leads, at one a
	// second each, and a few at once after a pause.
	reportsPerSecond = 3
	reportsBurst     = 10
)

// Key names a desk.
type Key struct{ Namespace, Desk string }

// Desks keeps the last report of each desk. Make it with [NewDesks]; it is safe
// for concurrent use.
type Desks struct {
	now func() time.Time

	mu    sync.Mutex
	desks map[Key]*desk
	swept time.Time
}

type desk struct {
	limit rate.Limiter
	// report is shared with readers and never changed; nil while only the limit is known.
	report   *link.Report
	received time.Time
	asked    time.Time
}

// NewDesks makes an empty register. Now is the clock; time.Now outside tests.
func NewDesks(now func() time.Time) *Desks {
	return &Desks{now: now, desks: map[Key]*desk{}}
}

// Last returns the last report of a desk and when it was received; nil when none
// is kept. The report must not be changed.
func (d *Desks) Last(key Key) (*link.Report, time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if known := d.desks[key]; known != nil && known.report != nil {
		return known.report, known.received
	}
	return nil, time.Time{}
}

// Len is how many desks are kept.
func (d *Desks) Len() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.desks)
}

// admit says whether a desk may send now. It also says no when too many desks
// are known, as an answer to whom there would be no place to remember.
func (d *Desks) admit(key Key) bool {
	now := d.now()
	d.mu.Lock()
	defer d.mu.Unlock()
	known := d.desks[key]
	if known == nil {
		d.sweep(now)
		if len(d.desks) >= maxDesks {
			return false
		}
		known = &desk{limit: *rate.NewLimiter(reportsPerSecond, reportsBurst)}
		d.desks[key] = known
	}
	known.asked = now
	return known.limit.AllowN(now, 1)
}

// sweep forgets the desks that are silent for long. It looks at all of them, so
// it does that seldom.
func (d *Desks) sweep(now time.Time) {
	if now.Sub(d.swept) < time.Minute && len(d.desks) < maxDesks {
		return
	}
	d.swept = now
	for key, known := range d.desks {
		if now.Sub(known.asked) > forgetAfter {
			delete(d.desks, key)
		}
	}
}

// keep takes a report over, unless a newer one is known: a router that was
// deposed may report for a moment longer, and reports may overtake each other.
// It says whether it did.
func (d *Desks) keep(r *link.Report) bool {
	now := d.now()
	d.mu.Lock()
	defer d.mu.Unlock()
	known := d.desks[Key{r.Namespace, r.Desk}]
	if known == nil {
		return false // forgotten in the moment since it was admitted
	}
	if last := known.report; last != nil && now.Sub(known.received) < link.Idle*2 {
		// What is older than that says nothing any more: a desk whose log was lost begins again with a small term.
		if r.Term < last.Term || r.Term == last.Term && r.Router == last.Router && r.Seq <= last.Seq {
			return false
		}
	}
	known.report, known.received = r, now
	return true
}

// Keep takes a report over that did not come over the network, as in a test of
// whoever reads the register.
func (d *Desks) Keep(r *link.Report) bool {
	d.admit(Key{r.Namespace, r.Desk})
	return d.keep(r)
}
