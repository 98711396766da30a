package play

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/deskfleet/deskfleet/internal/gateway/chatwire"
)

// door is how many customers of a crowd come in at the same time.
const door = 10

// Crowd is many customers at once, each in a conversation with a bot.
type Crowd []*Customer

// Gather lets n customers come in, each with a question that the bot is to
// answer. It returns when all of them have their answer: those for whom no bot
// had a slot had to wait for a new one.
func Gather(ctx context.Context, url, question string, n int, out io.Writer) (Crowd, error) {
	begin := time.Now()
	crowd := make(Crowd, n)
	errs := make([]error, n)
	places := make(chan struct{}, door)
	var work sync.WaitGroup
	for i := range n {
		work.Go(func() {
			places <- struct{}{}
			crowd[i], errs[i] = Arrive(ctx, url, fmt.Sprintf("customer-%d", i), "en", nil)
			if errs[i] == nil {
				errs[i] = crowd[i].Say(ctx, question)
			}
			<-places // who waits for an answer keeps nobody out
			if errs[i] == nil {
				crowd[i].Asked = time.Now()
				_, errs[i] = crowd[i].Expect(ctx, "an answer", func(m *chatwire.Message) bool { return m.Entry != nil })
				crowd[i].Waited = time.Since(crowd[i].Asked)
			}
		})
	}
	work.Wait()
	if err := errors.Join(errs...); err != nil {
		crowd.Leave()
		return nil, err
	}
	_, _ = fmt.Fprintf(out, "  all of %d customers have their answer after %.1f s\n", n, time.Since(begin).Seconds())
	return crowd, nil
}

// AnsweredWithin is the share of them, 0 to 1, who had the answer to their first question within a time.
func (c Crowd) AnsweredWithin(d time.Duration) float64 {
	n := 0
	for _, customer := range c {
		if customer.Waited <= d {
			n++
		}
	}
	return float64(n) / float64(max(1, len(c)))
}

// LastAsked is when the last of them had put the first question.
func (c Crowd) LastAsked() time.Time {
	var last time.Time
	for _, customer := range c {
		if customer.Asked.After(last) {
			last = customer.Asked
		}
	}
	return last
}

// Ask lets all of them ask another question, and waits for the bots' answers.
func (c Crowd) Ask(ctx context.Context, question string) error {
	return c.each(func(customer *Customer) error { return customer.ask(ctx, question) })
}

// End ends all conversations.
func (c Crowd) End(ctx context.Context) error {
	return c.each(func(customer *Customer) error { return customer.End(ctx) })
}

func (c Crowd) each(do func(*Customer) error) error {
	errs := make([]error, len(c))
	var work sync.WaitGroup
	for i, customer := range c {
		work.Go(func() { errs[i] = do(customer) })
	}
	work.Wait()
	return errors.Join(errs...)
}

// ask says something and waits for an answer that cites an entry.
func (c *Customer) ask(ctx context.Context, question string) error {
	if err := c.Say(ctx, question); err != nil {
		return err
	}
	_, err := c.Expect(ctx, "an answer", func(m *chatwire.Message) bool { return m.Entry != nil })
	return err
}

// Leave ends the connections; the conversations stay as they are.
func (c Crowd) Leave() {
	for _, customer := range c {
		if customer != nil {
			customer.Leave()
		}
	}
}
