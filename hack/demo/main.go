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
	"sync"
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
		{"A pod of each role ends while customers talk", d.kill},
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
}

func (d *demo) up(ctx context.Context) error {
	_, err := d.stage.Up(ctx) // the cluster stays, to be looked at
	return err
}

func (d *demo) apply(ctx context.Context) error {
	if err := d.stage.Namespace(ctx, namespace); err != nil {
		return err
	}
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
	for _, q := range []struct{ name, language, text string }{
		{"Anna", "en", "How long does delivery take?"},
		{"小明", "zh", "怎么退货？"},
	} {
		if err := d.dialogue(ctx, q.name, q.language, q.text, func(ctx context.Context, c *play.Customer) error {
			_, err := c.Expect(ctx, "an answer that cites an entry", func(m *chatwire.Message) bool { return m.Entry != nil })
			return err
		}); err != nil {
			return err
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
	talking, hush := context.WithCancel(ctx)
	defer hush()
	var work sync.WaitGroup
	results := make([]error, customers)
	said := make([]int, customers)
	for i := range customers {
		work.Go(func() { said[i], results[i] = play.Talk(ctx, talking, d.chat, fmt.Sprintf("customer-%d", i)) })
	}
	err := d.endPods(ctx)
	hush()
	work.Wait()
	if err := errors.Join(errors.Join(results...), err); err != nil {
		return err
	}
	total := 0
	for _, n := range said {
		total += n
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
