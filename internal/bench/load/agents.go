package load

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/deskfleet/deskfleet/internal/chatclient"
	"github.com/deskfleet/deskfleet/internal/console/agentwire"
	"github.com/deskfleet/deskfleet/internal/conversation"
)

// agents are the people of the desk: they accept what they are offered and answer what they are asked.
type agents struct {
	load *load
	all  []*chatclient.Agent
	work sync.WaitGroup

	mu   sync.Mutex
	errs []error
}

// signOn brings all agents to the desk.
func (l *load) signOn(ctx context.Context) (*agents, error) {
	a := &agents{load: l}
	ctx, cancel := context.WithTimeout(ctx, l.Patience)
	defer cancel()
	for i, token := range l.Tokens {
		agent, err := chatclient.OpenAgent(chatclient.AgentOptions{
			URL: l.Console, Token: token, Presence: agentwire.Available, HTTPClient: clientFrom(addressOf(int64(-1 - i))),
		})
		if err != nil {
			a.leave()
			return nil, fmt.Errorf("agent %d: %w", i+1, err)
		}
		a.all = append(a.all, agent)
		present := make(chan struct{})
		a.work.Go(func() { a.serve(agent, sync.OnceFunc(func() { close(present) })) })
		if err := errors.Join(agent.Ready(ctx), await(ctx, present)); err != nil {
			a.leave()
			return nil, fmt.Errorf("agent %d does not come to serve: %w", i+1, err)
		}
	}
	return a, nil
}

func await(ctx context.Context, done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// serve is an agent's work, until the client ends. present is called when the desk gives the agent conversations.
func (a *agents) serve(agent *chatclient.Agent, present func()) {
	var tasks sync.WaitGroup
	defer tasks.Wait()
	for event := range agent.Events() {
		switch e := event.(type) {
		case chatclient.Present:
			if e.SignedOn && e.Presence == agentwire.Available {
				present()
			}
		case chatclient.Related:
			if e.Relation == agentwire.Offered {
				a.load.offers.came(e.Conversation.Conversation)
				tasks.Go(func() { a.accept(agent, e.Conversation.Conversation) })
			}
		case chatclient.Heard:
			a.answer(agent, &e)
		case chatclient.AgentRefused:
			a.failed(e.Problem)
		default:
		}
	}
}

func (a *agents) accept(agent *chatclient.Agent, conv conversation.ID) {
	ctx, cancel := context.WithTimeout(context.Background(), a.load.Patience)
	defer cancel()
	// An offer may be gone when it is accepted, for instance to an agent who was faster; its customer notices if it is not.
	_ = agent.Accept(ctx, conv)
}

func (a *agents) answer(agent *chatclient.Agent, e *chatclient.Heard) {
	if e.From.Kind != conversation.KindCustomer {
		return
	}
	kind, turn, at, ok := parse(e.Text, a.load.began)
	if !ok || kind != ask {
		return
	}
	a.load.tally.latency(time.Since(at))
	if _, err := agent.Post(e.Conversation, chatclient.Outgoing{Text: line(answer, turn, a.load.began)}); err != nil {
		a.failed(err)
	}
}

func (a *agents) failed(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.errs) < maxErrors {
		a.errs = append(a.errs, err)
	}
}

func (a *agents) err() error {
	for i, agent := range a.all {
		if err := agent.Err(); err != nil {
			a.failed(fmt.Errorf("agent %d: %w", i+1, err))
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return errors.Join(a.errs...)
}

func (a *agents) leave() {
	for _, agent := range a.all {
		agent.Close()
	}
	a.work.Wait()
}

// offers are the times at which conversations were first offered.
type offers struct {
	mu    sync.Mutex
	times map[conversation.ID]chan time.Time
}

func newOffers() *offers { return &offers{times: map[conversation.ID]chan time.Time{}} }

func (o *offers) of(conv conversation.ID) chan time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	c := o.times[conv]
	if c == nil {
		c = make(chan time.Time, 1)
		o.times[conv] = c
	}
	return c
}

func (o *offers) came(conv conversation.ID) {
	select {
	case o.of(conv) <- time.Now():
	default: // the second offer of a conversation
	}
}

func (o *offers) wait(ctx context.Context, conv conversation.ID, patience time.Duration) (time.Time, error) {
	defer func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		delete(o.times, conv)
	}()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case at := <-o.of(conv):
		return at, nil
	case <-timer.C:
		return time.Time{}, fmt.Errorf("conversation %s was offered to nobody within %s", conv, patience)
	case <-ctx.Done():
		return time.Time{}, context.Cause(ctx)
	}
}
