package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/e2e/play"
	"github.com/deskfleet/deskfleet/internal/explain"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
)

const shop = "../../config/samples/shop"

// output of a command that runs.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(data []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(data)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// runDesk runs "deskfleet desk" with manifests, and gives its address.
func runDesk(t *testing.T, manifests string) (address string) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var stdout, stderr output
	ended := make(chan int, 1)
	go func() {
		ended <- Run(ctx, []string{"desk", "-f", manifests, "--listen", "127.0.0.1:0", "--data", t.TempDir()}, strings.NewReader(""), &stdout, &stderr)
	}()
	t.Cleanup(func() {
		stop()
		if status := eventually.Receive(t, "the desk ends", ended); status != 0 {
			t.Errorf("the desk ended with %d:\n%s", status, &stderr)
		}
	})
	chat := regexp.MustCompile(`Chat: +(http://[^/]+)/`)
	eventually.True(t, "the desk is ready", func() bool {
		if m := chat.FindStringSubmatch(stdout.String()); m != nil {
			address = m[1]
		}
		return address != ""
	})
	return address
}

// The play of the demo, against a desk of one process: priority, skills, overflow, and why by the command line, of
// conversations that are open and of those that are archived.
func TestRoutingIsExplained(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs a whole desk")
	}
	address := runDesk(t, shop)
	token := func(agent string) (string, error) { return play.SampleToken(shop, agent) }
	sara, err := token("sara")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "sara")
	if err := os.WriteFile(file, []byte(sara+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var asked []conversation.ID
	ask := func(id conversation.ID, more ...string) (string, error) {
		status, stdout, stderr := command(t, "", append([]string{"why", string(id), "--url", address, "--token-file", file}, more...)...)
		if status != 0 {
			return "", fmt.Errorf("status %d: %s", status, stderr)
		}
		return stdout, nil
	}
	scene := &play.Scene{Chat: address, Console: address, Token: token, Out: io.Discard, Why: func(_ context.Context, id conversation.ID) (string, error) {
		asked = append(asked, id)
		return ask(id)
	}}
	if testing.Verbose() {
		scene.Out = t.Output()
	}
	why, err := scene.Routing(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, patterns := range map[string][]string{
		"Vera": {`came by web to queue bot`, `waits in queue vip with priority 80`, `offered to lin of shop-people`, `score 8\d(\.\d)? = priority 80 \+ \S+ for .* in queue vip`,
			`preferred senior not met`, `lin: .*idle longest`, `lin of shop-people accepted`},
		"Ben": {`waits in queue refunds with priority 60: escalated by rule refunds`, `the customer was told of a later answer`,
			`overflow of queue refunds: no agent who may serve it is there`, `score 6\d(\.\d)? = priority 60`, `refund \d ≥ \d`, `(?s)offered to .* accepted`},
	} {
		for _, pattern := range patterns {
			if !regexp.MustCompile(pattern).MatchString(why[name]) {
				t.Errorf("why %s does not match %q:\n%s", name, pattern, why[name])
			}
		}
	}
	ben := asked[1]
	explainsInCluster(t, address, ben, sara)
	if _, err := ask(conversation.ID("01KAJ3T1Q6S4V9D2N8X5C7B0ZM")); err == nil || !strings.Contains(err.Error(), "the desk has no conversation 01KAJ3T1Q6S4V9D2N8X5C7B0ZM") {
		t.Errorf("an unknown conversation gives %v", err)
	}
	var story explain.Story
	eventually.Nil(t, "the conversation is archived and explained", func() error {
		text, err := ask(ben, "-o", "json")
		if err == nil {
			err = json.Unmarshal([]byte(text), &story)
		}
		if err == nil && story.Conversation.EndedAt.IsZero() {
			err = fmt.Errorf("it has not ended in %s", text)
		}
		return err
	})
	types := map[conversation.Type]bool{}
	for _, d := range story.Decisions {
		types[d.Type] = true
		if d.Type == conversation.TypeOffered && (len(d.Why) < 3 || !strings.HasPrefix(d.Why[0], "score ")) {
			t.Errorf("the archived offer says %q", d.Why)
		}
	}
	for _, want := range []conversation.Type{"opened", "queued", "callbackOffered", "offered", "accepted", "closed"} {
		if !types[want] {
			t.Errorf("the archived story lacks %s: %+v", want, story.Decisions)
		}
	}
}
