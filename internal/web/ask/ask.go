// Package ask sends requests to a desk's leading router and repeats them until they are answered.
package ask

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
)

// Timeout of a request whose context has no deadline: long enough for a standby to take the lead.
const Timeout = 10 * time.Second

const (
	firstPause = 50 * time.Millisecond
	mostPause  = 500 * time.Millisecond
)

// Router is one party's way to the router.
type Router struct {
	Bus      bus.Messenger
	Subjects bus.Subjects
	Party    bus.Party
}

// Ask sends a request for the agent or contact. While no router leads it asks again with the same id,
// which the router does once only, until ctx ends. A refusal is an error of type *protocol.Error.
func (r Router) Ask(ctx context.Context, who string, req protocol.Request) (*protocol.Reply, error) {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, Timeout)
		defer cancel()
	}
	req.V = protocol.Version
	if req.ID == "" {
		req.ID = string(conversation.NewID(time.Now()))
	}
	data, err := protocol.Encode(req)
	if err != nil {
		return nil, err
	}
	for pause := firstPause; ; pause = min(2*pause, mostPause) {
		reply, err := r.once(ctx, who, data)
		if err == nil || !repeat(err) {
			return reply, err
		}
		if !wait(ctx, pause) {
			return nil, fmt.Errorf("ask the router to %s: %w", req.Type, err)
		}
	}
}

func (r Router) once(ctx context.Context, who string, data []byte) (*protocol.Reply, error) {
	attempt, cancel := context.WithTimeout(ctx, protocol.RequestTimeout)
	defer cancel()
	answer, err := r.Bus.Request(attempt, r.Subjects.Intent(r.Party, who), data)
	if err != nil {
		return nil, err
	}
	return protocol.DecodeReply(answer)
}

func repeat(err error) bool {
	if refused, ok := errors.AsType[*protocol.Error](err); ok {
		return refused.Code == protocol.CodeUnavailable
	}
	return errors.Is(err, bus.ErrUnavailable) || errors.Is(err, bus.ErrNoResponders)
}

// wait returns false when ctx ended first.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d/2 + rand.N(d/2))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
