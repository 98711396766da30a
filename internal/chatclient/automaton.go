package chatclient

import (
	"context"
	"fmt"
	"hash/fnv"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/deskfleet/deskfleet/internal/console/agentwire"
	"github.com/deskfleet/deskfleet/internal/conversation"
)

// DefaultIdle is how long an automatic agent waits for a customer before it closes.
const DefaultIdle = time.Minute

// Auto answers customers by itself: politely, in their language, and with what they wrote, but it knows
// nothing. It is for demonstrations and tests.
type Auto struct {
	// CloseAtOnce closes a conversation right behind the first answer; otherwise it is closed when the
	// customer says thanks, or nothing for Idle [DefaultIdle].
	CloseAtOnce bool
	Idle        time.Duration
}

// solved is the disposition with which an automatic agent closes.
const solved = "solved"

// automaton is the mind of an agent that answers by itself.
type automaton struct {
	seat *seat
	auto Auto
	// quiet is when each conversation is closed if the customer says nothing; a closing one has none.
	quiet map[conversation.ID]time.Time
}

func newAutomaton(s *seat, auto Auto) *automaton {
	if auto.Idle <= 0 {
		auto.Idle = DefaultIdle
	}
	return &automaton{seat: s, auto: auto, quiet: map[conversation.ID]time.Time{}}
}

func (a *automaton) offered(ctx context.Context, f *folder) {
	if a.seat.full() {
		a.seat.do(ctx, "decline", func(ctx context.Context) error { return a.seat.agent.Decline(ctx, f.id) })
		return
	}
	f.accepting = true
	a.seat.do(ctx, "accept", func(ctx context.Context) error { return a.seat.agent.Accept(ctx, f.id) })
}

// taken answers what the customer said last, unless that was done before, by this agent in an earlier life.
func (a *automaton) taken(ctx context.Context, f *folder) {
	if a.seat.full() { // offers that nobody takes would keep other customers waiting
		a.seat.do(ctx, "go away", func(ctx context.Context) error { return a.seat.agent.SetPresence(ctx, agentwire.Away) })
	}
	var last *agentwire.Message
	answered := false
	for i := range f.transcript {
		switch m := &f.transcript[i]; {
		case m.From.Kind == conversation.KindCustomer:
			last, answered = m, false
		case m.From.ID == a.seat.me.ID && !m.Note:
			answered = true
		}
	}
	if last != nil && !answered {
		said := 0
		for _, m := range f.transcript {
			if !m.Note {
				said++
			}
		}
		a.say(f, last, greeting(a.language(f, last), a.seat.me.ID, said, last.Text))
	}
	a.wait(f)
	if a.auto.CloseAtOnce {
		a.close(ctx, f)
	}
}

func (a *automaton) heard(ctx context.Context, f *folder, m agentwire.Message) {
	if m.Language != "" {
		f.card.Language = m.Language
	}
	if m.From.Kind != conversation.KindCustomer {
		return
	}
	_, open := a.quiet[f.id]
	switch {
	case !open: // it is being closed
	case saysThanks(m.Text):
		a.say(f, &m, farewell(a.language(f, &m)))
		a.close(ctx, f)
	default:
		a.say(f, &m, acknowledgement(a.language(f, &m), m.Text))
		a.wait(f)
	}
}

// away: an automatic agent is never tired.
func (a *automaton) away(ctx context.Context) {
	if !a.seat.full() {
		a.seat.do(ctx, "go available", func(ctx context.Context) error { return a.seat.agent.SetPresence(ctx, agentwire.Available) })
	}
}

func (a *automaton) typed(context.Context, string) bool { return false }

// due is when the first conversation has been quiet for too long.
func (a *automaton) due() time.Time {
	var first time.Time
	for conv, at := range a.quiet {
		if a.seat.desk[conv] == nil {
			delete(a.quiet, conv)
		} else if first.IsZero() || at.Before(first) {
			first = at
		}
	}
	return first
}

func (a *automaton) late(ctx context.Context, now time.Time) {
	for conv, at := range a.quiet {
		if f := a.seat.desk[conv]; f != nil && !at.After(now) {
			// Once a conversation is enough, whatever was said before.
			a.say(f, &agentwire.Message{ID: f.id}, silence(f.card.Language))
			a.close(ctx, f)
		}
	}
}

func (a *automaton) wait(f *folder) { a.quiet[f.id] = time.Now().Add(a.auto.Idle) }

// say answers a message, once in the conversation's life: the id of the answer follows from the message, so
// that a program that died behind it and reads the message again does not answer it twice.
func (a *automaton) say(f *folder, to *agentwire.Message, text string) {
	h := fnv.New32a()
	_, _ = h.Write([]byte(a.seat.me.ID + "\n" + text)) // never fails
	m := Outgoing{ClientID: fmt.Sprintf("auto-%s-%08x", to.ID, h.Sum32()), Text: text}
	if _, err := a.seat.agent.Post(f.id, m); err != nil {
		a.seat.printer.note("[%d] not answered: %s", f.number, clean(err.Error()))
	}
}

func (a *automaton) close(ctx context.Context, f *folder) {
	delete(a.quiet, f.id)
	a.seat.do(ctx, "close", func(ctx context.Context) error { return a.seat.agent.Finish(ctx, f.id, solved, "") })
}

// language of the customer: that of the message, else that of the conversation.
func (a *automaton) language(f *folder, m *agentwire.Message) string {
	if m.From.Kind == conversation.KindCustomer && m.Language != "" {
		return m.Language
	}
	return f.card.Language
}

// quoted many characters of a customer's message stand in the answer.
const quoted = 60

func quote(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if utf8.RuneCountInString(text) > quoted {
		text = string([]rune(text)[:quoted]) + "…"
	}
	return text
}

func chinese(language string) bool {
	primary, _, _ := strings.Cut(strings.ToLower(language), "-")
	return primary == "zh"
}

func greeting(language, name string, messages int, text string) string {
	if chinese(language) {
		return fmt.Sprintf("您好，我是%s。您之前的对话（共%d条消息）我都已看过。关于“%s”，我现在就为您处理。请问还有什么可以帮您？", name, messages, quote(text))
	}
	return fmt.Sprintf("Hello, this is %s. I have read the whole dialogue so far, %d messages, so you need not repeat anything. "+
		"About “%s”: I am taking care of it now. Is there anything else I can do for you?", name, messages, quote(text))
}

func acknowledgement(language, text string) string {
	if chinese(language) {
		return fmt.Sprintf("好的，“%s”我记下了，会和您之前说的一并处理。请问还有什么可以帮您？", quote(text))
	}
	return fmt.Sprintf("Thank you, I have noted “%s” along with what you told us before. Is there anything else I can do for you?", quote(text))
}

func farewell(language string) string {
	if chinese(language) {
		return "不客气，祝您生活愉快！本次对话先结束，欢迎随时联系我们。"
	}
	return "You are welcome! I am closing our conversation now; write to us at any time."
}

func silence(language string) string {
	if chinese(language) {
		return "有一会儿没有收到您的消息了，本次对话先结束，欢迎随时联系我们。"
	}
	return "We have not heard from you for a while, so I am closing our conversation; write to us at any time."
}

// longestThanks in characters: who writes more has something else to say.
const longestThanks = 60

var thanks = regexp.MustCompile(`(?i)\b(thanks|thank\s+you|thx|cheers)\b|谢谢|謝謝|多谢|感谢|谢了`)

// saysThanks says whether a message ends a conversation politely, and asks for nothing more.
func saysThanks(text string) bool {
	return utf8.RuneCountInString(text) <= longestThanks && !strings.ContainsAny(text, "?？") && thanks.MatchString(text)
}
