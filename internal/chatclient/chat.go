package chatclient

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/gateway/chatwire"
	"github.com/deskfleet/deskfleet/internal/web/problem"
)

// chatPath of the customers' WebSocket behind a desk's address.
const chatPath = "/v1/chat"

// eventsKept until the caller takes them.
const eventsKept = 1024

// Options of a Chat.
type Options struct {
	// URL of the desk: http(s) or ws(s), such as http://localhost:8080. Required.
	URL string
	// Token of a contact that the desk has issued before; empty for a new contact.
	Token string
	// Name that the contact gives, and its Language as a BCP 47 tag; both may be empty.
	Name, Language string
	// Conversation and After are those of a [Standing]: a client that goes on where another one stopped gets
	// what it has not seen. Empty and 0 for everything of the open conversation.
	Conversation conversation.ID
	After        uint64
	// Reconnect says how a lost connection is made anew.
	Reconnect Reconnect
	// HTTPClient for the connections; nil for one of the Chat's own.
	HTTPClient *http.Client
}

// Standing is where a Chat stands.
type Standing struct {
	// Contact and Token as the desk gave them; the token is a secret.
	Contact chatwire.ContactCard
	Token   string
	Desk    chatwire.DeskCard
	Limits  chatwire.Limits
	// Conversation that was heard of last, and its State; nil when none is known.
	Conversation conversation.ID
	State        *chatwire.State
	// Seq up to which everything came.
	Seq uint64
	// Waiting messages that the desk has not acknowledged.
	Waiting int
}

// Chat is a customer of a desk. Its methods may be called at the same time.
//
// Events must be taken: when [eventsKept] of them wait, nothing more is read from the desk, acknowledgements
// included.
type Chat struct {
	line   *line
	stop   context.CancelFunc
	events chan Event
	ready  chan struct{}
	done   chan struct{}

	mu sync.Mutex
	// err why the client ended; set before done is closed.
	err error
	// card is what the contact says of itself.
	card     *chatwire.ContactCard
	language string
	now      Standing
	// said is the sequence of the customer's last message.
	said uint64
	// online is set between caughtUp and the end of a connection.
	online bool
	// wasReady is set at the first caughtUp.
	wasReady bool
	outbox   outbox
	ending   *ending
	typing   *bool
	// wishes are frames that are sent once; the state tells what became of them.
	wishes []chatwire.ClientFrame
}

// Open starts a Chat and returns before it is connected; [Chat.Ready] waits for that.
func Open(opts Options) (*Chat, error) { return open(opts, func(*Chat) {}) }

func open(opts Options, change func(*Chat)) (*Chat, error) {
	address, err := endpoint(opts.URL, chatPath)
	if err != nil {
		return nil, err
	}
	if err := checkOptions(&opts); err != nil {
		return nil, err
	}
	c := &Chat{
		line: newLine(address, opts.HTTPClient, opts.Reconnect, customerPace), language: opts.Language,
		events: make(chan Event, eventsKept), ready: make(chan struct{}), done: make(chan struct{}),
		now: Standing{Token: opts.Token, Conversation: opts.Conversation, Seq: opts.After},
	}
	if opts.Name != "" {
		c.card = &chatwire.ContactCard{Name: opts.Name}
	}
	change(c)
	ctx, stop := context.WithCancel(context.Background())
	c.stop = stop
	go func() {
		defer close(c.events)
		defer close(c.done) // before the events end: who sees that asks why
		c.end(c.line.run(ctx, c))
	}()
	return c, nil
}

// Connect opens a Chat and waits until it is connected.
func Connect(ctx context.Context, opts Options) (*Chat, error) {
	c, err := Open(opts)
	if err != nil {
		return nil, err
	}
	if err := c.Ready(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// checkOptions finds what the desk would refuse.
func checkOptions(opts *Options) error {
	if err := errors.Join(chatwire.CheckName(opts.Name), chatwire.CheckLanguage(opts.Language)); err != nil {
		return err
	}
	if opts.Conversation == "" {
		return nil
	}
	_, err := conversation.ParseID(string(opts.Conversation))
	return err
}

// Ready waits until the client was connected for the first time and has everything that is stored.
func (c *Chat) Ready(ctx context.Context) error {
	select {
	case <-c.ready:
		return nil
	case <-c.done:
		return c.Err()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Events in order. The channel is closed when the client has ended; [Chat.Err] then says why.
func (c *Chat) Events() <-chan Event { return c.events }

// Err says why the client ended, nil while it has not.
func (c *Chat) Err() error {
	select {
	case <-c.done:
		return c.err
	default:
		return nil
	}
}

// Standing tells where the client stands.
func (c *Chat) Standing() Standing {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.now
	s.Waiting = len(c.outbox.waiting)
	return s
}

// Close ends the client. The conversation stays open; messages that were not acknowledged are given up.
func (c *Chat) Close() {
	c.stop()
	<-c.done
}

// Post takes a message to be sent and returns its client id; [Stored] or [Refused] tells what became of it.
// The error is a *problem.Problem when the desk would refuse the message.
func (c *Chat) Post(m Outgoing) (clientID string, err error) {
	p, err := c.post(m)
	if err != nil {
		return "", err
	}
	return p.ClientID, nil
}

// Send posts a message and waits until the desk has stored it. A refusal is a *problem.Problem. When ctx
// ends first the message is sent nevertheless.
func (c *Chat) Send(ctx context.Context, m Outgoing) (Receipt, error) {
	p, err := c.post(m)
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

func (c *Chat) post(m Outgoing) (*posted, error) {
	if m.Note {
		return nil, problem.Field(http.StatusBadRequest, problem.CodeInvalid, "note", "true", "", "customers write no notes: leave it out")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return nil, c.err
	}
	p, err := c.outbox.add(m)
	c.line.poke()
	return p, err
}

// Typing says that the customer writes, or no longer does. It is lost without a connection.
func (c *Chat) Typing(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.online {
		c.typing = &on
		c.line.poke()
	}
}

// CallBack asks to be answered later: at a time, or, if that is zero, when it is the customer's turn. The state, or
// a [Refused], tells what became of it.
func (c *Chat) CallBack(until time.Time) {
	c.wish(chatwire.ClientFrame{Type: chatwire.TypeCallBack, Until: until})
}

// Rate rates the conversation that was shown last and has ended, from 1 (bad) to 5 (good). The error is a
// *problem.Problem when the desk would refuse it.
func (c *Chat) Rate(score int, comment string) error {
	if err := chatwire.CheckRating(score, comment); err != nil {
		return err
	}
	c.wish(chatwire.ClientFrame{Type: chatwire.TypeRate, Score: score, Comment: comment})
	return nil
}

func (c *Chat) wish(f chatwire.ClientFrame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wishes = append(c.wishes, f)
	c.line.poke()
}

// End ends the conversation, behind the messages that were posted before, and waits until it has ended. It
// is nothing when no conversation is open. A refusal is a *problem.Problem.
func (c *Chat) End(ctx context.Context) error {
	c.mu.Lock()
	if c.err != nil {
		defer c.mu.Unlock()
		return c.err
	}
	if c.ending == nil {
		c.ending = &ending{done: make(chan struct{})}
		c.line.poke()
	}
	e := c.ending
	c.mu.Unlock()
	select {
	case <-e.done:
		return e.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// end is the end of the client: whoever waits is told.
func (c *Chat) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		err = ErrClosed
	}
	c.err, c.online = err, false
	c.outbox.end(err)
	c.ended(err)
}
