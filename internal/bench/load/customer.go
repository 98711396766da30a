package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/deskfleet/deskfleet/internal/chatclient"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/gateway/chatwire"
)

// firstWords bring a customer to a person on any desk: a bot in front hands over, and without one they are said to the agent.
const firstWords = "I would like to talk to a person, please."

// outcome is what became of one conversation.
type outcome struct {
	tracked
	latencies []time.Duration
	routing   time.Duration
	err       error
}

// converse is one customer from coming to going.
func (l *load) converse(ctx context.Context, number int64) *outcome {
	o := &outcome{}
	c := &customer{load: l, number: number, out: o}
	c.heard.order = map[string]int{}
	defer c.leave()
	if err := c.play(ctx); err != nil {
		o.err = fmt.Errorf("customer %d: %w", number, err)
		if c.asked {
			o.lost++ // what was acknowledged has led to nothing in time
		}
	}
	return o
}

type customer struct {
	*load
	number int64
	out    *outcome
	chat   *chatclient.Chat
	client *http.Client
	heard  hearing
	// said are the texts that were acknowledged, in order.
	said []string
	// asked says that a message was acknowledged and what must follow has not come yet.
	asked bool
}

func (c *customer) play(ctx context.Context) error {
	c.client = clientFrom(addressOf(c.number))
	ready, cancel := context.WithTimeout(ctx, c.Patience)
	defer cancel()
	chat, err := chatclient.Connect(ready, chatclient.Options{
		URL: c.URL, Name: fmt.Sprintf("load-%d", c.number), Language: "en", HTTPClient: c.client,
	})
	if err != nil {
		return err
	}
	c.chat = chat
	if err := c.reach(ctx); err != nil {
		return err
	}
	for turn := 1; turn <= c.Turns; turn++ {
		if err := c.turn(ctx, turn); err != nil {
			return err
		}
	}
	if err := c.check(ctx); err != nil {
		return err
	}
	ending, cancel := context.WithTimeout(ctx, c.Patience)
	defer cancel()
	return chat.End(ending)
}

// reach asks for a person and waits until one has the conversation.
func (c *customer) reach(ctx context.Context) error {
	asked := time.Now()
	if err := c.say(ctx, firstWords); err != nil {
		return err
	}
	conv := c.chat.Standing().Conversation
	offered, err := c.offers.wait(ctx, conv, c.Patience)
	if err != nil {
		return fmt.Errorf("no agent was asked: %w", err)
	}
	c.out.routing = max(0, offered.Sub(asked))
	return c.until(ctx, "an agent", func(e chatclient.Event) bool {
		changed, ok := e.(chatclient.Changed)
		return ok && changed.Status == conversation.StatusActive
	})
}

// turn says one thing and waits for the answer.
func (c *customer) turn(ctx context.Context, turn int) error {
	if err := c.say(ctx, line(ask, turn, c.began)); err != nil {
		return err
	}
	return c.until(ctx, fmt.Sprintf("the answer to turn %d", turn), func(e chatclient.Event) bool {
		said, ok := e.(chatclient.Said)
		if !ok || said.From.Kind != conversation.KindAgent {
			return false
		}
		kind, n, at, ok := parse(said.Text, c.began)
		if !ok || kind != answer || n != turn {
			return false
		}
		c.out.latencies = append(c.out.latencies, time.Since(at))
		return true
	})
}

func (c *customer) say(ctx context.Context, text string) error {
	ctx, cancel := context.WithTimeout(ctx, c.Patience)
	defer cancel()
	if _, err := c.chat.Send(ctx, chatclient.Outgoing{Text: text}); err != nil {
		return err
	}
	c.said = append(c.said, text)
	c.out.acknowledged++
	c.asked = true
	return nil
}

// until takes events up to one that suits.
func (c *customer) until(ctx context.Context, what string, suits func(chatclient.Event) bool) error {
	timer := time.NewTimer(c.Patience)
	defer timer.Stop()
	for {
		select {
		case e, open := <-c.chat.Events():
			if !open {
				return errors.Join(fmt.Errorf("the connection ended before %s came", what), c.chat.Err())
			}
			c.hear(e)
			if suits(e) {
				c.asked = false
				return nil
			}
		case <-timer.C:
			return fmt.Errorf("%s did not come within %s", what, c.Patience)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// hear keeps account of what came live.
func (c *customer) hear(e chatclient.Event) {
	switch e := e.(type) {
	case chatclient.Anew:
		c.heard.order = map[string]int{} // everything comes again
	case chatclient.Said:
		c.heard.note(string(e.ID), e.Seq)
		if e.From.Kind == conversation.KindAgent {
			c.out.acknowledged++
		}
	}
}

// check reads the conversation back and compares.
func (c *customer) check(ctx context.Context) error {
	stored, err := c.history(ctx)
	if err != nil {
		return fmt.Errorf("read the conversation back: %w", err)
	}
	var mine, theirs []string
	for i := range stored {
		switch stored[i].From.Kind {
		case conversation.KindCustomer:
			mine = append(mine, stored[i].Text)
		case conversation.KindAgent:
			theirs = append(theirs, stored[i].Text)
		default:
		}
	}
	c.out.compare(c.said, mine)
	c.out.compare(answers(theirs, c.Turns), theirs)
	c.out.duplicated += c.heard.duplicated
	c.out.reordered += c.heard.reordered
	return nil
}

// answers are the texts of the first answer to each turn: what the agent must have said, once and in this order.
func answers(texts []string, turns int) []string {
	expected := make([]string, 0, turns)
	for turn := 1; turn <= turns; turn++ {
		found := ""
		for _, text := range texts {
			if strings.HasPrefix(text, prefix(answer, turn)) {
				found = text
				break
			}
		}
		expected = append(expected, found)
	}
	return expected
}

func (c *customer) history(ctx context.Context) ([]chatwire.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, c.Patience)
	defer cancel()
	standing := c.chat.Standing()
	var all []chatwire.Message
	for after := uint64(0); ; {
		url := fmt.Sprintf("%s/v1/conversations/%s/messages?after=%d", strings.TrimSuffix(c.URL, "/"), standing.Conversation, after)
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			return nil, err
		}
		request.Header.Set("Authorization", "Bearer "+standing.Token)
		response, err := c.client.Do(request)
		if err != nil {
			return nil, err
		}
		var page struct {
			Messages []chatwire.Message
			Seq      uint64
			More     bool
		}
		err = json.NewDecoder(response.Body).Decode(&page)
		_ = response.Body.Close()
		switch {
		case response.StatusCode != http.StatusOK:
			return nil, errors.New(response.Status)
		case err != nil:
			return nil, err
		}
		all = append(all, page.Messages...)
		if !page.More {
			return all, nil
		}
		after = page.Seq
	}
}

func (c *customer) leave() {
	if c.chat != nil {
		c.chat.Close()
		for range c.chat.Events() { // the client ends when its events were taken
		}
	}
	if c.client != nil {
		c.client.CloseIdleConnections()
	}
}
