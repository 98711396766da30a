package ask_test

import (
	"context"
	"errors"
	"testing"

	"go.uber.org/goleak"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
	"github.com/deskfleet/deskfleet/internal/web/ask"
	"github.com/deskfleet/deskfleet/internal/web/webtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestAsksAgain: while no router leads and while one loses the lead, the same request is asked again with
// the same id; a refusal is not.
func TestAsksAgain(t *testing.T) {
	r := webtest.New(t)
	router := ask.Router{Bus: r.Conn, Subjects: r.Subjects, Party: bus.PartyAgent}
	result := make(chan error, 1)
	go func() {
		reply, err := router.Ask(t.Context(), "chen", protocol.Request{Type: protocol.Sync})
		if err == nil && !reply.OK {
			err = errors.New("not ok")
		}
		result <- err
	}()
	var ids []string
	r.AnswerAs(func(a webtest.Asked) *protocol.Reply {
		if a.Request.Type == protocol.Accept {
			return &protocol.Reply{V: 1, Error: &protocol.Error{Code: protocol.CodeNotOffered}}
		}
		ids = append(ids, a.Request.ID)
		if len(ids) < 3 {
			return &protocol.Reply{V: 1, Error: &protocol.Error{Code: protocol.CodeUnavailable}}
		}
		return nil
	})
	if err := <-result; err != nil {
		t.Fatal(err)
	}
	if len(ids) != 3 || ids[0] != ids[1] || ids[1] != ids[2] || ids[0] == "" {
		t.Errorf("asked with ids %q", ids)
	}
	var refused *protocol.Error
	if _, err := router.Ask(t.Context(), "chen", protocol.Request{Type: protocol.Accept}); !errors.As(err, &refused) || refused.Code != protocol.CodeNotOffered {
		t.Errorf("a refusal gives %v", err)
	}
}

func TestGivesUp(t *testing.T) {
	r := webtest.New(t)
	router := ask.Router{Bus: r.Conn, Subjects: r.Subjects, Party: bus.PartyAgent}
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() {
		_, err := router.Ask(ctx, "chen", protocol.Request{Type: protocol.Sync})
		result <- err
	}()
	cancel()
	if err := <-result; err == nil {
		t.Error("no error without a router")
	}
}
