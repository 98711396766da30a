package chatclient

import (
	"context"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/gateway/chatwire"
	"github.com/deskfleet/deskfleet/internal/web/problem"
)

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

// due implements talker.
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
	if len(c.wishes) > 0 {
		wish := c.wishes[0]
		c.wishes = c.wishes[1:]
		if wish.Type == chatwire.TypeRate {
			wish.Conversation = c.now.Conversation
		}
		return wish, 0
	}
	if len(c.outbox.waiting) == 0 {
		return c.dueEnd(now)
	}
	p, wait := c.outbox.next(now)
	if p == nil {
		return nil, wait
	}
	if !p.sent {
		p.sent, p.conv = true, c.now.Conversation
	}
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

// over says whether the conversation has ended, as far as is known. A message that is stored behind its end
// reopens it.
func (c *Chat) over(conv conversation.ID) bool {
	ended := c.now.State != nil && c.now.State.Status.Ended() && c.now.State.Seq > c.said
	return conv == "" || conv != c.now.Conversation || ended
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
	c.online, c.typing = false, nil
	c.outbox.offline()
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
		return c.heard(f)
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
			ExpectedWaitSeconds: f.ExpectedWait,
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
	c.now.Seq, c.now.State, c.said = 0, nil, 0
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

func (c *Chat) heard(f *chatwire.ServerFrame) Event {
	if !c.news(f) {
		return nil
	}
	// It is stored, whether or not its acknowledgement came.
	if f.From.Kind == conversation.KindCustomer {
		c.said = max(c.said, f.Seq)
		c.outbox.settle(Receipt{ClientID: f.ClientID, Conversation: f.Conversation, Seq: f.Seq}, nil)
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
		Until: f.Until, CallBack: f.CallBack, Score: f.Score,
	}
	c.now.State = &s
	if c.ending != nil && c.ending.conv == f.Conversation && c.over(f.Conversation) {
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
	r := Receipt{ClientID: f.ClientID, Conversation: f.Conversation, Seq: f.Seq, Duplicate: f.Duplicate}
	// The acknowledgement of an earlier conversation's message does not lead back there.
	if !r.Duplicate {
		c.show(f.Conversation)
		c.said = max(c.said, f.Seq)
	}
	c.outbox.settle(r, nil)
	return Stored{r}
}

// refused takes a refusal in. What may be taken later is kept and sent again.
func (c *Chat) refused(f *chatwire.ServerFrame, now time.Time) Event {
	if f.Problem == nil {
		return nil
	}
	again := retryAfter(f.Problem)
	switch {
	case f.ClientID != "" && again > 0:
		c.outbox.delay(f.ClientID, after(now, again))
		return Delayed{ClientID: f.ClientID, Problem: f.Problem}
	case f.ClientID != "":
		refused := Refused{ClientID: f.ClientID, Problem: f.Problem}
		if p := c.outbox.settle(Receipt{ClientID: f.ClientID}, f.Problem); p != nil {
			refused.Text = p.Text
		}
		return refused
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
