package chatclient

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/gateway/chatwire"
	"github.com/deskfleet/deskfleet/internal/web/problem"
)

// delay is when a refused request may be sent again; the zero value is at once.
type delay struct{ time.Time }

// after a time that the desk asked for, and a random quarter more: it asks all clients alike.
func after(now time.Time, d time.Duration) delay { return delay{now.Add(d + rand.N(d/4+1))} }

// left until then.
func (d delay) left(now time.Time) time.Duration { return max(0, d.Sub(now)) }

// ending is a wish that the conversation ends.
type ending struct {
	// conv is known once the wish was sent.
	conv  conversation.ID
	sent  bool
	until delay
	done  chan struct{}
	err   error
}

// hello implements talker.
func (c *Chat) hello() any {
	c.mu.Lock()
	defer c.mu.Unlock()
	return chatwire.ClientFrame{
		Type: chatwire.TypeHello, V: chatwire.Version, Token: c.now.Token, Contact: c.card, Language: c.language,
		Conversation: c.now.Conversation, ResumeAfter: c.now.Seq,
	}
}

// due implements talker. Messages go one at a time: one that must be sent again must not fall behind a
// later one.
func (c *Chat) due(now time.Time) (any, time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.online {
		return nil, 0
	}
	if c.typing != nil {
		on := *c.typing
		c.typing = nil
		return chatwire.ClientFrame{Type: chatwire.TypeTyping, On: on}, 0
	}
	if c.inFlight != nil {
		return nil, 0
	}
	if len(c.outbox) == 0 {
		return c.dueEnd(now)
	}
	p := c.outbox[0]
	if left := p.until.left(now); left > 0 {
		return nil, left
	}
	if !p.sent {
		p.sent, p.conv = true, c.now.Conversation
	}
	c.inFlight = p
	return chatwire.ClientFrame{
		Type: chatwire.TypeMessage, ClientID: p.ClientID, Text: p.Text, Language: p.Language, Conversation: p.conv,
	}, 0
}

// dueEnd gives the frame that ends the conversation, if that is wished.
func (c *Chat) dueEnd(now time.Time) (any, time.Duration) {
	e := c.ending
	if e == nil || e.sent {
		return nil, 0
	}
	if e.conv == "" {
		e.conv = c.now.Conversation
	}
	// A conversation that is not known to be open is not ended: the desk would end the next one.
	if c.over(e.conv) {
		c.ended(nil)
		return nil, 0
	}
	if left := e.until.left(now); left > 0 {
		return nil, left
	}
	e.sent = true
	return chatwire.ClientFrame{Type: chatwire.TypeClose}, 0
}

// over says whether the conversation has ended, as far as is known.
func (c *Chat) over(conv conversation.ID) bool {
	return conv == "" || conv != c.now.Conversation || c.now.State != nil && c.now.State.Status.Ended()
}

// ended tells whoever waits for the conversation's end.
func (c *Chat) ended(err error) {
	if c.ending == nil {
		return
	}
	c.ending.err = err
	close(c.ending.done)
	c.ending = nil
}

// lost implements talker.
func (c *Chat) lost(ctx context.Context, err error, pause time.Duration) {
	c.mu.Lock()
	c.offline()
	c.mu.Unlock()
	c.push(ctx, Lost{Err: err, RetryIn: pause})
}

// offline forgets what was under way: it is sent again.
func (c *Chat) offline() {
	c.online, c.inFlight, c.typing = false, nil, nil
	if c.ending != nil {
		c.ending.sent = false
	}
}

// push hands an event out, and waits for room.
func (c *Chat) push(ctx context.Context, e Event) {
	select {
	case c.events <- e:
	case <-ctx.Done():
	}
}

// take implements talker.
func (c *Chat) take(ctx context.Context, v *visit, frame []byte) error {
	f, err := chatwire.DecodeServer(frame)
	if err != nil {
		return err
	}
	switch f.Type {
	case chatwire.TypeGoodbye:
		v.hint = time.Duration(f.RetryAfterMillis) * time.Millisecond
	case chatwire.TypeError:
		v.problem = f.Problem
	case chatwire.TypeCaughtUp:
		v.online()
	}
	c.mu.Lock()
	event := c.learn(f)
	c.mu.Unlock()
	if event != nil {
		c.push(ctx, event)
	}
	return nil
}

// learn takes a frame in and gives the event for the caller, nil for none.
func (c *Chat) learn(f *chatwire.ServerFrame) Event {
	switch f.Type {
	case chatwire.TypeWelcome:
		return c.welcome(f)
	case chatwire.TypeMessage:
		return c.said(f)
	case chatwire.TypeState:
		return c.changed(f)
	case chatwire.TypeCaughtUp:
		return c.caughtUp(f)
	case chatwire.TypeAck:
		return c.stored(f)
	case chatwire.TypeError:
		return c.refused(f, time.Now())
	case chatwire.TypePosition:
		return Placed{chatwire.Position{
			Type: f.Type, Conversation: f.Conversation, Queue: f.Queue, Position: f.Position, Waiting: f.Waiting,
		}}
	case chatwire.TypeTyping:
		return Writing{chatwire.Typing{Type: f.Type, Conversation: f.Conversation, From: f.From, On: f.On}}
	}
	return nil // a ping, or of a newer release
}

func (c *Chat) welcome(f *chatwire.ServerFrame) Event {
	c.now.Contact, c.now.Token, c.now.Desk, c.now.Limits = f.Contact, f.Token, f.Desk, f.Limits
	if !f.Anew {
		return nil
	}
	c.now.Seq, c.now.State = 0, nil
	return Anew{}
}

// news says whether a stored frame was not seen before, and remembers it.
func (c *Chat) news(f *chatwire.ServerFrame) bool {
	if f.Seq <= c.now.Seq {
		return false
	}
	c.now.Seq = f.Seq
	c.show(f.Conversation)
	return true
}

// show makes a conversation the one that is shown.
func (c *Chat) show(conv conversation.ID) {
	if conv != "" && conv != c.now.Conversation {
		c.now.Conversation, c.now.State = conv, nil
	}
}

func (c *Chat) said(f *chatwire.ServerFrame) Event {
	if !c.news(f) {
		return nil
	}
	// It is stored, whether or not its acknowledgement came.
	if f.From.Kind == conversation.KindCustomer {
		c.settle(f.ClientID, chatwire.Ack{
			Type: chatwire.TypeAck, ClientID: f.ClientID, Conversation: f.Conversation, Seq: f.Seq,
		}, nil)
	}
	return Said{chatwire.Message{
		Type: f.Type, Seq: f.Seq, Conversation: f.Conversation, ID: f.ID, At: f.At, From: f.From,
		Text: f.Text, Language: f.Language, ClientID: f.ClientID, Entry: f.Entry,
	}}
}

func (c *Chat) changed(f *chatwire.ServerFrame) Event {
	if !c.news(f) {
		return nil
	}
	s := chatwire.State{
		Type: f.Type, Seq: f.Seq, Conversation: f.Conversation, At: f.At, Status: f.Status, Queue: f.Queue, Agent: f.Agent,
	}
	c.now.State = &s
	if c.ending != nil && c.ending.conv == f.Conversation && s.Status.Ended() {
		c.ended(nil)
	}
	return Changed{s}
}

func (c *Chat) caughtUp(f *chatwire.ServerFrame) Event {
	c.show(f.Conversation)
	if f.State != nil {
		c.now.State = f.State
	}
	c.online = true
	if !c.wasReady {
		c.wasReady = true
		close(c.ready)
	}
	return Online{Desk: c.now.Desk}
}

func (c *Chat) stored(f *chatwire.ServerFrame) Event {
	ack := chatwire.Ack{
		Type: f.Type, ClientID: f.ClientID, Conversation: f.Conversation, Seq: f.Seq, Duplicate: f.Duplicate,
	}
	// The acknowledgement of an earlier conversation's message does not lead back there.
	if !ack.Duplicate {
		c.show(f.Conversation)
	}
	c.settle(f.ClientID, ack, nil)
	return Stored{ack}
}

// settle takes a message from the outbox, if it is there and was sent, and tells whoever waits.
func (c *Chat) settle(clientID string, ack chatwire.Ack, err error) (text string) {
	i := slices.IndexFunc(c.outbox, func(p *posted) bool { return p.sent && p.ClientID == clientID })
	if i < 0 {
		return ""
	}
	p := c.outbox[i]
	c.outbox = slices.Delete(c.outbox, i, i+1)
	if c.inFlight == p {
		c.inFlight = nil
	}
	p.ack, p.err = ack, err
	close(p.done)
	return p.Text
}

// refused takes a refusal in. What may be taken later is kept and sent again.
func (c *Chat) refused(f *chatwire.ServerFrame, now time.Time) Event {
	if f.Problem == nil {
		return nil
	}
	again := retryAfter(f.Problem)
	switch {
	case f.ClientID != "" && again > 0:
		if p := c.inFlight; p != nil && p.ClientID == f.ClientID {
			p.until = after(now, again)
			c.inFlight = nil
		}
		return Delayed{ClientID: f.ClientID, Problem: f.Problem}
	case f.ClientID != "":
		return Refused{ClientID: f.ClientID, Text: c.settle(f.ClientID, chatwire.Ack{}, f.Problem), Problem: f.Problem}
	case c.ending != nil && c.ending.sent && again > 0:
		c.ending.sent, c.ending.until = false, after(now, again)
		return nil
	case c.ending != nil && c.ending.sent:
		c.ended(f.Problem)
	case f.Problem.Code() == problem.CodeToken:
		return nil // ends the client
	}
	return Refused{Problem: f.Problem}
}

var _ talker = (*Chat)(nil)
