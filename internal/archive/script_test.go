package archive

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/deskfleet/deskfleet/internal/archive/audit"
	"github.com/deskfleet/deskfleet/internal/archive/protocol"
	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
)

var (
	start = time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	mei   = conversation.Agent{Kind: conversation.KindAgent, ID: "mei", Name: "梅", Pool: "people"}
	robot = conversation.Agent{Kind: conversation.KindBot, ID: "bot-0", Pool: "bots"}
)

// script writes a log by hand.
type script struct {
	t        testing.TB
	subjects bus.Subjects
	seq      uint64
	now      time.Time
	entries  []bus.Stored
}

func newScript(t testing.TB) *script {
	return &script{t: t, subjects: testSubjects(t), now: start}
}

func (s *script) add(subject string, data []byte) uint64 {
	s.seq++
	s.now = s.now.Add(time.Second)
	s.entries = append(s.entries, bus.Stored{Subject: subject, Seq: s.seq, Time: s.now, Data: data})
	return s.seq
}

func (s *script) event(conv conversation.ID, body conversation.Body) uint64 {
	s.t.Helper()
	data := encode(s.t, conv, s.now, body)
	if _, ok := body.(*conversation.Message); ok {
		return s.add(s.subjects.Messages(string(conv)), data)
	}
	return s.add(s.subjects.Ownership(string(conv)), data)
}

func encode(t testing.TB, conv conversation.ID, at time.Time, body conversation.Body) []byte {
	t.Helper()
	data, err := conversation.Encode(conversation.NewEvent(conversation.NewID(at), conv, at, body))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func (s *script) says(conv conversation.ID, from conversation.Actor, text string) uint64 {
	s.t.Helper()
	return s.event(conv, &conversation.Message{From: from, Text: text, ClientID: fmt.Sprintf("m%d", s.seq), Language: "en"})
}

func customer(id string) conversation.Actor {
	return conversation.Actor{Kind: conversation.KindCustomer, ID: id, Name: "Li Wei"}
}

// audit reports something for the audit.
func (s *script) audit(action string) uint64 {
	s.t.Helper()
	e := audit.NewEvent(conversation.NewID(s.now), s.now, "console", action, mei.Actor())
	data, err := audit.Encode(e)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.add(s.subjects.Audit(), data)
}

// served is a whole conversation: bot, hand-off, person, closed. It returns its texts in order.
func (s *script) served(contact string, question string) (conversation.ID, []string) {
	s.t.Helper()
	id := conversation.NewID(s.now)
	first := s.says(id, customer(contact), question)
	place := conversation.Arrival{At: s.now, Seq: first}
	s.event(id, &conversation.Opened{Channel: "web", Contact: contact, Queue: conversation.BotQueue, Arrival: place})
	s.event(id, &conversation.Assigned{Agent: robot})
	s.says(id, robot.Actor(), "I do not know; a person will.")
	s.event(id, &conversation.Queued{Queue: "refunds", Cause: conversation.CauseHandOff, Arrival: place, HandOff: &conversation.HandOff{
		TranscriptSeq: s.seq, Language: "en", Verification: conversation.VerificationNone,
		Reason: conversation.Reason{Code: conversation.ReasonNoAnswer, Words: "no sure answer"},
	}})
	s.event(id, &conversation.Offered{Agent: mei, Deadline: s.now.Add(time.Minute)})
	s.event(id, &conversation.Accepted{Agent: mei})
	s.event(id, &conversation.Message{From: mei.Actor(), Text: "check the order first", ClientID: fmt.Sprintf("n%d", s.seq), Note: true})
	s.says(id, mei.Actor(), "It is done.")
	s.says(id, customer(contact), "Thank you")
	s.event(id, &conversation.WrapUpStarted{Agent: mei})
	s.event(id, &conversation.Closed{By: mei.Actor(), Reason: conversation.CloseResolved, Disposition: "refunded"})
	return id, []string{question, "I do not know; a person will.", "check the order first", "It is done.", "Thank you"}
}

// store writes what was added since the last time and moves on.
func (s *script) store(st Store) Position {
	s.t.Helper()
	p, err := st.Position(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	p, _, err = st.Write(s.t.Context(), p, s.seq, s.entries)
	if err != nil {
		s.t.Fatal(err)
	}
	s.entries = nil
	return p
}

// texts of a conversation in the archive, read page by page.
func texts(t testing.TB, st Store, conv conversation.ID) []string {
	t.Helper()
	var out []string
	r := protocol.TranscriptRequest{Conversation: conv, Limit: 2}
	for {
		reply, err := st.Transcript(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range reply.Items {
			e, err := conversation.Decode(item.Event)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, e.Body.(*conversation.Message).Text)
		}
		if reply.Next == "" {
			return out
		}
		r.After = reply.Next
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func isMoved(err error) bool { return errors.Is(err, ErrMoved) }
