package play

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/gateway/chatwire"
)

// Scene is a desk of the web shop's sample, at which nobody is signed on.
type Scene struct {
	// Chat and Console are its addresses.
	Chat, Console string
	// Token gives an agent's token.
	Token func(agent string) (string, error)
	// Why prints why a conversation went where it went, as deskfleet why does.
	Why func(ctx context.Context, id conversation.ID) (string, error)
	Out io.Writer
}

// waits are the customers of [Scene.Routing] in the order of their arrival, which is not the order in which they are served.
var waits = []struct{ name, text, queue string }{
	{"Ben", "I want my money back for this order", "refunds"},
	{"Dora", "I want to talk to a person", "general"},
	{"Vera", "I am a gold member and want to talk to a person", "vip"},
}

// Routing shows how conversations find their agents: three customers wait while nobody is there, and the one for whom a
// skill is asked overflows; then an agent comes who lacks the skill, and one who has it. It returns what was told about
// why, by customer.
func (s *Scene) Routing(ctx context.Context) (why map[string]string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	customers := map[string]*Customer{}
	defer func() {
		for _, c := range customers {
			c.Leave()
		}
	}()
	for _, w := range waits {
		c, err := s.waits(ctx, w.name, w.text, w.queue)
		if err != nil {
			return nil, err
		}
		customers[w.name] = c
	}
	_, _ = fmt.Fprintln(s.Out, "  nobody is there: the degradation ladder of refunds is entered")
	if _, err := customers["Ben"].Expect(ctx, "the offer to be answered later", func(m *chatwire.Message) bool {
		return m.From.Kind == conversation.KindSystem && strings.Contains(m.Text, "need not wait here")
	}); err != nil {
		return nil, err
	}
	leave, err := s.serve(ctx, customers)
	if err == nil {
		why, err = s.explain(ctx, customers)
	}
	return why, errors.Join(err, leave())
}

// waits brings a customer who comes to wait for a person.
func (s *Scene) waits(ctx context.Context, name, text, queue string) (*Customer, error) {
	c, err := Arrive(ctx, s.Chat, name, "en", s.Out)
	if err != nil {
		return nil, err
	}
	if err = c.Say(ctx, text); err == nil {
		err = c.ExpectState(ctx, "queue "+queue, func(state *chatwire.State) bool { return state.Queue == queue })
	}
	if err != nil {
		c.Leave()
		return nil, err
	}
	return c, nil
}

// serve lets the agents come, and waits until everybody is answered. The agents stay until leave is called.
func (s *Scene) serve(ctx context.Context, customers map[string]*Customer) (leave func() error, err error) {
	var leaves []func() error
	leave = func() error {
		errs := make([]error, 0, len(leaves))
		for _, leave := range leaves {
			errs = append(errs, leave())
		}
		return errors.Join(errs...)
	}
	comes := func(agent string) error {
		token, err := s.Token(agent)
		if err != nil {
			return err
		}
		ended, leave := Agent(ctx, s.Console, token, s.Out)
		leaves = append(leaves, func() error { leave(); return <-ended })
		return nil
	}
	answered := func(names ...string) error {
		for _, name := range names {
			if _, err := customers[name].Expect(ctx, "an answer of a person", func(m *chatwire.Message) bool { return m.From.Kind == conversation.KindAgent }); err != nil {
				return err
			}
		}
		return nil
	}
	_, _ = fmt.Fprintln(s.Out, "  lin comes, who has refund at level 1 and not at the 3 that refunds asks for: Vera goes first, as vip has more priority")
	err = comes("lin")
	if err == nil {
		err = answered("Vera", "Dora")
	}
	if err == nil {
		_, _ = fmt.Fprintln(s.Out, "  sara comes, who has refund at level 5")
		err = comes("sara")
	}
	if err == nil {
		err = answered("Ben")
	}
	return leave, err
}

// explain tells why each customer went where they went, in the order of service.
func (s *Scene) explain(ctx context.Context, customers map[string]*Customer) (map[string]string, error) {
	why := map[string]string{}
	for _, name := range []string{"Vera", "Ben"} {
		text, err := s.Why(ctx, customers[name].Standing().Conversation)
		if err != nil {
			return nil, fmt.Errorf("why %s: %w", name, err)
		}
		why[name] = text
		_, _ = fmt.Fprintf(s.Out, "\n  Why did %s go there?\n\n", name)
		for line := range strings.Lines(text) {
			_, _ = fmt.Fprint(s.Out, "    "+line)
		}
	}
	for _, name := range []string{"Vera", "Dora", "Ben"} {
		if err := customers[name].End(ctx); err != nil {
			return nil, err
		}
		delete(customers, name)
	}
	return why, nil
}
