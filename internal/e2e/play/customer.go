// Package play plays customers against a desk, for the demo and the end-to-end
// tests: it says things, waits for what must come, and keeps the whole dialogue
// for a check against what the desk stored.
package play

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/deskfleet/deskfleet/internal/chatclient"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/gateway/chatwire"
)

// Customer is one customer of a desk. Its methods are called by one goroutine.
type Customer struct {
	Name string
	// Asked is when the customer of a [Crowd] had put the first question, Waited how long the answer took from then.
	Asked  time.Time
	Waited time.Duration

	chat *chatclient.Chat
	url  string
	out  io.Writer

	mu sync.Mutex
	// said is everything that was said, in the order in which it came.
	said  []chatwire.Message
	state chatwire.State
	// news is closed and replaced whenever something comes.
	news chan struct{}
	done chan struct{}
	// acknowledged are the texts that the desk confirmed to have stored, in the order of sending.
	acknowledged []string
	// seen is how much of said was expected already.
	seen int
}

// Arrive connects a customer; what is said is printed to out, nil for silence.
func Arrive(ctx context.Context, url, name, language string, out io.Writer) (*Customer, error) {
	chat, err := chatclient.Connect(ctx, chatclient.Options{URL: url, Name: name, Language: language})
	if err != nil {
		return nil, fmt.Errorf("customer %s: %w", name, err)
	}
	if out == nil {
		out = io.Discard
	}
	c := &Customer{Name: name, chat: chat, url: url, out: out, news: make(chan struct{}), done: make(chan struct{})}
	go c.listen()
	return c, nil
}

func (c *Customer) listen() {
	defer close(c.done)
	for event := range c.chat.Events() {
		c.mu.Lock()
		switch e := event.(type) {
		case chatclient.Said:
			c.said = append(c.said, e.Message)
			_, _ = fmt.Fprintf(c.out, "  %-10s %s\n", c.speaker(&e.Message)+":", line(&e.Message))
		case chatclient.Changed:
			c.state = e.State
			_, _ = fmt.Fprintf(c.out, "  %-10s (%s)\n", "", describe(&e.State))
		case chatclient.Anew:
			c.said, c.seen = nil, 0
		default: // typing, places and the state of the connection are not part of the dialogue
		}
		close(c.news)
		c.news = make(chan struct{})
		c.mu.Unlock()
	}
}

func (c *Customer) speaker(m *chatwire.Message) string {
	if m.From.Kind == conversation.KindCustomer {
		return c.Name
	}
	if m.From.Name != "" {
		return m.From.Name
	}
	return string(m.From.Kind)
}

func line(m *chatwire.Message) string {
	text := strings.Join(strings.Fields(m.Text), " ")
	if m.Entry != nil {
		text += fmt.Sprintf("  [%s/%s, %.0f %%]", m.Entry.KnowledgeBase, m.Entry.ID, m.Entry.Confidence*100)
	}
	return text
}

func describe(s *chatwire.State) string {
	text := string(s.Status)
	if s.Queue != "" {
		text += " in " + s.Queue
	}
	if s.Agent != nil {
		text += " with " + s.Agent.Name
	}
	return text
}

// Say sends a message and waits until the desk has stored it.
func (c *Customer) Say(ctx context.Context, text string) error {
	if _, err := c.chat.Send(ctx, chatclient.Outgoing{Text: text}); err != nil {
		return fmt.Errorf("customer %s says %q: %w", c.Name, text, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.acknowledged = append(c.acknowledged, text)
	return nil
}

// Expect waits for a message behind those that were expected before.
func (c *Customer) Expect(ctx context.Context, what string, holds func(*chatwire.Message) bool) (*chatwire.Message, error) {
	for {
		c.mu.Lock()
		for ; c.seen < len(c.said); c.seen++ {
			if m := &c.said[c.seen]; m.From.Kind != conversation.KindCustomer && holds(m) {
				found := *m
				c.seen++
				c.mu.Unlock()
				return &found, nil
			}
		}
		news := c.news
		c.mu.Unlock()
		if err := c.wait(ctx, news); err != nil {
			return nil, fmt.Errorf("customer %s waits for %s: %w\n%s", c.Name, what, err, c.Dialogue())
		}
	}
}

// ExpectState waits until the conversation is in a state.
func (c *Customer) ExpectState(ctx context.Context, what string, holds func(*chatwire.State) bool) error {
	for {
		c.mu.Lock()
		now, news := c.state, c.news
		c.mu.Unlock()
		if holds(&now) {
			return nil
		}
		if err := c.wait(ctx, news); err != nil {
			return fmt.Errorf("customer %s waits for %s, it is %s: %w\n%s", c.Name, what, describe(&now), err, c.Dialogue())
		}
	}
}

func (c *Customer) wait(ctx context.Context, news <-chan struct{}) error {
	select {
	case <-news:
		return nil
	case <-c.done:
		return errors.Join(errors.New("the connection ended"), c.chat.Err())
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Dialogue is everything that was said, as text.
func (c *Customer) Dialogue() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	for i := range c.said {
		_, _ = fmt.Fprintf(&b, "  %-10s %s\n", c.speaker(&c.said[i])+":", line(&c.said[i]))
	}
	return b.String()
}

// Leave ends the connection; the conversation stays as it is.
func (c *Customer) Leave() {
	c.chat.Close()
	<-c.done
}

// End ends the conversation and the connection.
func (c *Customer) End(ctx context.Context) error {
	err := c.chat.End(ctx)
	c.Leave()
	return err
}

// CheckStored reads the conversation anew, as a customer who comes back, and
// compares: every acknowledged message must be stored exactly once and in order.
func (c *Customer) CheckStored(ctx context.Context) error {
	c.mu.Lock()
	acknowledged := append([]string(nil), c.acknowledged...)
	c.mu.Unlock()
	standing := c.chat.Standing()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	again, err := chatclient.Connect(ctx, chatclient.Options{URL: c.url, Token: standing.Token, Conversation: standing.Conversation})
	if err != nil {
		return fmt.Errorf("customer %s comes back: %w", c.Name, err)
	}
	defer again.Close()
	var stored []string
	var last uint64
	for len(stored) < len(acknowledged) {
		select {
		case event, open := <-again.Events():
			if !open {
				return fmt.Errorf("customer %s comes back: %w", c.Name, again.Err())
			}
			said, ok := event.(chatclient.Said)
			if !ok {
				continue
			}
			if said.Seq <= last {
				return fmt.Errorf("customer %s: message %d came after %d", c.Name, said.Seq, last)
			}
			last = said.Seq
			if said.From.Kind == conversation.KindCustomer {
				stored = append(stored, said.Text)
			}
		case <-ctx.Done():
			return fmt.Errorf("customer %s: %d of %d acknowledged messages are stored: %w", c.Name, len(stored), len(acknowledged), ctx.Err())
		}
	}
	for i := range acknowledged {
		if stored[i] != acknowledged[i] {
			return fmt.Errorf("customer %s: message %d is %q, acknowledged was %q", c.Name, i, stored[i], acknowledged[i])
		}
	}
	return nil
}

// Standing is where the customer stands: conversation, token.
func (c *Customer) Standing() chatclient.Standing { return c.chat.Standing() }
