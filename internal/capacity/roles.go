package capacity

import (
	"math"
	"slices"
	"time"

	"github.com/deskfleet/deskfleet/internal/link"
	"github.com/deskfleet/deskfleet/internal/link/server"
	"github.com/deskfleet/deskfleet/internal/scaling"
)

// Role of a desk whose replicas follow its load.
type Role struct {
	Name     string
	Settings scaling.RoleSettings
	// Replicas that its workload has to have now.
	Replicas int
}

// RoleView is what is wanted of a role.
type RoleView struct {
	Name     string
	Decision scaling.RoleDecision
	// Load of the role, and whether it is known.
	Load  float64
	Known bool
}

// role is what the loop knows of one.
type role struct {
	Role
	memory scaling.RoleMemory
	view   RoleView
	// told is what the controller was last told of.
	told RoleView
}

// LookAtRoles says what is wanted of the roles of a desk that scale: these, and no others.
func (l *Loop) LookAtRoles(namespace, name string, roles []Role) []RoleView {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, key := l.o.Now(), server.Key{Namespace: namespace, Desk: name}
	d := l.desk(key)
	known := d.roles
	d.roles = nil
	for _, r := range roles {
		e := &role{Role: r}
		if at := slices.IndexFunc(known, func(o *role) bool { return o.Name == r.Name }); at >= 0 {
			e.memory = known[at].memory
		}
		d.roles = append(d.roles, e)
	}
	l.decideRoles(now, key, d)
	views := make([]RoleView, 0, len(d.roles))
	for _, e := range d.roles {
		e.told = e.view
		views = append(views, e.view)
	}
	return views
}

// decideRoles of a desk.
func (l *Loop) decideRoles(now time.Time, key server.Key, d *desk) {
	if len(d.roles) == 0 {
		return
	}
	report, received := l.last(key)
	for _, e := range d.roles {
		var f scaling.RoleFigures
		if of := roleOf(report, e.Name); of != nil && now.Sub(received) <= scaling.StaleAfter {
			f = scaling.RoleFigures{Load: of.Load, Replicas: of.Replicas, Fresh: true}
			if of.Complete {
				f.Replicas = math.MaxInt
			}
		}
		e.view = RoleView{
			Name: e.Name, Load: f.Load, Known: f.Fresh && (f.Replicas > 0 || f.Load > 0),
			Decision: scaling.DecideRole(&e.Settings, &f, e.Replicas, &e.memory, now),
		}
	}
}

func roleOf(report *link.Report, name string) *link.Role {
	if report == nil {
		return nil
	}
	if at := slices.IndexFunc(report.Roles, func(r link.Role) bool { return r.Name == name }); at >= 0 {
		return &report.Roles[at]
	}
	return nil
}

// roleNews says whether the desk's controller should look at its roles: another number at once, other words with the
// other figures.
func (d *desk) roleNews(now time.Time) bool {
	news := false
	for _, e := range d.roles {
		if e.view.Decision.Replicas != e.told.Decision.Replicas || now.Sub(d.toldAt) >= figuresEvery && e.view.Decision != e.told.Decision {
			news = true
		}
	}
	if news {
		for _, e := range d.roles {
			e.told = e.view
		}
	}
	return news
}

// roleViews of all desks at this moment.
func (l *Loop) roleViews() map[server.Key][]RoleView {
	l.mu.Lock()
	defer l.mu.Unlock()
	views := map[server.Key][]RoleView{}
	for key, d := range l.desks {
		for _, e := range d.roles {
			views[key] = append(views[key], e.view)
		}
	}
	return views
}
