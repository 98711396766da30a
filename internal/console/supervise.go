package console

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	archive "github.com/deskfleet/deskfleet/internal/archive/protocol"
	"github.com/deskfleet/deskfleet/internal/console/agentwire"
	"github.com/deskfleet/deskfleet/internal/console/tokens"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
	"github.com/deskfleet/deskfleet/internal/web/problem"
)

// supervises says whether the user may see and change what is others'. The router knows no roles.
func (u user) supervises() bool { return u.Role.AtLeast(tokens.RoleSupervisor) }

// maySee says whether the user may read an open conversation that is another's: agents read on in what they have had.
func (u user) maySee(v *view) bool {
	return v.state.Status != conversation.StatusNone && (u.supervises() || v.had)
}

// mayWhisper says whether the user may leave a note in a conversation that is another's.
func (u user) mayWhisper(v *view) bool { return u.maySee(v) && !v.state.Status.Ended() }

func forSupervisors(role tokens.Role, what string) *problem.Problem {
	return problem.Field(http.StatusForbidden, problem.CodeForbidden, "role", string(role), what+" is for supervisors", "ask a supervisor")
}

// askWatch lets the user see a conversation, after that was stored for the audit.
func (s *session) askWatch(ctx context.Context, f *agentwire.ClientFrame) error {
	if f.On {
		v, _, err := s.link.logged(ctx, f.Conversation, s.user.Name)
		switch {
		case err != nil:
			return err
		case !s.user.maySee(v) && !s.user.supervises():
			return forSupervisors(s.user.Role, "to see what one never had")
		case v.state.Status == conversation.StatusNone || v.state.Status.Ended():
			return problem.Field(http.StatusNotFound, problem.CodeNotFound, "conversation", string(f.Conversation),
				"no open conversation has this id", "look for it in the archive")
		}
		if err := s.link.report(ctx, "conversation.watched", s.user, f.Conversation, nil); err != nil {
			return err
		}
	}
	s.sock.Push(watching{conv: f.Conversation, on: f.On})
	return nil
}

// mayTakeOver refuses who is no supervisor. Who asked for it is stored for the audit before it is done.
func (s *session) mayTakeOver(ctx context.Context, f *agentwire.ClientFrame) error {
	if !s.user.supervises() {
		return forSupervisors(s.user.Role, "to take a conversation over")
	}
	return s.link.report(ctx, "conversation.takeOver", s.user, f.Conversation, nil)
}

// mayTag refuses the tags of an agent in what is not theirs.
func (s *session) mayTag(ctx context.Context, f *agentwire.ClientFrame) error {
	if s.user.supervises() {
		return nil
	}
	_, err := s.holding(ctx, f.Conversation)
	return err
}

// merge makes the request to end a conversation as a duplicate of another one.
func (s *session) merge(ctx context.Context, f *agentwire.ClientFrame) (protocol.Request, error) {
	v, items, err := s.link.logged(ctx, f.Conversation, s.user.Name)
	if err != nil {
		return protocol.Request{}, err
	}
	if relation := v.relation(); !s.user.supervises() && v.state.MergedInto != f.Into {
		if relation != agentwire.Owned && relation != agentwire.Offered {
			return protocol.Request{}, notOwner(f.Conversation)
		}
		if _, err := s.holding(ctx, f.Into); err != nil {
			return protocol.Request{}, err
		}
	}
	details, err := json.Marshal(map[string]string{"into": string(f.Into)})
	if err != nil {
		return protocol.Request{}, err
	}
	if err := s.link.report(ctx, "conversation.merge", s.user, f.Conversation, details); err != nil {
		return protocol.Request{}, err
	}
	language := s.c.document().Languages[0]
	return protocol.Request{
		Type: protocol.Merge, Conversation: f.Conversation, Seq: v.state.MsgSeq, Into: f.Into,
		Note: mergedNote(mergeWordsOf(language), v, items),
		Say: &conversation.Said{
			Text: mergeWordsOf(orElse(v.state.Language, language)).customer, Language: orElse(v.state.Language, language),
		},
	}, nil
}

func orElse(value, standby string) string {
	if value == "" {
		return standby
	}
	return value
}

// mergeWords are what both sides of a merge are told.
type mergeWords struct{ head, before, customer string }

func mergeWordsOf(language string) mergeWords {
	if primary, _, _ := strings.Cut(strings.ToLower(language), "-"); primary == "zh" {
		return mergeWords{
			head:     "已合并会话 %s（渠道：%s，客户：%s，队列：%s）。其内容：",
			before:   "（此前还有 %d 条消息）",
			customer: "您的咨询已与您的另一会话合并，客服将在那里继续为您服务。如需在此补充，请直接留言。",
		}
	}
	return mergeWords{
		head:     "Merged with conversation %s (channel %s, contact %s, queue %s). What was said there:",
		before:   "(%d earlier messages)",
		customer: "We go on with this in your other conversation. If you have anything to add here, just write.",
	}
}

// Bounds of what a note tells of a merged conversation; its whole transcript stays where it is.
const (
	mostMergedRunes  = 6000
	mostMergedOfOne  = 600
	mergedTimeFormat = "2006-01-02 15:04 MST"
)

// mergedNote tells the agents of the conversation that goes on what was said in the other one: its last messages.
func mergedNote(w mergeWords, v *view, items []archive.Item) string {
	s := &v.state
	head := fmt.Sprintf(w.head, s.ID, orElse(s.Channel, "web"), orElse(s.ContactName, s.Contact), s.Queue)
	var lines []string
	room, said, shown := mostMergedRunes, 0, 0
	for _, item := range slices.Backward(items) {
		e, err := conversation.Decode(item.Event)
		if err != nil {
			continue
		}
		m, ok := e.Body.(*conversation.Message)
		if !ok {
			continue
		}
		said++
		line := fmt.Sprintf("%s %s: %s", e.At.UTC().Format(mergedTimeFormat), orElse(m.From.Name, string(m.From.Kind)), shortened(m.Text, mostMergedOfOne))
		if room -= len([]rune(line)); room < 0 {
			continue
		}
		shown++
		lines = append([]string{line}, lines...)
	}
	if said > shown {
		lines = append([]string{fmt.Sprintf(w.before, said-shown)}, lines...)
	}
	return strings.Join(append([]string{head}, lines...), "\n")
}

func shortened(text string, most int) string {
	if r := []rune(text); len(r) > most {
		return string(r[:most]) + "…"
	}
	return text
}

// colleague is a person who is signed on.
type colleague struct {
	ID       string             `json:"id"`
	Presence agentwire.Presence `json:"presence"`
	Draining bool               `json:"draining,omitempty"`
	Slots    int                `json:"slots"`
	Busy     int                `json:"busy"`
	Pools    []string           `json:"pools,omitempty"`
	Queues   []string           `json:"queues,omitempty"`
}

// colleagues lists who is signed on.
func (c *Console) colleagues(k *call) (any, error) {
	reply, err := k.link.router.Ask(k.Context(), k.user.Name, protocol.Request{Type: protocol.Agents})
	if err != nil {
		return nil, err
	}
	out := struct {
		Agents []colleague `json:"agents"`
	}{Agents: []colleague{}}
	for i := range reply.Agents {
		a := &reply.Agents[i]
		out.Agents = append(out.Agents, colleague{
			ID: a.ID, Presence: shown(a.Presence), Draining: a.Draining, Slots: a.Slots, Busy: a.Busy, Pools: a.Pools, Queues: a.Queues,
		})
	}
	return out, nil
}

// openConversation is one in a list.
type openConversation struct {
	ID          conversation.ID     `json:"id"`
	Status      conversation.Status `json:"status"`
	Channel     string              `json:"channel,omitempty"`
	Contact     string              `json:"contact,omitempty"`
	ContactName string              `json:"contactName,omitempty"`
	Language    string              `json:"language,omitempty"`
	Queue       string              `json:"queue,omitempty"`
	Priority    int                 `json:"priority,omitempty"`
	Agent       *conversation.Agent `json:"agent,omitempty"`
	OpenedAt    time.Time           `json:"openedAt,omitzero"`
	ArrivedAt   time.Time           `json:"arrivedAt,omitzero"`
	Deadline    time.Time           `json:"deadline,omitzero"`
	Position    int                 `json:"position,omitempty"`
	Tags        []string            `json:"tags,omitempty"`
	Callback    bool                `json:"callback,omitempty"`
	Why         []string            `json:"why,omitempty"`
}

// open lists open conversations: all for supervisors, agents' own for them.
func (c *Console) open(k *call) (any, error) {
	q := k.URL.Query()
	most, err := limited(k)
	if err != nil {
		return nil, err
	}
	filter := protocol.Filter{
		Queue: q.Get("queue"), Agent: q.Get("agent"), Status: conversation.Status(q.Get("status")),
		After: conversation.ID(q.Get("after")), Limit: min(most, protocol.MaxOpen),
	}
	if !k.user.supervises() {
		if filter.Agent != "" && filter.Agent != k.user.Name {
			return nil, forSupervisors(k.user.Role, "to list what others have")
		}
		filter.Agent = k.user.Name
	}
	details, err := json.Marshal(filter)
	if err != nil {
		return nil, err
	}
	// Who waits with what is others' business, too: it is stored for the audit like any other reading.
	if err := k.link.report(k.Context(), "conversations.listed", k.user, "", details); err != nil {
		return nil, err
	}
	reply, err := k.link.router.Ask(k.Context(), k.user.Name, protocol.Request{Type: protocol.Open, Filter: &filter})
	if err != nil {
		return nil, err
	}
	out := struct {
		Conversations []openConversation `json:"conversations"`
		Next          conversation.ID    `json:"next,omitempty"`
	}{Conversations: []openConversation{}}
	for i := range reply.Conversations {
		o := &reply.Conversations[i]
		out.Conversations = append(out.Conversations, openConversation{
			ID: o.ID, Status: o.Status, Channel: o.Channel, Contact: o.Contact, ContactName: o.ContactName, Language: o.Language,
			Queue: o.Queue, Priority: o.Priority, Agent: o.Agent, OpenedAt: o.OpenedAt, ArrivedAt: o.ArrivedAt, Deadline: o.Deadline,
			Position: o.Position, Tags: o.Tags, Callback: o.Callback, Why: o.Why,
		})
	}
	if n := len(out.Conversations); reply.More && n > 0 {
		out.Next = out.Conversations[n-1].ID
	}
	return out, nil
}
