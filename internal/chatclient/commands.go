package chatclient

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/deskfleet/deskfleet/internal/console/agentwire"
	"github.com/deskfleet/deskfleet/internal/conversation"
)

// commands are what a person can type besides messages.
const commands = `/take N      accept an offer           /decline N    leave it to others
/use N       choose a conversation     /list         what is on the desk
/note TEXT   for agents' eyes only     /close WORD   close as solved, or as WORD
/why N       why it is yours           /tags WORDS   what it is about; - for nothing
/handoff QUEUE REASON                  /transfer AGENT REASON
/postpone WHEN  put it off: 30m, 2h or 2026-11-21T09:00
/callback WHEN  the same, and the customer is told
/merge N     N ends and goes on in the chosen one
/colleagues  who is signed on          /opened QUEUE what is open, /opened for all queues
/watch ID    see what is another's     /unwatch N    no longer
/queues      the queues and their overflow steps
/takeover ID for supervisors, as are   /hold QUEUE STEP 2h REASON, /release QUEUE STEP
/away /available /quit`

// more does the commands that are typed less often; false for one that it does not know.
func (p *person) more(ctx context.Context, command, rest string) bool {
	switch command {
	case "/why":
		p.with(rest, "", func(f *folder) { p.seat.why(f) })
	case "/transfer":
		p.transfer(ctx, rest)
	case "/postpone", "/callback":
		p.postpone(ctx, command, rest)
	case "/tags":
		p.tag(ctx, rest)
	case "/merge":
		p.merge(ctx, rest)
	case "/colleagues":
		p.colleagues(ctx)
	case "/opened":
		p.opened(ctx, rest)
	case "/watch":
		p.byID(ctx, command, rest, func(ctx context.Context, id conversation.ID) error { return p.seat.agent.Watch(ctx, id, true) })
	case "/unwatch":
		p.with(rest, agentwire.Watched, func(f *folder) {
			p.seat.do(ctx, command, func(ctx context.Context) error { return p.seat.agent.Watch(ctx, f.id, false) })
		})
	case "/takeover":
		p.byID(ctx, command, rest, p.seat.agent.TakeOver)
	case "/away", "/available":
		p.seat.do(ctx, command, func(ctx context.Context) error {
			return p.seat.agent.SetPresence(ctx, agentwire.Presence(command[1:]))
		})
	default:
		return p.ladder(ctx, command, rest)
	}
	return true
}

// byID does something with a conversation by its id, or by its number.
func (p *person) byID(ctx context.Context, command, rest string, f func(context.Context, conversation.ID) error) {
	id, err := conversation.ParseID(rest)
	if err != nil {
		p.with(rest, "", func(found *folder) { id, err = found.id, nil })
	}
	if err != nil {
		p.seat.printer.note("write %s ID; /opened lists the ids", command)
		return
	}
	p.seat.do(ctx, command, func(ctx context.Context) error { return f(ctx, id) })
}

func (p *person) transfer(ctx context.Context, rest string) {
	to, reason, _ := strings.Cut(rest, " ")
	if to == "" || strings.TrimSpace(reason) == "" {
		p.seat.printer.note("write /transfer AGENT REASON; /colleagues lists who is there")
		return
	}
	if f := p.chosenOr(); f != nil {
		p.seat.do(ctx, "transfer", func(ctx context.Context) error {
			return p.seat.agent.HandOff(ctx, f.id, Transfer{Agent: to, Reason: strings.TrimSpace(reason)})
		})
	}
}

// localForms of a time that a person types; it is in the person's zone.
var localForms = []string{"2006-01-02T15:04", "2006-01-02 15:04", time.RFC3339}

// parseWhen reads a time from now on, or a date.
func parseWhen(text string, now time.Time) (time.Time, error) {
	if d, err := time.ParseDuration(text); err == nil {
		return now.Add(d), nil
	}
	for _, form := range localForms {
		if at, err := time.ParseInLocation(form, text, now.Location()); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time: write 30m, 2h or 2026-11-21T09:00", brief(clean(text)))
}

func (p *person) postpone(ctx context.Context, command, rest string) {
	until, err := parseWhen(rest, time.Now())
	if err != nil {
		p.seat.printer.note("%s", err.Error())
		return
	}
	if f := p.chosenOr(); f != nil {
		p.seat.do(ctx, command, func(ctx context.Context) error {
			return p.seat.agent.Postpone(ctx, f.id, until, command == "/callback")
		})
	}
}

func (p *person) tag(ctx context.Context, rest string) {
	tags := strings.Fields(rest)
	f := p.chosenOr()
	switch {
	case f == nil:
		return
	case len(tags) == 0:
		p.seat.printer.note("[%d] tags: %s", f.number, orNone(f.card.Tags))
		return
	case rest == "-":
		tags = []string{}
	}
	p.seat.do(ctx, "tags", func(ctx context.Context) error { return p.seat.agent.Tag(ctx, f.id, tags) })
}

func orNone(words []string) string {
	if len(words) == 0 {
		return "none"
	}
	return clean(strings.Join(words, ", "))
}

func (p *person) merge(ctx context.Context, rest string) {
	into := p.chosenOr()
	if into == nil {
		return
	}
	p.with(rest, "", func(f *folder) {
		p.seat.do(ctx, "merge", func(ctx context.Context) error { return p.seat.agent.Merge(ctx, f.id, into.id) })
	})
}

func (p *person) colleagues(ctx context.Context) {
	p.seat.do(ctx, "colleagues", func(ctx context.Context) error {
		all, err := p.seat.agent.Colleagues(ctx)
		for _, c := range all {
			p.seat.printer.note("%s is %s, %d of %d slots, serves %s", clean(c.ID), c.Presence, c.Busy, c.Slots, orNone(c.Queues))
		}
		return err
	})
}

func (p *person) opened(ctx context.Context, queue string) {
	p.seat.do(ctx, "opened", func(ctx context.Context) error {
		all, err := p.seat.agent.Opened(ctx, queue, "")
		for i := range all {
			c := &all[i]
			who := ""
			if c.Agent != nil {
				who = " with " + clean(actor(c.Agent.Kind, c.Agent.ID))
			}
			if c.Status.Pending() {
				who = " until " + c.Deadline.Local().Format(time.DateTime)
			}
			p.seat.printer.note("%s %s%s, queue %q, %s, tags %s", c.ID, c.Status, who, clean(c.Queue), orUnknown(c.ContactName), orNone(c.Tags))
		}
		if err == nil && len(all) == 0 {
			p.seat.printer.note("nothing is open")
		}
		return err
	})
}
