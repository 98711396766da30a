package capacity

import (
	"slices"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/link"
	"github.com/deskfleet/deskfleet/internal/link/server"
	"github.com/deskfleet/deskfleet/internal/scaling"
)

// desk is what the loop knows of a desk besides its figures.
type desk struct {
	pools []*entry // by name
	// wanted is the configuration that is to run; zero while that is not known.
	wanted Configuration
	// claimed is the foreign revision that the controller was told of.
	claimed string
	// since is when the desk came into the table.
	since time.Time
	// looked says that the controller has looked at it; queues are those that it declares.
	looked bool
	queues []string
	// roles that scale.
	roles []*role
	// told is the view that the controller was last told of, at toldAt.
	told   DeskView
	toldAt time.Time
}

// Desk is what the loop must know of a desk; its controller tells.
type Desk struct {
	Namespace, Name string
	// Queues that the desk declares, in their order. What it reports of others is left out: they are ones that it does
	// not have any more, and a desk must not be able to fill the status or the metrics with names.
	Queues []string
}

// DeskView is how the customers of a desk are served at one moment.
type DeskView struct {
	// Fresh says that what follows Since is of the last seconds; otherwise it is not known, and empty. Young says that
	// it is too early to miss it: the desk has not had the time to report since it came into the table.
	Fresh, Young bool
	// Received is when the desk reported last; zero when that is not known. Since is when it came into the table.
	Received, Since time.Time
	// Waiting conversations of all queues, and when the one that has waited longest arrived; zero when none waits.
	Waiting     int
	OldestSince time.Time
	// Queues that are declared and reported: the implicit one of the bots, then the others in their order.
	Queues []link.Queue
	// Agents are the people of the desk; nil when it does not tell.
	Agents *link.Agents
	// Archive and Bus are how full they are; nil when it does not tell.
	Archive, Bus *link.Storage
	// ArchiveLag is how far the archive is behind; nil when it does not tell.
	ArchiveLag *link.Lag
	// Webhooks that somebody has to look at; nil when it does not tell.
	Webhooks *link.Webhooks
}

// LookAtDesk puts a desk into the table, or changes it, and says how its customers are served.
func (l *Loop) LookAtDesk(d Desk) DeskView {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, key := l.o.Now(), server.Key{Namespace: d.Namespace, Desk: d.Name}
	known := l.desk(key)
	known.looked, known.queues = true, d.Queues
	known.told, known.toldAt = l.viewOf(now, key, known), now
	return known.told
}

// ForgetDesk takes a desk out of the table, but for its pools.
func (l *Loop) ForgetDesk(namespace, name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := server.Key{Namespace: namespace, Desk: name}
	if d := l.desks[key]; d != nil {
		d.wanted, d.looked, d.roles = Configuration{}, false, nil
		l.drop(key, d)
	}
}

// drop takes a desk out of the table of which nothing is known any more.
func (l *Loop) drop(key server.Key, d *desk) {
	if len(d.pools) == 0 && d.wanted == (Configuration{}) && !d.looked {
		delete(l.desks, key)
	}
}

// last report of a desk; nil when none is known.
func (l *Loop) last(key server.Key) (*link.Report, time.Time) {
	if l.o.Desks == nil {
		return nil, time.Time{}
	}
	return l.o.Desks.Last(key)
}

func (l *Loop) viewOf(now time.Time, key server.Key, d *desk) DeskView {
	report, received := l.last(key)
	v := DeskView{Received: received, Since: d.since}
	if report == nil {
		v.Young = now.Sub(d.since) < scaling.StaleAfter
		return v
	}
	if now.Sub(received) > scaling.StaleAfter {
		return v
	}
	v.Fresh, v.Agents, v.Archive, v.Bus, v.ArchiveLag = true, report.Agents, report.Archive, report.Bus, report.ArchiveLag
	v.Webhooks = report.Webhooks
	for _, name := range append([]string{conversation.BotQueue}, d.queues...) {
		i := slices.IndexFunc(report.Queues, func(q link.Queue) bool { return q.Name == name })
		if i < 0 {
			continue
		}
		q := report.Queues[i]
		v.Queues = append(v.Queues, q)
		v.Waiting += q.Waiting
		if !q.OldestSince.IsZero() && (v.OldestSince.IsZero() || q.OldestSince.Before(v.OldestSince)) {
			v.OldestSince = q.OldestSince
		}
	}
	return v
}

// deskNews says whether the desk's controller should look at it.
func (l *Loop) deskNews(now time.Time, key server.Key, d *desk) bool {
	if l.o.Desks == nil || !d.looked {
		return false
	}
	v := l.viewOf(now, key, d)
	news := v.Fresh != d.told.Fresh || v.Young != d.told.Young || low(v.Archive) != low(d.told.Archive) || low(v.Bus) != low(d.told.Bus) ||
		behind(v.ArchiveLag) != behind(d.told.ArchiveLag) || v.Fresh && (!v.Webhooks.Same(d.told.Webhooks) || !v.sameHeld(&d.told))
	l.decideRoles(now, key, d)
	news = d.roleNews(now) || news
	if !news && (now.Sub(d.toldAt) < figuresEvery || v.sameFigures(&d.told)) {
		return false
	}
	d.told, d.toldAt = v, now
	return true
}

func behind(l *link.Lag) bool { return l != nil && l.Behind }

func low(s *link.Storage) bool { return s != nil && s.Low }

// sameFigures ignores the bytes of what is not low, and a lag that is none, which nobody is told of.
func (v *DeskView) sameFigures(other *DeskView) bool {
	return slices.EqualFunc(v.Queues, other.Queues, func(a, b link.Queue) bool {
		return a.Name == b.Name && a.Waiting == b.Waiting && a.OldestSince.Equal(b.OldestSince) && ServedOf(a.Figures) == ServedOf(b.Figures)
	}) && equal(v.Agents, other.Agents) && sameBytes(v.Archive, other.Archive) && sameBytes(v.Bus, other.Bus) &&
		(!behind(v.ArchiveLag) && !behind(other.ArchiveLag) || equal(v.ArchiveLag, other.ArchiveLag))
}

// sameHeld says whether people hold the same steps: that a supervisor acts is seldom, and news at once.
func (v *DeskView) sameHeld(other *DeskView) bool {
	return slices.EqualFunc(v.Queues, other.Queues, func(a, b link.Queue) bool {
		return a.Name == b.Name && a.Figures.SameHeld(b.Figures)
	})
}

func sameBytes(a, b *link.Storage) bool { return !low(a) && !low(b) || equal(a, b) }

func equal[T comparable](a, b *T) bool { return a == b || a != nil && b != nil && *a == *b }

// deskViews are those of all desks at this moment.
func (l *Loop) deskViews() map[server.Key]DeskView {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, views := l.o.Now(), make(map[server.Key]DeskView, len(l.desks))
	for key, d := range l.desks {
		if d.looked {
			views[key] = l.viewOf(now, key, d)
		}
	}
	return views
}
