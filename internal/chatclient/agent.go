package chatclient

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/deskfleet/deskfleet/internal/console/agentwire"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/web/problem"
)

// agentPath of the agents' WebSocket behind a desk's address.
const agentPath = "/console/v1/agent"

// maxToken of an agent, in bytes.
const maxToken = 512

// ErrReleased ends what was asked or said in a conversation that is no longer the agent's. A message may have
// been stored before that.
var ErrReleased = errors.New("the conversation is no longer yours")

// AgentOptions of an [Agent].
type AgentOptions struct {
	// URL of the desk's console: http(s) or ws(s), such as http://localhost:8080. Required.
	URL string
	// Token of the agent, a secret. Required.
	Token string
	// Presence that the agent wants to have at first; empty for offline.
	Presence agentwire.Presence
	// Reconnect says how a lost connection is made anew. An agent who is away for longer than six seconds
	// loses the conversations.
	Reconnect Reconnect
	// HTTPClient for the connections; nil for one of the Agent's own.
	HTTPClient *http.Client
}

// Agent is a person of a desk, at its console. Its methods may be called at the same time. Events must be
// taken, as of a [Chat].
type Agent struct {
	line   *line
	stop   context.CancelFunc
	events chan AgentEvent
	ready  chan struct{}
	done   chan struct{}
	token  string
	// rest is for the console's REST API.
	rest *http.Client

	mu  sync.Mutex
	err error
	me  agentwire.AgentCard
	// wanted presence, and the one that the console last told.
	wanted   agentwire.Presence
	presence agentwire.PresenceFrame
	online   bool
	wasReady bool
	dialogs  map[conversation.ID]*dialog
	requests []*request
	nextID   int
}

// dialog is a conversation that is offered to the agent or owned.
type dialog struct {
	shown agentwire.Conversation
	// seq of the last message.
	seq uint64
	// On this connection: fresh is set when the console has told of it, caughtUp when all that was said in it
	// has come. told is set when that has come since it is the agent's.
	fresh, caughtUp, told bool
	outbox                outbox
}

// request is something that the console answers.
type request struct {
	frame agentwire.ClientFrame
	// sent is set while it is under way, again when an earlier try may have had effect.
	sent, again bool
	until       delay
	done        chan struct{}
	err         error
}

// OpenAgent starts an Agent and returns before it is connected; [Agent.Ready] waits for that.
func OpenAgent(opts AgentOptions) (*Agent, error) {
	address, err := endpoint(opts.URL, agentPath)
	if err != nil {
		return nil, err
	}
	if err := checkToken(opts.Token); err != nil {
		return nil, err
	}
	if opts.Presence == "" {
		opts.Presence = agentwire.Offline
	}
	a := &Agent{
		line: newLine(address, opts.HTTPClient, opts.Reconnect, agentPace), token: opts.Token, wanted: opts.Presence,
		events: make(chan AgentEvent, eventsKept), ready: make(chan struct{}), done: make(chan struct{}),
		dialogs: map[conversation.ID]*dialog{}, rest: opts.HTTPClient,
	}
	if a.rest == nil {
		a.rest = http.DefaultClient
	}
	ctx, stop := context.WithCancel(context.Background())
	a.stop = stop
	go func() {
		defer close(a.events)
		defer close(a.done) // before the events end: who sees that asks why
		a.end(a.line.run(ctx, a))
	}()
	return a, nil
}

// checkToken refuses what can be no token. It does not show it.
func checkToken(token string) error {
	printable := func(r rune) bool { return r > ' ' && r < 0x7f }
	switch {
	case token == "":
		return errors.New("the token is empty: give the one that the desk's operator gave you")
	case len(token) > maxToken, strings.ContainsFunc(token, func(r rune) bool { return !printable(r) }):
		return fmt.Errorf("the token has blanks, line breaks or more than %d characters: give it alone", maxToken)
	}
	return nil
}

// Ready waits until the agent was signed in for the first time.
func (a *Agent) Ready(ctx context.Context) error {
	select {
	case <-a.ready:
		return nil
	case <-a.done:
		return a.Err()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Events in order. The channel is closed when the client has ended; [Agent.Err] then says why.
func (a *Agent) Events() <-chan AgentEvent { return a.events }

// Err says why the client ended, nil while it has not.
func (a *Agent) Err() error {
	select {
	case <-a.done:
		return a.err
	default:
		return nil
	}
}

// Close ends the client at once. The desk misses the agent after six seconds; [Agent.SetPresence] offline
// gives everything back at once.
func (a *Agent) Close() {
	a.stop()
	<-a.done
}

// SetPresence tells the desk what the agent wants to be, and waits until the router has confirmed. Offline
// gives everything back.
func (a *Agent) SetPresence(ctx context.Context, p agentwire.Presence) error {
	return a.ask(ctx, agentwire.ClientFrame{Type: agentwire.TypePresence, Presence: p})
}

// Accept takes an offered conversation and waits until it is the agent's.
func (a *Agent) Accept(ctx context.Context, conv conversation.ID) error {
	return a.ask(ctx, agentwire.ClientFrame{Type: agentwire.TypeAccept, Conversation: conv})
}

// Decline leaves an offered conversation to others.
func (a *Agent) Decline(ctx context.Context, conv conversation.ID) error {
	return a.ask(ctx, agentwire.ClientFrame{Type: agentwire.TypeDecline, Conversation: conv})
}

// Transfer says to whom an owned conversation goes and why.
type Transfer struct {
	// Queue; empty for the desk's default, or that of the Agent.
	Queue string
	// Agent who is asked first, by name; empty for anybody.
	Agent string
	// Reason, required, and Summary for whoever takes it.
	Reason, Summary string
}

// HandOff gives an owned conversation to a queue, or to a colleague by name.
func (a *Agent) HandOff(ctx context.Context, conv conversation.ID, to Transfer) error {
	return a.ask(ctx, agentwire.ClientFrame{
		Type: agentwire.TypeHandOff, Conversation: conv, Queue: to.Queue, Agent: to.Agent, Reason: to.Reason, Summary: to.Summary,
	})
}

// Finish closes an owned conversation, behind the messages that were posted in it before.
func (a *Agent) Finish(ctx context.Context, conv conversation.ID, disposition, comment string) error {
	return a.ask(ctx, agentwire.ClientFrame{
		Type: agentwire.TypeClose, Conversation: conv, Disposition: disposition, Comment: comment,
	})
}

// Post takes a message to be sent in an owned conversation and returns its client id.
func (a *Agent) Post(conv conversation.ID, m Outgoing) (clientID string, err error) {
	p, err := a.post(conv, m)
	if err != nil {
		return "", err
	}
	return p.ClientID, nil
}

// Say posts a message and waits until the desk has stored it. A refusal is a *problem.Problem or
// [ErrReleased]. When ctx ends first the message is sent nevertheless.
func (a *Agent) Say(ctx context.Context, conv conversation.ID, m Outgoing) (Receipt, error) {
	p, err := a.post(conv, m)
	if err != nil {
		return Receipt{}, err
	}
	select {
	case <-p.done:
		return p.receipt, p.err
	case <-ctx.Done():
		return Receipt{}, context.Cause(ctx)
	}
}

func (a *Agent) post(conv conversation.ID, m Outgoing) (*posted, error) {
	if m.Language != "" {
		return nil, problem.Field(http.StatusBadRequest, problem.CodeInvalid, "language", m.Language, "", "the desk tells the language of agents' messages: leave it out")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err != nil {
		return nil, a.err
	}
	d := a.dialogs[conv]
	if d == nil || !d.shown.Relation.Reads() || d.shown.Relation == agentwire.Watched && !m.Note {
		return nil, fmt.Errorf("conversation %s: %w: accept an offer first", conv, ErrReleased)
	}
	p, err := d.outbox.add(m)
	a.line.poke()
	return p, err
}

// ask waits until a request is answered. When ctx ends first it is withdrawn, unless it is under way.
func (a *Agent) ask(ctx context.Context, f agentwire.ClientFrame) error {
	r, err := a.request(f)
	if err != nil || r == nil {
		return err
	}
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		a.mu.Lock()
		defer a.mu.Unlock()
		a.answer(r, context.Cause(ctx))
		return r.err
	}
}

// request puts a request behind the others; nil when it is fulfilled already.
func (a *Agent) request(f agentwire.ClientFrame) (*request, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err != nil {
		return nil, a.err
	}
	if f.Type == agentwire.TypePresence {
		if a.confirmed(f.Presence) && a.wanted == f.Presence {
			return nil, nil
		}
		a.wanted = f.Presence
	} else if a.dialogs[f.Conversation] == nil && !opens(&f) {
		return nil, fmt.Errorf("conversation %s: %w", f.Conversation, ErrReleased)
	}
	a.nextID++
	f.ID = strconv.Itoa(a.nextID)
	r := &request{frame: f, done: make(chan struct{})}
	a.requests = append(a.requests, r)
	a.line.poke()
	return r, nil
}

// confirmed says whether the router believes that the agent is what is wanted.
func (a *Agent) confirmed(p agentwire.Presence) bool {
	return a.presence.Presence == p && a.presence.SignedOn == (p != agentwire.Offline)
}

// end is the end of the client: whoever waits is told.
func (a *Agent) end(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err == nil {
		err = ErrClosed
	}
	a.err, a.online = err, false
	for _, d := range a.dialogs {
		d.outbox.end(err)
	}
	for len(a.requests) > 0 {
		a.answer(a.requests[0], err)
	}
}
