package chatclient

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/deskfleet/deskfleet/internal/console/agentwire"
)

// person is the mind of an agent who types.
type person struct {
	seat *seat
	// chosen is the conversation that is written in; nil for none.
	chosen *folder
}

func (p *person) offered(_ context.Context, f *folder) {
	until := ""
	if !f.card.Deadline.IsZero() {
		until = fmt.Sprintf(" until %s", f.card.Deadline.Local().Format(time.TimeOnly))
	}
	p.seat.printer.note("[%d] /take %d or /decline %d%s", f.number, f.number, f.number, until)
}

func (p *person) taken(_ context.Context, f *folder) {
	if p.current() == nil {
		p.chosen = f
		p.seat.printer.note("what you type goes to [%d], /use chooses another, /help tells more", f.number)
	}
}

func (p *person) heard(context.Context, *folder, agentwire.Message) {}

func (p *person) away(context.Context) { p.seat.printer.note("/available to be asked again") }

func (p *person) late(context.Context, time.Time) {}

func (p *person) due() time.Time { return time.Time{} }

// current is the chosen conversation if it is still the agent's.
func (p *person) current() *folder {
	if p.chosen != nil && (p.seat.desk[p.chosen.id] != p.chosen || !p.chosen.relation.Reads()) {
		p.chosen = nil
	}
	return p.chosen
}

func (p *person) typed(ctx context.Context, line string) (leave bool) {
	if line == "" {
		return false
	}
	if !strings.HasPrefix(line, "/") {
		p.say(Outgoing{Text: line})
		return false
	}
	command, rest, _ := strings.Cut(line, " ")
	rest = strings.TrimSpace(rest)
	switch command {
	case "/quit":
		return true
	case "/take":
		p.with(rest, agentwire.Offered, func(f *folder) {
			p.seat.do(ctx, "accept", func(ctx context.Context) error { return p.seat.agent.Accept(ctx, f.id) })
		})
	case "/decline":
		p.with(rest, agentwire.Offered, func(f *folder) {
			p.seat.do(ctx, "decline", func(ctx context.Context) error { return p.seat.agent.Decline(ctx, f.id) })
		})
	case "/use":
		p.with(rest, "", func(f *folder) {
			if !f.relation.Reads() {
				p.seat.printer.note("[%d] is not yours: /take %d first", f.number, f.number)
				return
			}
			p.chosen = f
			p.seat.printer.note("what you type goes to [%d]", f.number)
		})
	case "/list":
		p.list()
	case "/note":
		p.say(Outgoing{Text: rest, Note: true})
	case "/close":
		p.close(ctx, rest)
	case "/handoff":
		p.handOff(ctx, rest)
	case "/help":
		p.seat.printer.line("%s", commands)
	default:
		if p.more(ctx, command, rest) {
			return false
		}
		p.seat.printer.note("%q is no command: /help lists them", brief(clean(command)))
	}
	return false
}

// with finds a conversation by its number; none stands for the only one of its relation, and no relation for any.
func (p *person) with(number string, relation agentwire.Relation, f func(*folder)) {
	var found []*folder
	for _, candidate := range p.seat.desk {
		if (relation == "" || candidate.relation == relation) && (number == "" || strconv.Itoa(candidate.number) == number) {
			found = append(found, candidate)
		}
	}
	if len(found) == 1 {
		f(found[0])
		return
	}
	which := ""
	if relation != "" {
		which = " that are " + string(relation)
	}
	p.seat.printer.note("%q names %d conversations%s: give the number of one, /list shows them", brief(clean(number)), len(found), which)
}

func (p *person) list() {
	all := slices.SortedFunc(maps.Values(p.seat.desk), func(a, b *folder) int { return a.number - b.number })
	if len(all) == 0 {
		p.seat.printer.note("nothing is offered and nothing is yours")
	}
	for _, f := range all {
		chosen := ""
		if f == p.current() {
			chosen = ", chosen"
		}
		tags := ""
		if len(f.card.Tags) > 0 {
			tags = ", tags " + orNone(f.card.Tags)
		}
		p.seat.printer.note("[%d] %s, queue %q, %s%s%s", f.number, f.relation, f.card.Queue, orUnknown(f.card.ContactName), tags, chosen)
	}
}

// chosenOr prints that nothing is chosen.
func (p *person) chosenOr() *folder {
	f := p.current()
	if f == nil {
		p.seat.printer.note("no conversation is chosen: /take or /use one")
	}
	return f
}

func (p *person) say(m Outgoing) {
	f := p.chosenOr()
	if f == nil {
		return
	}
	if f.relation == agentwire.Watched && !m.Note {
		p.seat.printer.note("you only watch [%d]: /note TEXT for its agent, or /takeover %d", f.number, f.number)
		return
	}
	id, err := p.seat.agent.Post(f.id, m)
	switch {
	case err != nil:
		p.seat.printer.note("not sent: %q: %s", brief(clean(m.Text)), clean(err.Error()))
	case p.seat.opts.Echoed:
		p.seat.printer.hide(id)
	}
}

func (p *person) close(ctx context.Context, disposition string) {
	if disposition == "" {
		disposition = solved
	}
	if f := p.chosenOr(); f != nil {
		p.seat.do(ctx, "close", func(ctx context.Context) error { return p.seat.agent.Finish(ctx, f.id, disposition, "") })
	}
}

func (p *person) handOff(ctx context.Context, rest string) {
	queue, reason, _ := strings.Cut(rest, " ")
	if queue == "" || strings.TrimSpace(reason) == "" {
		p.seat.printer.note("write /handoff QUEUE REASON; the queues are %s", clean(strings.Join(p.seat.queues, ", ")))
		return
	}
	if f := p.chosenOr(); f != nil {
		p.seat.do(ctx, "hand off", func(ctx context.Context) error {
			return p.seat.agent.HandOff(ctx, f.id, Transfer{Queue: queue, Reason: strings.TrimSpace(reason)})
		})
	}
}
