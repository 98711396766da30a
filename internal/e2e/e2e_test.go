//go:build e2e

// Package e2e tests a desk on a real cluster: real pods, a real bus, a real
// database, and customers who notice when something is lost.
package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/e2e/play"
	"github.com/deskfleet/deskfleet/internal/e2e/stage"
	"github.com/deskfleet/deskfleet/internal/gateway/chatwire"
)

var theStage *stage.Stage

// TestMain starts a cluster with the operator, and ends the cluster unless it was up before.
func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
	defer cancel()
	var err error
	if theStage, err = stage.Open(os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	down, err := theStage.Up(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if err := down(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// tenant makes a namespace for one test and applies samples to it.
func tenant(t *testing.T, name string, files ...string) string {
	t.Helper()
	return newTenant(t, name, "", files...)
}

// tenantOf makes a namespace for one test and applies manifests to it.
func tenantOf(t *testing.T, name, manifests string) string {
	t.Helper()
	return newTenant(t, name, manifests)
}

func newTenant(t *testing.T, name, manifests string, files ...string) string {
	t.Helper()
	ctx := t.Context()
	if err := theStage.Namespace(ctx, name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
		defer cancel()
		if t.Failed() {
			for _, args := range [][]string{
				{"get", "desk,pool,kb,escpol,pods", "-o", "wide"},
				{"logs", "-l", "app.kubernetes.io/managed-by=deskfleet", "--tail=30", "--prefix"},
			} {
				text, _ := theStage.Kubectl(ctx, nil, append([]string{"-n", name}, args...)...)
				t.Log(text)
			}
		}
		if _, err := theStage.Kubectl(ctx, nil, "delete", "namespace", name, "--wait"); err != nil {
			t.Error(err)
		}
	})
	for _, file := range files {
		if _, err := theStage.Kubectl(ctx, nil, "-n", name, "apply", "-f", filepath.Join("config", "samples", file)); err != nil {
			t.Fatal(err)
		}
	}
	if manifests != "" {
		if _, err := theStage.Kubectl(ctx, strings.NewReader(manifests), "-n", name, "apply", "-f", "-"); err != nil {
			t.Fatal(err)
		}
	}
	ready, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	if err := theStage.WaitReady(ready, name); err != nil {
		t.Fatal(err)
	}
	return name
}

func address(t *testing.T, namespace, service string) string {
	t.Helper()
	url, stop, err := theStage.Address(t.Context(), namespace, service)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return url
}

func cites(id string) func(*chatwire.Message) bool {
	return func(m *chatwire.Message) bool { return m.Entry != nil && strings.HasPrefix(m.Entry.ID, id) }
}

func TestBotAnswersInBothLanguagesAndCites(t *testing.T) {
	namespace := tenant(t, "e2e-bot", "shop")
	chat := address(t, namespace, "shop-gateway")
	for _, row := range []struct{ language, question, entry string }{
		{"en", "How do I return an item?", "how-to-return-en"},
		{"zh", "怎么退货？", "how-to-return-zh"},
	} {
		t.Run(row.language, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			customer, err := play.Arrive(ctx, chat, "Anna", row.language, os.Stderr)
			if err != nil {
				t.Fatal(err)
			}
			defer customer.Leave()
			if err := customer.Say(ctx, row.question); err != nil {
				t.Fatal(err)
			}
			if _, err := customer.Expect(ctx, "an answer that cites "+row.entry, cites(row.entry)); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// The rules hand over to people, by what the customer says and in both languages; the agent sees what was said before.
func TestRulesHandOverToAnAgentWithTheDialogue(t *testing.T) {
	namespace := tenant(t, "e2e-rules", "shop")
	chat := address(t, namespace, "shop-gateway")
	token, err := play.SampleToken(filepath.Join(theStage.Root(), "config", "samples", "shop"), "mei")
	if err != nil {
		t.Fatal(err)
	}
	var seen transcript
	ended, leave := play.Agent(t.Context(), address(t, namespace, "shop-console"), token, &seen)
	for _, row := range []struct{ language, first, then string }{
		{"en", "How do I return an item?", "I want my money back for this order"},
		{"zh", "怎么退货？", "请转人工客服"},
	} {
		t.Run(row.language, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			customer, err := play.Arrive(ctx, chat, "Ben", row.language, os.Stderr)
			if err != nil {
				t.Fatal(err)
			}
			defer customer.Leave()
			if err := customer.Say(ctx, row.first); err != nil {
				t.Fatal(err)
			}
			if _, err := customer.Expect(ctx, "the bot's answer", cites("how-to-return-")); err != nil {
				t.Fatal(err)
			}
			if err := customer.Say(ctx, row.then); err != nil {
				t.Fatal(err)
			}
			if _, err := customer.Expect(ctx, "an answer of a person", func(m *chatwire.Message) bool { return m.From.Kind == conversation.KindAgent }); err != nil {
				t.Fatal(err)
			}
			for _, text := range []string{row.first, row.then} {
				if !seen.holds(text) {
					t.Errorf("the agent was not shown %q:\n%s", text, seen.String())
				}
			}
		})
	}
	leave()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// transcript is what an agent was shown.
type transcript struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *transcript) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *transcript) holds(text string) bool { return strings.Contains(s.String(), text) }

func (s *transcript) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// Every role's pods end one after the other under talking customers: what was acknowledged must be stored, once and in order.
func TestNothingIsLostWhilePodsEnd(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes minutes: run without -short")
	}
	namespace := tenant(t, "e2e-kill", "shop")
	chat := address(t, namespace, "shop-gateway")
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
	defer cancel()
	hush := play.Chatter(ctx, chat, 10, nil)
	for _, role := range []string{"gateway", "router", "bot", "knowledge", "console", "archive", "bus"} {
		pod, err := theStage.EndPod(ctx, namespace, "shop", role)
		if err != nil {
			t.Error(err)
			continue
		}
		t.Log("ended", pod)
		if err := theStage.WaitReady(ctx, namespace); err != nil {
			t.Error(err)
		}
	}
	if _, err := hush(); err != nil {
		t.Error(err)
	}
}

func TestBrokenObjectsTellTheirAuthorWhatToDo(t *testing.T) {
	for file, remedy := range map[string]string{
		"servicedesk.yaml": "add it there or name one of them", "agentpool.yaml": "name the members and the queues in spec.human",
		"knowledgebase.yaml": "spec.sources.inline[3].question", "escalationpolicy.yaml": "spec.rules[0].then.handoff",
	} {
		_, err := theStage.Kubectl(t.Context(), nil, "apply", "--dry-run=server", "-f", filepath.Join("config", "samples", "broken", file))
		if err == nil || !strings.Contains(err.Error(), remedy) {
			t.Errorf("%s: %v, expected a message with %q", file, err, remedy)
		}
	}
}

// A desk in one pod, and what is left of it when it is deleted: its volume, and nothing else.
func TestCompactDeskServesAndLeavesOnlyItsVolume(t *testing.T) {
	minimal, err := os.ReadFile(filepath.Join(theStage.Root(), "config", "samples", "minimal.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	const before = "  escalationPolicyRef: {name: hello}\n"
	compact := strings.Replace(string(minimal), before, before+"  profile: Compact\n", 1)
	if compact == string(minimal) {
		t.Fatal("the minimal sample has changed: the profile could not be set")
	}
	namespace := tenantOf(t, "e2e-compact", compact)
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	children, err := theStage.Kubectl(ctx, nil, "-n", namespace, "get", "-l", "app.kubernetes.io/managed-by=deskfleet", "-o", "name",
		"deployments,statefulsets,services,configmaps,secrets,serviceaccounts,networkpolicies,poddisruptionbudgets")
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(children, "\n"); n > 12 {
		t.Errorf("a compact desk has %d children, at most 12 are allowed:\n%s", n, children)
	}
	customer, err := play.Arrive(ctx, address(t, namespace, "hello-gateway"), "Anna", "en", os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	defer customer.Leave()
	if err := customer.Say(ctx, "What are your opening hours?"); err != nil {
		t.Fatal(err)
	}
	if _, err := customer.Expect(ctx, "an answer", func(m *chatwire.Message) bool { return m.Text != "" }); err != nil {
		t.Fatal(err)
	}
	if _, err := theStage.Kubectl(ctx, nil, "-n", namespace, "delete", "desk,pool,kb,escpol", "--all", "--wait"); err != nil {
		t.Fatal(err)
	}
	if _, err := theStage.Kubectl(ctx, nil, "-n", namespace, "wait", "--for=delete", "--timeout=2m", "-l", "app.kubernetes.io/managed-by=deskfleet",
		"deployments,statefulsets,services,configmaps,secrets,serviceaccounts,networkpolicies,poddisruptionbudgets"); err != nil {
		t.Error(err)
	}
	claims, err := theStage.Kubectl(ctx, nil, "-n", namespace, "get", "persistentvolumeclaims", "-o", "name")
	if err != nil || strings.Count(claims, "\n") != 1 {
		t.Errorf("the retained claims are %q (%v), expected one", claims, err)
	}
}

// The operator's rights are those that it needs: nothing was refused in all of the above.
func TestOperatorWasNeverForbidden(t *testing.T) {
	log, err := theStage.Kubectl(t.Context(), nil, "-n", "deskfleet-system", "logs", "deployment/deskfleet-manager")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(log) {
		// A namespace that is being deleted takes no events any more; that is no missing right.
		if strings.Contains(line, "forbidden") && !strings.Contains(line, "being terminated") {
			t.Error(line)
		}
	}
}
