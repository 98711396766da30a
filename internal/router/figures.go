package router

import (
	"context"
	"slices"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
	"github.com/deskfleet/deskfleet/internal/routing"
)

// counts are the figures that add up while a router leads.
type counts struct {
	since  time.Time
	term   uint64
	desk   protocol.Counters
	queues map[string]*protocol.QueueFigures
	pools  map[string]*protocol.PoolFigures
	// levels of the queues, and the times within which they promise an answer.
	levels map[string]*levels
	within map[string]time.Duration
}

func newCounts(since time.Time, term uint64, config *routing.Config) counts {
	c := counts{
		since: since.UTC(), term: term, levels: map[string]*levels{},
		queues: map[string]*protocol.QueueFigures{}, pools: map[string]*protocol.PoolFigures{},
	}
	c.promise(config)
	return c
}

// promise takes over the service levels of a configuration.
func (c *counts) promise(config *routing.Config) {
	c.within = map[string]time.Duration{}
	for i := range config.Queues {
		if q := &config.Queues[i]; q.Within > 0 {
			c.within[q.Name] = q.Within
		}
	}
}

// level notes that a wait has ended: with an answer, or given up.
func (c *counts) level(queue string, at time.Time, waited time.Duration, answered bool) {
	within, promised := c.within[queue]
	if !promised || !answered && waited < within {
		return // who gives up before tells nothing about the promise
	}
	l := c.levels[queue]
	if l == nil {
		l = &levels{}
		c.levels[queue] = l
	}
	good := answered && waited <= within
	l.add(at, good, !answered)
	switch {
	case good:
		c.queue(queue).AnsweredInTime++
	case !answered:
		c.queue(queue).AbandonedLate++
	}
}

func (c *counts) pool(name string) *protocol.PoolFigures {
	p := c.pools[name]
	if p == nil {
		p = &protocol.PoolFigures{}
		c.pools[name] = p
	}
	return p
}

func (c *counts) queue(name string) *protocol.QueueFigures {
	q := c.queues[name]
	if q == nil {
		q = &protocol.QueueFigures{}
		c.queues[name] = q
	}
	return q
}

// count adds one decision.
func (c *counts) count(d *decided, m *Metrics) {
	m.decided(string(d.Body.EventType()))
	switch b := d.Body.(type) {
	case *conversation.Opened:
		c.desk.Opened++
		c.arrived(b.Queue, m)
	case *conversation.Reopened:
		c.desk.Reopened++
	case *conversation.Queued:
		c.countQueued(d, b, m)
	case *conversation.Pended:
		c.handled(d, m)
	case *conversation.Assigned:
		c.answered(d, b.Agent.Pool, m)
	case *conversation.Offered:
		c.desk.Offers++
		c.queue(d.Before.Queue).Offers++
		c.pool(b.Agent.Pool).Offers++
		m.offered(d.Before.Queue, "made")
	case *conversation.OfferEnded:
		m.offered(d.Before.Queue, string(b.Outcome))
		if b.Outcome == conversation.OutcomeExpired {
			c.desk.OffersExpired++
			c.queue(d.Before.Queue).OffersExpired++
			c.pool(b.Agent.Pool).OffersExpired++
		}
	case *conversation.Accepted:
		c.answered(d, b.Agent.Pool, m)
	case *conversation.Closed:
		c.desk.Closed++
		if d.Before.Status == conversation.StatusBot {
			c.desk.BotClosed++
		}
		c.handled(d, m)
	case *conversation.Abandoned:
		c.desk.Abandoned++
		c.queue(d.Before.Queue).Abandoned++
		m.abandoned(d.Before.Queue)
		waited := max(0, d.at.Sub(d.Before.Arrival.At))
		c.queue(d.Before.Queue).AbandonedWaitMillis += waited.Milliseconds()
		c.level(d.Before.Queue, d.at, waited, false)
	case *conversation.SignedOff:
		if b.Lost {
			c.desk.AgentsLost++
		}
	}
}

func (c *counts) arrived(queue string, m *Metrics) {
	c.queue(queue).Arrived++
	m.arrived(queue)
}

func (c *counts) countQueued(d *decided, b *conversation.Queued, m *Metrics) {
	if d.Before.Queue != b.Queue || d.Before.Status == conversation.StatusReopened {
		c.arrived(b.Queue, m)
	}
	if b.Cause == conversation.CauseHandOff || b.Cause == conversation.CauseEscalation && d.Before.Status == conversation.StatusBot {
		c.desk.HandOffs++
	}
	c.handled(d, m)
}

func (c *counts) answered(d *decided, pool string, m *Metrics) {
	waited := max(0, d.at.Sub(d.Before.Arrival.At))
	q := c.queue(d.Before.Queue)
	q.Answered++
	q.AnsweredWaitMillis += waited.Milliseconds()
	c.pool(pool).Answered++
	c.level(d.Before.Queue, d.at, waited, true)
	m.answered(d.Before.Queue, pool, waited)
}

// handled adds the time that an owner had the conversation.
func (c *counts) handled(d *decided, m *Metrics) {
	owner := d.Before.Owner()
	if owner == nil {
		return
	}
	p := c.pool(owner.Pool)
	// All the time that a slot was taken, wrap-up included.
	since := d.Before.ServedAt
	if since.IsZero() { // taken under a release that did not say it
		since = d.Before.StatusAt
	}
	seconds := max(0, d.at.Sub(since).Seconds())
	p.Handled++
	p.HandleSeconds += seconds
	p.HandleSecondsSquared += seconds * seconds
	m.handled(owner.Pool, seconds)
}

// report renders the figures.
func (s *session) report(now time.Time) protocol.Figures {
	f := protocol.Figures{
		V: protocol.Version, At: now.UTC(), Router: s.instance, Since: s.figures.since, Term: s.figures.term,
		Revision: s.settings.revision, PolicyProblem: s.settings.policy.problem, Counters: s.figures.desk,
	}
	for _, q := range s.desk.Queues() {
		v := *s.figures.queue(q.Name)
		v.Name, v.Waiting, v.Offered, v.InProgress, v.OldestArrival = q.Name, q.Waiting, q.Offered, q.InProgress, q.Oldest
		v.HandleMeanSeconds, v.HandleVariance, v.OverflowSteps = q.HandleMean, q.HandleVariance, q.Steps
		v.Nobody, v.Held = q.Nobody, q.Held
		if l := s.figures.levels[q.Name]; l != nil {
			v.ServiceLevelOf, v.ServiceLevelPercent, v.AbandonedPercent = l.sum(now)
		}
		if wait, known := s.desk.NewcomersWait(q.Name, now); known {
			v.ExpectedWaitSeconds = new(wait.Seconds())
		}
		f.Queues = append(f.Queues, v)
	}
	agents := s.desk.Agents()
	for _, p := range s.desk.Pools() {
		f.Pools = append(f.Pools, s.reportPool(p, agents))
	}
	s.reportFlow(&f, now)
	f.Roles = s.reportLoads(agents)
	for _, a := range agents {
		if a.Kind == conversation.KindAgent {
			f.Agents.Busy += min(1, a.Busy)
			if a.Presence != conversation.PresenceAway && !a.Draining {
				f.Agents.Online++
			}
		}
		if a.Draining {
			f.Draining = append(f.Draining, protocol.DrainFigures{Agent: a.ID, Pool: a.Pool, Busy: a.Busy})
		}
	}
	f.Archive, f.Bus, f.ArchiveLag = s.storage.last()
	f.Webhooks = s.storage.webhooks()
	return f
}

func (s *session) reportPool(p routing.Pool, agents []routing.AgentView) protocol.PoolFigures {
	v := protocol.PoolFigures{Name: p.Name, Type: string(p.Kind), Staffing: s.staffing(p.Name), Reserve: s.tiers(p.Name)}
	if known := s.figures.pools[p.Name]; known != nil {
		v.Handled, v.HandleSeconds, v.HandleSecondsSquared = known.Handled, known.HandleSeconds, known.HandleSecondsSquared
		v.Offers, v.OffersExpired, v.Answered = known.Offers, known.OffersExpired, known.Answered
	}
	for _, a := range agents {
		if !slices.Contains(a.Pools, p.Name) {
			continue
		}
		if p.Kind == conversation.KindBot {
			v.Workers = append(v.Workers, s.reportWorker(&a))
		}
		v.Used += a.Busy
		v.Owned += a.Owned
		if a.Busy > 0 {
			v.Busy++
		}
		switch {
		case a.Draining:
			v.Draining++
		case a.Presence == conversation.PresenceAway:
			v.Away++
		default:
			v.Online++
			v.Slots += a.Slots
		}
	}
	return v
}

// eachSecond does what the leader does each second.
func (s *session) eachSecond(ctx context.Context) error {
	now := s.now()
	if now.Before(s.nextSecond) {
		return nil
	}
	s.nextSecond = now.Add(protocol.FiguresEvery)
	s.ticks++
	figures := s.report(now)
	s.send(s.subjects.Figures(), figures)
	s.opts.Metrics.figures(&figures)
	if s.opts.OnFigures != nil {
		s.opts.OnFigures(figures)
	}
	if s.link != nil {
		s.link.Report(ReportOf(&figures))
	}
	if s.ticks%storageEvery == 1 {
		s.storage.ask()
	}
	if err := s.must(routing.Review{}); err != nil {
		return err
	}
	s.showPositions(now)
	if s.ticks%sweepEvery == 0 {
		s.sweepClaims(ctx)
	}
	s.storeCursor = s.ticks%cursorEvery == 0
	if err := s.capacity(now); err != nil {
		return err
	}
	if s.ticks%lookEvery == 0 && s.settings.policy.byTime {
		if err := s.lookAgain(ctx, now); err != nil {
			return err
		}
	}
	if err := s.forgetPurged(ctx); err != nil {
		return err
	}
	return s.compact(ctx)
}

// cursorEvery so many seconds the cursor is stored when messages were acted on without a decision.
const cursorEvery = 5

// lookEvery so many seconds the policy is asked again about what waits.
const lookEvery = 5

// lookAgain asks the policy about what waits: some rules look at the time.
func (s *session) lookAgain(ctx context.Context, now time.Time) error {
	var waiting []conversation.State
	for _, q := range s.desk.Queues() {
		s.desk.Walk(q.Name, func(_ int, state *conversation.State) bool {
			if state.Status == conversation.StatusQueued {
				waiting = append(waiting, *state)
			}
			return true
		})
	}
	for i := range waiting {
		verdict, err := s.settings.policy.verdict(&waiting[i], nil, now)
		if err != nil {
			s.log.ErrorContext(ctx, "escalation rules skipped", "conversation", waiting[i].ID, "error", err)
		}
		if verdict.Rules == "" {
			continue
		}
		if err := s.must(routing.Looked{Conversation: waiting[i].ID, Verdict: verdict}); err != nil {
			return err
		}
	}
	return nil
}
