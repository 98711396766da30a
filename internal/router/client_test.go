package router

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/router/intake"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
)

// client is a scripted bot or person.
type client struct {
	d     *desk
	party bus.Party
	id    string
	conn  bus.Conn
	beats sync.WaitGroup
	quit  context.CancelFunc
	gone  <-chan struct{}

	mu     sync.Mutex
	pushes []protocol.Push
	change chan struct{}
}

func (d *desk) client(party bus.Party, id string) *client {
	d.t.Helper()
	c := &client{d: d, party: party, id: id, conn: d.conn, change: make(chan struct{})}
	if party == bus.PartyCustomer {
		return c
	}
	ctx, quit := context.WithCancel(d.ctx)
	c.quit, c.gone = quit, ctx.Done()
	if _, err := d.conn.Subscribe(ctx, d.names.Offer(party, id), c.take); err != nil {
		d.t.Fatal(err)
	}
	c.beats.Go(func() { c.beat(ctx) })
	d.t.Cleanup(c.die)
	return c
}

func (c *client) take(m *bus.Message) {
	p, err := protocol.DecodePush(m.Data)
	if err != nil {
		c.d.t.Errorf("push %s: %v", m.Data, err)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pushes = append(c.pushes, *p)
	close(c.change)
	c.change = make(chan struct{})
}

// beat is the heart of the client.
func (c *client) beat(ctx context.Context) {
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for {
		data, err := protocol.Encode(protocol.Heartbeat{V: 1})
		if err != nil {
			c.d.t.Error(err)
		}
		_ = c.conn.Publish(ctx, c.d.names.Heartbeat(c.party, c.id), data)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// die stops the heart, without a word.
func (c *client) die() {
	c.quit()
	c.beats.Wait()
}

// pushed waits for a push of a type about a conversation, the nth.
func (c *client) pushed(kind protocol.PushType, conv conversation.ID, nth int) protocol.Push {
	c.d.t.Helper()
	for {
		c.mu.Lock()
		n, change := 0, c.change
		for _, p := range c.pushes {
			if p.Type == kind && (conv == "" || p.Conversation != nil && p.Conversation.ID == conv) {
				if n++; n == nth {
					c.mu.Unlock()
					return p
				}
			}
		}
		c.mu.Unlock()
		select {
		case <-change:
		case <-c.d.ctx.Done():
			c.d.t.Fatalf("%s was never pushed %s about %s", c.id, kind, conv)
		}
	}
}

// ask sends a request again and again, with the same id, until the router answers.
func (c *client) ask(req protocol.Request) (*protocol.Reply, error) {
	c.d.t.Helper()
	req.V = 1
	if req.ID == "" {
		req.ID = string(conversation.NewID(time.Now()))
	}
	data, err := protocol.Encode(req)
	if err != nil {
		c.d.t.Fatal(err)
	}
	for {
		ctx, cancel := context.WithTimeout(c.d.ctx, 500*time.Millisecond)
		answer, err := c.conn.Request(ctx, c.d.names.Intent(c.party, c.id), data)
		cancel()
		if err != nil {
			if c.d.ctx.Err() != nil {
				c.d.t.Fatalf("%s is never answered to %s: %v; stored: %s", c.id, req.Type, err, strings.Join(c.d.story(""), "\n"))
			}
			continue
		}
		reply, err := protocol.DecodeReply(answer)
		if refused, ok := errors.AsType[*protocol.Error](err); ok && refused.Code == protocol.CodeUnavailable {
			continue
		}
		return reply, err
	}
}

// must is ask for what may not be refused.
func (c *client) must(req protocol.Request) *protocol.Reply {
	c.d.t.Helper()
	reply, err := c.ask(req)
	if err != nil {
		c.d.t.Fatalf("%s of %s: %v", req.Type, c.id, err)
	}
	return reply
}

func (c *client) signOn() *protocol.Reply {
	c.d.t.Helper()
	a := conversation.Agent{Kind: conversation.KindAgent, ID: c.id}
	if c.party == bus.PartyBot {
		a.Kind, a.Pool = conversation.KindBot, "bots"
	}
	return c.must(protocol.Request{Type: protocol.SignOn, Agent: &a, Presence: conversation.PresenceOnline})
}

// say writes as the owner, behind the given sequence of .own.
func (c *client) say(conv conversation.ID, clientID, text string, ownSeq uint64) error {
	kind := conversation.KindAgent
	if c.party == bus.PartyBot {
		kind = conversation.KindBot
	}
	now := time.Now()
	e := conversation.NewEvent(conversation.NewID(now), conv, now, &conversation.Message{
		From: conversation.Actor{Kind: kind, ID: c.id}, Text: text, ClientID: clientID,
	})
	data, err := conversation.Encode(e)
	if err != nil {
		return err
	}
	_, _, err = c.conn.Log(c.d.names.Stream()).Append(c.d.ctx, c.d.names.Messages(string(conv)), data, bus.AppendOptions{
		MsgID: intake.MsgID(conv, clientID), ExpectLast: bus.Expect(ownSeq), ExpectFilter: c.d.names.Ownership(string(conv)),
	})
	return err
}

func handOffNow(seq uint64) *conversation.HandOff {
	return &conversation.HandOff{
		TranscriptSeq: seq, Language: "en", Verification: conversation.VerificationNone,
		Reason: conversation.Reason{Code: conversation.ReasonNoAnswer, Words: "no sure answer"},
	}
}
