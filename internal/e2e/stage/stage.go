// Package stage is what the demo and the end-to-end tests do with a cluster:
// deploy the operator, apply a tenant, wait, reach a desk, end pods.
package stage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// Stage is a cluster with what it takes to use it.
type Stage struct {
	root     string
	existing bool
	out      io.Writer
}

// Open finds the repository; the variable CLUSTER says which cluster is meant,
// "local" (the default) or "existing". Progress goes to out.
func Open(out io.Writer) (*Stage, error) {
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		return nil, errors.New("the source file of this package is unknown")
	}
	s := &Stage{root: filepath.Join(filepath.Dir(file), "..", "..", ".."), out: out}
	switch cluster := os.Getenv("CLUSTER"); cluster {
	case "", "local":
	case "existing":
		s.existing = true
	default:
		return nil, fmt.Errorf("CLUSTER is %q: use local or existing", cluster)
	}
	return s, nil
}

// Root is the folder of the repository.
func (s *Stage) Root() string { return s.root }

// Out receives progress.
func (s *Stage) Out() io.Writer { return s.out }

// Make runs targets of the Makefile and shows their output.
func (s *Stage) Make(ctx context.Context, targets ...string) error {
	command := s.command(ctx, "make", targets...)
	command.Stdout, command.Stderr = s.out, s.out
	if err := command.Run(); err != nil {
		return fmt.Errorf("make %s: %w", strings.Join(targets, " "), err)
	}
	return nil
}

// Up starts the cluster unless it runs or is somebody else's, and deploys CRDs
// and operator. What down ends is only what Up began.
func (s *Stage) Up(ctx context.Context) (down func(context.Context) error, err error) {
	down = func(context.Context) error { return nil }
	targets := []string{"install", "deploy"}
	if !s.existing && s.Make(ctx, "cluster-status") != nil {
		targets = append([]string{"cluster"}, targets...)
		down = func(ctx context.Context) error { return s.Make(ctx, "cluster-down") }
	}
	if err := s.Make(ctx, targets...); err != nil {
		return nil, errors.Join(err, down(context.WithoutCancel(ctx)))
	}
	return down, nil
}

// Kubectl runs kubectl and returns what it prints; stdin may be nil.
func (s *Stage) Kubectl(ctx context.Context, stdin io.Reader, args ...string) (string, error) {
	command := s.command(ctx, filepath.Join("hack", "kubectl.sh"), args...)
	var stdout, stderr bytes.Buffer
	command.Stdin, command.Stdout, command.Stderr = stdin, &stdout, &stderr
	if err := command.Run(); err != nil {
		return stdout.String(), fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}

func (s *Stage) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, name, args...) //nolint:gosec // the commands are this repository's own
	command.Dir = s.root
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = 10 * time.Second
	return command
}

// Namespace makes a namespace whose pods must pass Pod Security "restricted".
func (s *Stage) Namespace(ctx context.Context, name string) error {
	_, err := s.Kubectl(ctx, strings.NewReader(fmt.Sprintf(
		`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":%q,"labels":{"pod-security.kubernetes.io/enforce":"restricted"}}}`, name)),
		"apply", "-f", "-")
	return err
}

// Fleet is "kubectl get" of the four kinds.
func (s *Stage) Fleet(ctx context.Context, namespace string) (string, error) {
	return s.Kubectl(ctx, nil, "-n", namespace, "get", "desk,pool,kb,escpol")
}

// WaitReady waits until all objects of the four kinds in a namespace are Ready, and shows what changes meanwhile.
func (s *Stage) WaitReady(ctx context.Context, namespace string) error {
	const query = `jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.generation} {.status.conditions[?(@.type=="Ready")].observedGeneration} ` +
		`{.status.conditions[?(@.type=="Ready")].status} {.status.conditions[?(@.type=="Ready")].message}{"\n"}{end}`
	var shown string
	for {
		text, err := s.Kubectl(ctx, nil, "-n", namespace, "get", "desk,pool,kb,escpol", "-o", query)
		if err != nil {
			return err
		}
		waiting := unready(text)
		if waiting == "" && text != "" {
			return nil
		}
		if waiting != shown {
			shown = waiting
			_, _ = fmt.Fprintln(s.out, waiting)
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return fmt.Errorf("not ready in time: %s", waiting)
		}
	}
}

// unready are the lines of objects that are not ready with the spec that they have now.
func unready(text string) string {
	var waiting []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		fields := strings.SplitN(line, " ", 5)
		if len(fields) < 4 || fields[1] != fields[2] || fields[3] != "True" {
			waiting = append(waiting, "  waiting for "+line)
		}
	}
	return strings.Join(waiting, "\n")
}

// EndPod deletes one pod of a role as an eviction would, and returns its name.
func (s *Stage) EndPod(ctx context.Context, namespace, desk, role string) (string, error) {
	pods, err := s.Kubectl(ctx, nil, "-n", namespace, "get", "pods", "-l", "deskfleet.dev/desk="+desk+",app.kubernetes.io/component="+role,
		"--field-selector=status.phase=Running", "-o", "name")
	if err != nil {
		return "", err
	}
	pod, _, _ := strings.Cut(strings.TrimSpace(pods), "\n")
	if pod == "" {
		return "", fmt.Errorf("desk %s has no running pod of role %s", desk, role)
	}
	_, err = s.Kubectl(ctx, nil, "-n", namespace, "delete", pod, "--wait=false")
	return pod, err
}
