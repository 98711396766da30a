package link

import (
	"fmt"
	"net/url"
	"time"
)

// Version of what this release writes.
const Version = 1

// Audience of the tokens, which the API server puts into them on request and
// accepts for nothing else.
const Audience = "deskfleet-link"

// Port of the managers.
const Port = 9443

// Path to which a desk posts its reports. The desk stands in it, so that a
// manager knows whether it may be reported before it reads a byte of the report.
func Path(namespace, desk string) string {
	return "/v1/desks/" + url.PathEscape(namespace) + "/" + url.PathEscape(desk) + "/report"
}

// How often a desk reports.
const (
	// OnChange is the shortest time between two reports.
	OnChange = time.Second
	// Idle is the longest time between two reports. It is a third of the age at which figures are stale.
	Idle = 5 * time.Second
)

// Bounds of a report. They are beyond every desk that the API's schema allows.
const (
	MaxReportBytes = 768 << 10
	MaxReplyBytes  = 4 << 20
	maxQueues      = 256
	maxPools       = 512
	maxWorkers     = 8192
	maxName        = 253
	maxCount       = 100_000_000
	maxLagSeconds  = 100 * 365 * 24 * 3600
)

// Report of a desk, at one moment.
type Report struct {
	V         int    `json:"v"`
	Namespace string `json:"namespace"`
	Desk      string `json:"desk"`
	// Router that leads, Term with which it took the lead (a greater one is newer), and Seq of its reports.
	Router string `json:"router"`
	Term   uint64 `json:"term"`
	Seq    uint64 `json:"seq"`
	// At is when the figures were taken, by the router's clock. The manager judges their age by its own.
	At time.Time `json:"at"`
	// Since is when the counters of queues and pools began: with the term. Zero from a router that does not tell.
	Since time.Time `json:"since,omitzero"`
	// Revision and Generation of the configuration that the desk has, and the revision that it Refused, as it
	// cannot be read: it is not sent again.
	Revision   string `json:"revision,omitempty"`
	Generation int64  `json:"generation,omitempty"`
	Refused    string `json:"refused,omitempty"`
	// Queues of people, and the implicit one of the bots.
	Queues []Queue `json:"queues,omitempty"`
	Pools  []Pool  `json:"pools,omitempty"`
	// BotFlow is the flow through all pools of bots, where there are several; nil for one, whose flow is its own, and where
	// it is not known.
	BotFlow *Flow `json:"botFlow,omitempty"`
	// Agents are the people who are signed on, each counted once; nil from a router that does not tell.
	Agents *Agents `json:"agents,omitempty"`
	// Archive is the volume of the archive, Bus what the desk's log on the bus may hold; nil while the router does
	// not know, or where there is no limit to be seen.
	Archive *Storage `json:"archive,omitempty"`
	Bus     *Storage `json:"bus,omitempty"`
	// ArchiveLag is how far the archive is behind; nil while the router does not know.
	ArchiveLag *Lag `json:"archiveLag,omitempty"`
	// Webhooks that somebody has to look at; nil while the router does not know.
	Webhooks *Webhooks `json:"webhooks,omitempty"`
	// Roles whose replicas follow their load.
	Roles []Role `json:"roles,omitempty"`
	// Learned is what the desk keeps of the pools that the manager's last reply recalls, by name; empty of one of which
	// nothing is kept.
	Learned map[string][]byte `json:"learned,omitempty"`
}

// Lag of an archive.
type Lag struct {
	// Events that are not stored, at most, and the age of the oldest one in seconds.
	Events  uint64  `json:"events"`
	Seconds float64 `json:"seconds"`
	// Behind is the word of whoever measures, Silent that the archive does not answer.
	Behind bool `json:"behind,omitempty"`
	Silent bool `json:"silent,omitempty"`
}

// Agents counts people of all pools. The sum over the pools would count those twice who are in two.
type Agents struct {
	// Online people may be given conversations. Busy ones have at least one; they may be away or about to leave.
	Online int `json:"online"`
	Busy   int `json:"busy"`
}

// Storage is how full something is.
type Storage struct {
	FreeBytes  int64 `json:"freeBytes"`
	TotalBytes int64 `json:"totalBytes"`
	// Low is the word of whoever measures: it knows how much must stay free, and does not swing about a limit.
	Low bool `json:"low,omitempty"`
}

// Queue figures.
type Queue struct {
	Name string `json:"name"`
	// Waiting conversations, those on offer included.
	Waiting int `json:"waiting"`
	// OldestSince is when the one that has waited longest arrived; zero when none waits.
	OldestSince time.Time `json:"oldestSince,omitzero"`
	// Figures of how it is served; nil from a router that does not tell.
	Figures *QueueFigures `json:"figures,omitempty"`
}

// Pool figures.
type Pool struct {
	Name string `json:"name"`
	// SignedOn agents that may be given conversations, Away ones that are signed on and may not.
	SignedOn int `json:"signedOn"`
	Away     int `json:"away,omitempty"`
	// Slots of the agents that may be given conversations, InProgress the conversations of all signed-on ones.
	Slots      int `json:"slots"`
	InProgress int `json:"inProgress"`
	// Figures of what its agents do; nil from a router that does not tell.
	Figures *PoolFigures `json:"figures,omitempty"`
	// Flow of conversations through the desk's only pool of bots; nil where it is not known.
	Flow *Flow `json:"flow,omitempty"`
	// Workers of a pool of bots, each of them.
	Workers []Worker `json:"workers,omitempty"`
	// Staffing is the revision of the plan that the desk has of a pool of people; empty for none. Reserve are its tiers.
	Staffing string    `json:"staffing,omitempty"`
	Reserve  []Reserve `json:"reserve,omitempty"`
}

// Worker is a signed-on bot worker.
type Worker struct {
	// Name of the worker, which is its pod's.
	Name  string `json:"name"`
	Slots int    `json:"slots"`
	Busy  int    `json:"busy,omitempty"`
	// Draining workers take nothing new. Drained is the router's word that one has nothing left and that this
	// is stored: its pod may go.
	Draining bool `json:"draining,omitempty"`
	Drained  bool `json:"drained,omitempty"`
}

// Reply of a manager.
type Reply struct {
	V int `json:"v"`
	// Manager that answers, by its pod's name.
	Manager string `json:"manager,omitempty"`
	// Leads says that the manager leads, since when. A reply of one that does not carries nothing else; of two
	// that believe to lead the one that began later is right.
	Leads bool      `json:"leads"`
	Since time.Time `json:"since,omitzero"`
	// Revision of the configuration that the desk is to run; empty while the manager does not know it.
	Revision string `json:"revision,omitempty"`
	// Document is that configuration, when the report shows another revision.
	Document string `json:"document,omitempty"`
	// Pools by name: what each pool of bots is to do. A pool that is not named keeps what it does.
	Pools map[string]Wanted `json:"pools,omitempty"`
	// Learned is what the manager learned of pools, by name: the desk keeps it in place of what it was given before.
	Learned map[string][]byte `json:"learned,omitempty"`
	// Recall names pools of which the manager knows nothing and wants to have back what the desk keeps.
	Recall []string `json:"recall,omitempty"`
	// Seats by pool of people. A pool that is not named keeps what it has.
	Seats map[string]Seats `json:"seats,omitempty"`
}

// Wanted is what a pool of bots is to do.
type Wanted struct {
	// Active workers: those beyond drain, the least busy first.
	Active int `json:"active"`
	// DrainSeconds after which a draining worker's conversations are handed over.
	DrainSeconds int `json:"drainSeconds,omitempty"`
	// Leaving names workers whose pods have been given up: they are not taken back into service.
	Leaving []string `json:"leaving,omitempty"`
}

// Problem is the reply to a report that is refused.
type Problem struct {
	// What was refused and why, and the Remedy.
	What   string `json:"what"`
	Remedy string `json:"remedy,omitempty"`
}

// Validate refuses a report that cannot be true or does not fit. The error names
// field, value and remedy.
func (r *Report) Validate() error {
	if r.V < 1 {
		return fmt.Errorf("v is %d: send %d", r.V, Version)
	}
	for _, f := range []struct {
		name, value string
		least       int
	}{
		{"namespace", r.Namespace, 1}, {"desk", r.Desk, 1}, {"router", r.Router, 1}, {"revision", r.Revision, 0}, {"refused", r.Refused, 0},
	} {
		if len(f.value) < f.least || len(f.value) > maxName {
			return fmt.Errorf("%s has %d bytes: send %d to %d", f.name, len(f.value), f.least, maxName)
		}
	}
	if len(r.Queues) > maxQueues || len(r.Pools) > maxPools {
		return fmt.Errorf("queues has %d and pools %d items: send at most %d and %d", len(r.Queues), len(r.Pools), maxQueues, maxPools)
	}
	for i := range r.Queues {
		if err := r.Queues[i].validate(); err != nil {
			return fmt.Errorf("queues[%d].%w", i, err)
		}
	}
	workers := 0
	for i := range r.Pools {
		if err := r.Pools[i].validate(); err != nil {
			return fmt.Errorf("pools[%d].%w", i, err)
		}
		workers += len(r.Pools[i].Workers)
	}
	if workers > maxWorkers {
		return fmt.Errorf("pools has %d workers: send at most %d", workers, maxWorkers)
	}
	return r.validateDesk()
}

// validateDesk looks at what is of the whole desk.
func (r *Report) validateDesk() error {
	if err := r.validateSince(); err != nil {
		return err
	}
	if err := validateRoles(r.Roles); err != nil {
		return err
	}
	if a := r.Agents; a != nil {
		if err := counts(field{"online", a.Online}, field{"busy", a.Busy}); err != nil {
			return fmt.Errorf("agents.%w", err)
		}
	}
	for _, s := range []struct {
		name    string
		storage *Storage
	}{{"archive", r.Archive}, {"bus", r.Bus}} {
		if v := s.storage; v != nil && (v.FreeBytes < 0 || v.FreeBytes > v.TotalBytes) {
			return fmt.Errorf("%s has %d of %d bytes free: send 0 up to all of them", s.name, v.FreeBytes, v.TotalBytes)
		}
	}
	if l := r.ArchiveLag; l != nil && (l.Seconds < 0 || l.Seconds > maxLagSeconds) {
		return fmt.Errorf("archiveLag.seconds is %g: send 0 to %d", l.Seconds, maxLagSeconds)
	}
	if err := r.BotFlow.validate(); err != nil {
		return fmt.Errorf("botFlow.%w", err)
	}
	if err := r.Webhooks.validate(); err != nil {
		return fmt.Errorf("webhooks.%w", err)
	}
	return r.validateLearned()
}

func (q *Queue) validate() error {
	if err := name(q.Name); err != nil {
		return err
	}
	if err := q.Figures.validate(); err != nil {
		return fmt.Errorf("figures.%w", err)
	}
	return counts(field{"waiting", q.Waiting})
}

func (p *Pool) validate() error {
	if err := name(p.Name); err != nil {
		return err
	}
	if err := counts(field{"signedOn", p.SignedOn}, field{"away", p.Away}, field{"slots", p.Slots}, field{"inProgress", p.InProgress}); err != nil {
		return err
	}
	if err := p.Figures.validate(); err != nil {
		return fmt.Errorf("figures.%w", err)
	}
	if err := p.Flow.validate(); err != nil {
		return fmt.Errorf("flow.%w", err)
	}
	for i := range p.Workers {
		if err := p.Workers[i].validate(); err != nil {
			return fmt.Errorf("workers[%d].%w", i, err)
		}
	}
	if len(p.Staffing) > maxName {
		return fmt.Errorf("staffing has %d bytes: send at most %d", len(p.Staffing), maxName)
	}
	return validateReserve(p.Reserve)
}

func (w *Worker) validate() error {
	if err := name(w.Name); err != nil {
		return err
	}
	if w.Drained && (!w.Draining || w.Busy > 0) {
		return fmt.Errorf("drained is true of a worker with draining %v and %d conversations: send it when it drains and has none", w.Draining, w.Busy)
	}
	return counts(field{"slots", w.Slots}, field{"busy", w.Busy})
}

func name(s string) error {
	if s == "" || len(s) > maxName {
		return fmt.Errorf("name has %d bytes: send 1 to %d", len(s), maxName)
	}
	return nil
}

type field struct {
	name  string
	value int
}

func counts(fields ...field) error {
	for _, f := range fields {
		if f.value < 0 || f.value > maxCount {
			return fmt.Errorf("%s is %d: send 0 to %d", f.name, f.value, maxCount)
		}
	}
	return nil
}

// Same reports whether two reports say the same but for their time and number: a
// change is worth a report at once.
func (r *Report) Same(other *Report) bool {
	if r.Router != other.Router || r.Term != other.Term || len(r.Queues) != len(other.Queues) || len(r.Pools) != len(other.Pools) {
		return false
	}
	for i := range r.Queues {
		if !r.Queues[i].same(&other.Queues[i]) {
			return false
		}
	}
	for i := range r.Pools {
		if !r.Pools[i].same(&other.Pools[i]) {
			return false
		}
	}
	return sameAgents(r.Agents, other.Agents) && r.Archive.same(other.Archive) && r.Bus.same(other.Bus) &&
		r.ArchiveLag.same(other.ArchiveLag) && r.Webhooks.Same(other.Webhooks)
}

func sameAgents(a, b *Agents) bool { return a == b || a != nil && b != nil && *a == *b }

// same ignores the bytes, which change all the time: they come with the next report.
func (s *Storage) same(other *Storage) bool {
	return (s == nil) == (other == nil) && (s == nil || s.Low == other.Low)
}

// same ignores the amounts, which change all the time.
func (l *Lag) same(other *Lag) bool {
	return (l == nil) == (other == nil) && (l == nil || l.Behind == other.Behind && l.Silent == other.Silent)
}

func (p *Pool) same(other *Pool) bool {
	if p.Name != other.Name || p.SignedOn != other.SignedOn || p.Away != other.Away || p.Slots != other.Slots ||
		p.InProgress != other.InProgress || p.Staffing != other.Staffing || !sameReserve(p.Reserve, other.Reserve) ||
		len(p.Workers) != len(other.Workers) {
		return false
	}
	for i := range p.Workers {
		if p.Workers[i] != other.Workers[i] {
			return false
		}
	}
	return true
}
