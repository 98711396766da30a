package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
)

// reachability finds queues from which no conversation can ever reach a person:
// whatever rings and overflow widen, nobody serves them or nobody can do what they
// ask for. While nobody is there who may serve a queue its predicted wait is longer
// than any, so that all steps of its overflow are taken.
func reachability(found *problems, spec *v1alpha1.ServiceDeskSpec, pools []*v1alpha1.AgentPool) {
	staff := staffOf(pools)
	for i := range spec.Queues {
		q := &spec.Queues[i]
		for _, channel := range channelsOf(spec) {
			if missing := reaches(q, staff, channel); missing != nil && !movesOn(spec, q, staff, channel) {
				missing.report(found, i, q)
				break
			}
		}
	}
}

// movesOn reports whether the queue overflows to one that reaches somebody. It is one hop: what that queue overflows to
// does not count.
func movesOn(spec *v1alpha1.ServiceDeskSpec, q *v1alpha1.Queue, staff []member, channel v1alpha1.ChannelType) bool {
	return slices.ContainsFunc(q.Overflow, func(s v1alpha1.OverflowStep) bool {
		return s.Queue != nil && slices.ContainsFunc(spec.Queues, func(o v1alpha1.Queue) bool {
			return o.Name == *s.Queue && reaches(&o, staff, channel) == nil
		})
	})
}

// member of a pool of people, with what the pool and its own entry say.
type member struct {
	pool, name v1alpha1.DNSLabel
	queues     []v1alpha1.DNSLabel
	skills     map[v1alpha1.DNSLabel]v1alpha1.SkillLevel
	slots      int32
	reserved   []v1alpha1.ReservedSlots
	weights    []v1alpha1.ChannelWeight
}

// staffOf lists the members of all pools, each once: an agent of two pools belongs to the first.
func staffOf(pools []*v1alpha1.AgentPool) []member {
	var staff []member
	taken := map[v1alpha1.DNSLabel]bool{}
	for _, pool := range slices.SortedFunc(slices.Values(pools), byName) {
		human := pool.Spec.Human
		if human == nil {
			continue
		}
		own := map[v1alpha1.DNSLabel]*v1alpha1.MemberSettings{}
		for i := range human.Agents {
			own[human.Agents[i].Name] = &human.Agents[i]
		}
		for _, name := range human.Members {
			if taken[name] {
				continue
			}
			taken[name] = true
			m := member{pool: v1alpha1.DNSLabel(pool.Name), name: name, queues: human.Queues, slots: pool.Spec.Concurrency, reserved: human.Reserved, weights: human.Weights}
			m.skills = map[v1alpha1.DNSLabel]v1alpha1.SkillLevel{}
			m.override(human.Skills, own[name])
			staff = append(staff, m)
		}
	}
	return staff
}

func (m *member) override(skills []v1alpha1.AgentSkill, own *v1alpha1.MemberSettings) {
	if own != nil {
		skills = slices.Concat(skills, own.Skills) // a later level counts
		if own.Concurrency != nil {
			m.slots = *own.Concurrency
		}
	}
	for _, s := range skills {
		m.skills[s.Name] = s.Level
	}
}

// channelsOf a desk by which conversations come.
func channelsOf(spec *v1alpha1.ServiceDeskSpec) []v1alpha1.ChannelType {
	all := []v1alpha1.ChannelType{v1alpha1.ChannelWebChat}
	if spec.Channels != nil && spec.Channels.Webhook != nil {
		all = append(all, v1alpha1.ChannelWebhook)
	}
	return all
}

// weight of a conversation of a channel, in slots.
func (m *member) weight(channel v1alpha1.ChannelType) int32 {
	if i := slices.IndexFunc(m.weights, func(w v1alpha1.ChannelWeight) bool { return w.Channel == channel }); i >= 0 {
		return m.weights[i].Slots
	}
	return 1
}

// roomFor reports whether a conversation of the queue, by a channel, fits into what is not kept for other queues.
func (m *member) roomFor(queue v1alpha1.DNSLabel, channel v1alpha1.ChannelType) bool {
	left := m.slots
	for _, r := range m.reserved {
		if r.Queue != queue {
			left -= r.Slots
		}
	}
	return left >= m.weight(channel)
}

// lacks are the skills that a member has not at the level.
func (m *member) lacks(wants []v1alpha1.QueueSkill) []v1alpha1.QueueSkill {
	var lacking []v1alpha1.QueueSkill
	for _, w := range wants {
		if m.skills[w.Name] < w.Level {
			lacking = append(lacking, w)
		}
	}
	return lacking
}

// lastRing is what a queue requires once all its rings have widened it, and the pools that may answer besides those that
// serve it: those of the rings and of overflow.
func lastRing(q *v1alpha1.Queue) (wants []v1alpha1.QueueSkill, further []v1alpha1.DNSLabel) {
	var lower v1alpha1.SkillLevel
	for i := range q.Relax {
		r := &q.Relax[i]
		further = append(further, r.AddPools...)
		if r.LowerLevelsBy != nil {
			lower += v1alpha1.SkillLevel(*r.LowerLevelsBy)
		}
	}
	for i := range q.Overflow {
		if pool := q.Overflow[i].Pool; pool != nil {
			further = append(further, *pool)
		}
	}
	if slices.ContainsFunc(q.Relax, func(r v1alpha1.Ring) bool { return r.Drop == v1alpha1.DropAll }) {
		return nil, further
	}
	for _, s := range q.Skills {
		if s.Need != v1alpha1.SkillPreferred {
			wants = append(wants, v1alpha1.QueueSkill{Name: s.Name, Level: max(1, s.Level-lower)})
		}
	}
	return wants, further
}

// unreached says why a queue reaches nobody.
type unreached struct {
	// serving are the members of the pools that may answer, able those of them who have the skills.
	serving, able []member
	wants         []v1alpha1.QueueSkill
	channel       v1alpha1.ChannelType
}

// reaches is nil when a conversation of the queue, by the channel, can reach a member.
func reaches(q *v1alpha1.Queue, staff []member, channel v1alpha1.ChannelType) *unreached {
	u := &unreached{channel: channel}
	wants, further := lastRing(q)
	u.wants = wants
	for i := range staff {
		m := &staff[i]
		if !slices.Contains(m.queues, q.Name) && !slices.Contains(further, m.pool) {
			continue
		}
		u.serving = append(u.serving, *m)
		if len(m.lacks(wants)) > 0 {
			continue
		}
		u.able = append(u.able, *m)
		if m.roomFor(q.Name, channel) {
			return nil
		}
	}
	return u
}

func (u *unreached) report(found *problems, i int, q *v1alpha1.Queue) {
	at := fmt.Sprintf("spec.queues[%d]", i)
	const forever = ": its conversations would wait for ever"
	switch {
	case len(u.serving) == 0:
		found.add(Waiting, v1alpha1.ReasonQueueUnreachable, at+".name",
			"add the queue to spec.human.queues of an AgentPool of this desk, or remove it here",
			"queue %q is served by no AgentPool of type Human%s", q.Name, forever)
	case len(u.able) == 0:
		best := slices.MinFunc(u.serving, func(a, b member) int { return cmp.Compare(len(a.lacks(u.wants)), len(b.lacks(u.wants))) })
		lacking := best.lacks(u.wants)
		found.add(Waiting, v1alpha1.ReasonQueueUnreachable, at+".skills",
			fmt.Sprintf("add what is missing to spec.human.skills or spec.human.agents of AgentPool %s, or relax it in %s.relax", best.pool, at),
			"queue %q requires %s%s, and no member of AgentPool %s has that; nearest is %s of %s, who lacks %s%s",
			q.Name, skillNames(u.wants), afterRings(q), poolNames(u.serving), best.name, best.pool, best.shortOf(lacking), forever)
	default:
		found.add(Waiting, v1alpha1.ReasonQueueUnreachable, at+".name",
			fmt.Sprintf("reserve fewer slots in spec.human.reserved, or raise spec.concurrency, of AgentPool %s", u.able[0].pool),
			"queue %q finds no room%s: AgentPool %s reserves the slots of its members who could answer for other queues%s", q.Name, u.byChannel(), poolNames(u.able), forever)
	}
}

// byChannel names the channel where its weight is what does not fit.
func (u *unreached) byChannel() string {
	i := slices.IndexFunc(u.able, func(m member) bool { return m.weight(u.channel) > 1 })
	if i < 0 {
		return ""
	}
	return fmt.Sprintf(" for conversations by %s, which take %d slots", u.channel, u.able[i].weight(u.channel))
}

func afterRings(q *v1alpha1.Queue) string {
	if len(q.Relax) == 0 {
		return ""
	}
	return " after all rings"
}

func skillNames(skills []v1alpha1.QueueSkill) string {
	names := make([]string, len(skills))
	for i, s := range skills {
		names[i] = fmt.Sprintf("%s at level %d", s.Name, s.Level)
	}
	return strings.Join(names, " and ")
}

// shortOf names skills that the member has not, or has at a lower level.
func (m *member) shortOf(skills []v1alpha1.QueueSkill) string {
	names := make([]string, len(skills))
	for i, s := range skills {
		names[i] = string(s.Name)
		if has := m.skills[s.Name]; has > 0 {
			names[i] += fmt.Sprintf(" (has level %d)", has)
		}
	}
	return strings.Join(names, " and ")
}

func poolNames(staff []member) string {
	names := make([]string, 0, len(staff))
	for i := range staff {
		names = append(names, string(staff[i].pool))
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ", ")
}

// poolsNamed finds pools that rings and overflow name and the desk does not have.
func poolsNamed(found *problems, desk *v1alpha1.ServiceDesk, pools []*v1alpha1.AgentPool) {
	types := map[v1alpha1.DNSLabel]v1alpha1.PoolType{}
	for _, pool := range pools {
		types[v1alpha1.DNSLabel(pool.Name)] = pool.Spec.Type
	}
	bots := slices.ContainsFunc(pools, func(p *v1alpha1.AgentPool) bool { return p.Spec.Type == v1alpha1.PoolTypeBot })
	check := func(field string, name v1alpha1.DNSLabel, without string) {
		switch types[name] {
		case v1alpha1.PoolTypeHuman:
		case v1alpha1.PoolTypeBot:
			found.add(Terminal, v1alpha1.ReasonInvalidSpec, field, "name an AgentPool of type Human; until then "+without,
				"AgentPool %s is of type Bot, and bots serve no queue of people", name)
		default:
			found.add(Waiting, v1alpha1.ReasonReferenceMissing, field, "apply an AgentPool of that name with spec.deskRef.name "+desk.Name+", or remove the name; until then "+without,
				"AgentPool %s of ServiceDesk %s does not exist in namespace %s", name, desk.Name, desk.Namespace)
		}
	}
	for i := range desk.Spec.Queues {
		q := &desk.Spec.Queues[i]
		for j := range q.Relax {
			for k, name := range q.Relax[j].AddPools {
				check(fmt.Sprintf("spec.queues[%d].relax[%d].addPools[%d]", i, j, k), name, "the ring goes without it")
			}
		}
		for j := range q.Overflow {
			if name := q.Overflow[j].Pool; name != nil {
				check(fmt.Sprintf("spec.queues[%d].overflow[%d].pool", i, j), *name, "the step is left out")
			}
			if q.Overflow[j].Action == v1alpha1.OverflowBot && !bots {
				found.add(Waiting, v1alpha1.ReasonReferenceMissing, fmt.Sprintf("spec.queues[%d].overflow[%d].action", i, j),
					"apply an AgentPool of type Bot with spec.deskRef.name "+desk.Name+", or use another action; until then the step is left out",
					"action is Bot, and ServiceDesk %s has no AgentPool of type Bot in namespace %s", desk.Name, desk.Namespace)
			}
		}
	}
}
