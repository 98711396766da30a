package load

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// Desk is a desk of the bench's own: one process, beside this one.
type Desk struct {
	URL    string
	Tokens []string
	Watch  Watch

	command *exec.Cmd
	drained chan struct{}
}

// most slots of an agent that the API allows.
const mostSlots = 200

const manifests = `apiVersion: deskfleet.dev/v1alpha1
kind: ServiceDesk
metadata: {name: bench}
spec:
  channels: {webChat: {messagesPerMinute: 600}}
  agentsAuth: {tokensSecretRef: {name: agents}}
---
apiVersion: deskfleet.dev/v1alpha1
kind: AgentPool
metadata: {name: people}
spec:
  deskRef: {name: bench}
  type: Human
  concurrency: %d
  human: {members: [%s], queues: [general]}
---
apiVersion: v1
kind: Secret
metadata: {name: agents}
stringData:
  tokens.yaml: |
%s`

// OpenDesk starts "deskfleet desk" by the program's own binary, with so many
// agents, who together have slots for so many conversations, and stores in a folder.
func OpenDesk(ctx context.Context, binary, folder string, agents, conversations int) (*Desk, error) {
	d := &Desk{drained: make(chan struct{})}
	names := make([]string, 0, agents)
	var tokens strings.Builder
	for i := range agents {
		name := fmt.Sprintf("agent-%d", i)
		token := rand.Text()
		names, d.Tokens = append(names, name), append(d.Tokens, token)
		_, _ = fmt.Fprintf(&tokens, "    - {name: %s, role: agent, token: %s}\n", name, token)
	}
	// A half more than there are conversations: agents are asked while others hang up.
	slots := max(1, (conversations*3/2+agents-1)/agents)
	if slots > mostSlots {
		return nil, fmt.Errorf("%d agents cannot hold %d conversations, as one holds at most %d: use more agents", agents, conversations, mostSlots)
	}
	file := filepath.Join(folder, "desk.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, manifests, slots, strings.Join(names, ", "), tokens.String()), 0o600); err != nil {
		return nil, err
	}
	//nolint:gosec // it is this program
	d.command = exec.CommandContext(context.WithoutCancel(ctx), binary, "desk", "-f", file, "--listen", "127.0.0.1:0", "--data", filepath.Join(folder, "desk"))
	d.command.Stderr = os.Stderr
	stdout, err := d.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := d.command.Start(); err != nil {
		return nil, fmt.Errorf("start a desk: %w", err)
	}
	if d.URL, err = address(stdout); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	go func() {
		defer close(d.drained)
		_, _ = io.Copy(io.Discard, stdout)
	}()
	d.Watch = Process{Role: "desk", PID: d.command.Process.Pid}
	return d, nil
}

var chatLine = regexp.MustCompile(`Chat: +(http://[^/ ]+)`)

// address reads what the desk prints until it says where it is.
func address(out io.Reader) (string, error) {
	scanner := bufio.NewScanner(out)
	for scanner.Scan() {
		if found := chatLine.FindStringSubmatch(scanner.Text()); found != nil {
			return found[1], nil
		}
	}
	return "", errors.Join(errors.New("the desk ended before it was ready"), scanner.Err())
}

// Close ends the desk and waits for its end.
func (d *Desk) Close() error {
	if err := d.command.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	kill := time.AfterFunc(20*time.Second, func() { _ = d.command.Process.Kill() })
	defer kill.Stop()
	return d.command.Wait()
}
