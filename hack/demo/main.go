// Command demo shows a desk on a real cluster: it starts one, deploys the
// operator, applies a web shop's desk, plays customers against it while a pod of
// each role ends, and checks that nothing was lost.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/e2e/play"
	"github.com/deskfleet/deskfleet/internal/e2e/stage"
	"github.com/deskfleet/deskfleet/internal/gateway/chatwire"
)

const (
	namespace = "shop"
	desk      = "shop"
	bots      = "shop-bots"
)

func main() {
	down := flag.Bool("down", false, "remove what the demo made")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *down, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, down bool, out io.Writer) error {
	s, err := stage.Open(out)
	if err != nil {
		return err
	}
	if down {
		return remove(ctx, s)
	}
	d := &demo{stage: s, out: out}
	for _, step := range []struct {
		title string
		do    func(context.Context) error
	}{
		{"A cluster with the operator", d.up},
		{"A web shop's desk: bots, people, a knowledge base in two languages, and rules", d.apply},
		{"Customers whom the bot answers, and where the answer stands", d.questions},
		{"A refund, and a wish for a person: an agent gets the whole dialogue", d.handOffs},
		{"Nobody is there, then two people: priority, skills, overflow, and why", d.routing},
		{"A pod of each role ends while customers talk", d.kill},
		{"Many customers at once: the pool of bots grows, and shrinks behind them", d.burst},
		{"The desk now", d.show},
	} {
		_, _ = fmt.Fprintf(out, "\n=== %s\n", step.title)
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", strings.ToLower(step.title), err)
		}
	}
	return nil
}

type demo struct {
	stage *stage.Stage
	out   io.Writer
	chat  string
	// applied is when the desk's objects were sent to the API server.
	applied time.Time
}

func (d *demo) up(ctx context.Context) error {
	_, err := d.stage.Up(ctx) // the cluster stays, to be looked at
	return err
}

func (d *demo) apply(ctx context.Context) error {
	if err := d.stage.Namespace(ctx, namespace); err != nil {
		return err
	}
	d.applied = time.Now()
	text, err := d.stage.Kubectl(ctx, nil, "-n", namespace, "apply", "-f", filepath.Join("config", "samples", "shop"))
	if err != nil {
		return err
	}
	_, _ = fmt.Fprint(d.out, text)
	ready, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	if err := d.stage.WaitReady(ready, namespace); err != nil {
		return err
	}
	// The address is used until the process ends.
	d.chat, _, err = d.stage.Address(ctx, namespace, desk+"-gateway")
	return err
}

func (d *demo) questions(ctx context.Context) error {
	for i, q := range []struct{ name, language, text string }{
		{"Anna", "en", "How long does delivery take?"},
		{"小明", "zh", "怎么退货？"},
	} {
		if err := d.dialogue(ctx, q.name, q.language, q.text, func(ctx context.Context, c *play.Customer) error {
			_, err := c.Expect(ctx, "an answer that cites an entry", func(m *chatwire.Message) bool { return m.Entry != nil })
			return err
		}); err != nil {
			return err
		}
		if i == 0 {
			_, _ = fmt.Fprintf(d.out, "  (the first answer: %.1f s after the objects were applied)\n\n", time.Since(d.applied).Seconds())
		}
	}
	return nil
}

// handOffs are served by an agent who answers by itself; what the agent sees is printed too.
func (d *demo) handOffs(ctx context.Context) error {
	token, err := play.SampleToken(filepath.Join(d.stage.Root(), "config", "samples", "shop"), "mei")
	if err != nil {
		return err
	}
	console, _, err := d.stage.Address(ctx, namespace, desk+"-console")
	if err != nil {
		return err
	}
	agent, leave := play.Agent(ctx, console, token, d.out)
	for _, q := range []struct{ name, language, text string }{
		{"Ben", "en", "I want my money back for this order"},
		{"丽丽", "zh", "请转人工客服"},
	} {
		err = errors.Join(err, d.dialogue(ctx, q.name, q.language, q.text, func(ctx context.Context, c *play.Customer) error {
			_, err := c.Expect(ctx, "an answer of a person", func(m *chatwire.Message) bool { return m.From.Kind == conversation.KindAgent })
			return err
		}))
	}
	leave()
	return errors.Join(err, <-agent)
}

// routing shows how conversations find their agents, and asks the plugin of kubectl why.
func (d *demo) routing(ctx context.Context) error {
	if err := d.stage.Make(ctx, "plugin"); err != nil {
		return err
	}
	console, _, err := d.stage.Address(ctx, namespace, desk+"-console")
	if err != nil {
		return err
	}
	scene := &play.Scene{Chat: d.chat, Console: console, Out: d.out,
		Token: func(agent string) (string, error) {
			return play.SampleToken(filepath.Join(d.stage.Root(), "config", "samples", "shop"), agent)
		},
		Why: func(ctx context.Context, id conversation.ID) (string, error) {
			_, _ = fmt.Fprintf(d.out, "\n  $ kubectl desk why %s -n %s", id, namespace)
			return d.stage.Kubectl(ctx, nil, "desk", "why", string(id), "-n", namespace)
		},
	}
	_, err = scene.Routing(ctx)
	return err
}

// dialogue is one customer who says one thing and waits for what must follow.
func (d *demo) dialogue(ctx context.Context, name, language, text string, then func(context.Context, *play.Customer) error) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	c, err := play.Arrive(ctx, d.chat, name, language, d.out)
	if err != nil {
		return err
	}
	defer c.Leave()
	if err := c.Say(ctx, text); err != nil {
		return err
	}
	err = then(ctx, c)
	_, _ = fmt.Fprintln(d.out)
	return err
}

func (d *demo) kill(ctx context.Context) error {
	const customers = 5
	ctx, cancel := context.WithTimeout(ctx, 8*time.Minute)
	defer cancel()
	hush := play.Chatter(ctx, d.chat, customers, nil)
	err := d.endPods(ctx)
	total, lost := hush()
	if err := errors.Join(lost, err); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(d.out, "  %d customers said %d things meanwhile: each was acknowledged, and is stored once and in order\n", customers, total)
	return nil
}

func (d *demo) endPods(ctx context.Context) error {
	for _, role := range []string{"gateway", "router", "bot", "knowledge", "console", "archive", "bus"} {
		pod, err := d.stage.EndPod(ctx, namespace, desk, role)
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintln(d.out, "  ended", pod)
		if err := d.stage.WaitReady(ctx, namespace); err != nil {
			return err
		}
	}
	return nil
}

// burst brings more customers than one bot worker has slots for. Most of them leave then: the others go on with the worker that remains.
func (d *demo) burst(ctx context.Context) error {
	const customers, patient = 45, 5
	ctx, cancel := context.WithTimeout(ctx, 8*time.Minute)
	defer cancel()
	_, _ = fmt.Fprintf(d.out, "  %d customers come at once; a worker has 20 slots\n", customers)
	come := make(chan error, 1)
	var crowd play.Crowd
	go func() {
		var err error
		crowd, err = play.Gather(ctx, d.chat, "How long does delivery take?", customers, d.out)
		come <- err
	}()
	grown := d.stage.Workers(ctx, namespace, bots, "a third worker", func(ready int32) bool { return ready >= 3 })
	if err := errors.Join(<-come, grown); err != nil {
		return err
	}
	stay := crowd[:patient]
	defer stay.Leave()
	_, _ = fmt.Fprintf(d.out, "  %d of them leave, %d stay; fewer workers remain when the need has been lower for a minute\n", customers-patient, patient)
	if err := crowd[patient:].End(ctx); err != nil {
		return err
	}
	if err := d.stage.Workers(ctx, namespace, bots, "one worker", func(ready int32) bool { return ready == 1 }); err != nil {
		return err
	}
	if err := stay.Ask(ctx, "How do I return an item?"); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(d.out, "  the %d who stayed asked something else, and were answered by the worker that is left\n", patient)
	return nil
}

func (d *demo) show(ctx context.Context) error {
	fleet, err := d.stage.Fleet(ctx, namespace)
	if err != nil {
		return err
	}
	console, _, err := d.stage.Address(ctx, namespace, desk+"-console")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(d.out, "%s\n  Chat:    %s/\n  Console: %s/console  (sign in with a token of config/samples/shop/tokens.yaml)\n  make demo-down removes all of it.\n", fleet, d.chat, console)
	return err
}

// remove what the demo made: the desk, and the cluster where it is ours.
func remove(ctx context.Context, s *stage.Stage) error {
	if os.Getenv("CLUSTER") != "existing" {
		return s.Make(ctx, "cluster-down")
	}
	_, err := s.Kubectl(ctx, nil, "delete", "namespace", namespace, "--ignore-not-found")
	return errors.Join(err, s.Make(ctx, "undeploy"))
}
