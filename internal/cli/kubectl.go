package cli

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/pflag"
	"sigs.k8s.io/yaml"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/console/tokens"
	"github.com/deskfleet/deskfleet/internal/render"
)

// kubectl reaches desks in a cluster as a plugin does: with the kubectl whose plugin it is, so that contexts, credential
// plugins and proxies are those that its user has set up.
type kubectl struct {
	namespace, context, kubeconfig string
}

func (k *kubectl) addFlags(f *pflag.FlagSet) {
	f.StringVarP(&k.namespace, "namespace", "n", "", "namespace of the desk; default: that of the context")
	f.StringVar(&k.context, "context", "", "context of the kubeconfig")
	f.StringVar(&k.kubeconfig, "kubeconfig", "", "path of the kubeconfig")
}

// binary is what the variable KUBECTL names, or kubectl.
func binary() string { return cmp.Or(os.Getenv("KUBECTL"), "kubectl") }

func (k *kubectl) command(ctx context.Context, args ...string) *exec.Cmd {
	var all []string
	for _, flag := range []struct{ name, value string }{{"--namespace", k.namespace}, {"--context", k.context}, {"--kubeconfig", k.kubeconfig}} {
		if flag.value != "" {
			all = append(all, flag.name+"="+flag.value)
		}
	}
	command := exec.CommandContext(ctx, binary(), append(all, args...)...) //nolint:gosec // whoever sets KUBECTL runs this, too
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = 5 * time.Second
	return command
}

// get reads an object, or a list, as JSON.
func (k *kubectl) get(ctx context.Context, into any, args ...string) error {
	command := k.command(ctx, slices.Concat([]string{"get"}, args, []string{"-o", "json"})...)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		return kubectlError(err, stderr.String())
	}
	if err := json.Unmarshal(stdout.Bytes(), into); err != nil {
		return fmt.Errorf("read what %s get %s printed: %w", binary(), args[0], err)
	}
	return nil
}

func kubectlError(err error, said string) error {
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("%s is not found: put kubectl into PATH, name it in the variable KUBECTL, or give the console's address with --url", binary())
	}
	if said = strings.TrimSpace(said); said != "" {
		// What it says in the end counts; above that its libraries log.
		return fmt.Errorf("kubectl: %s", strings.TrimPrefix(said[strings.LastIndexByte(said, '\n')+1:], "error: "))
	}
	return fmt.Errorf("kubectl: %w", err)
}

// desk by its name, or the only one of the namespace.
func (k *kubectl) desk(ctx context.Context, name string) (*v1alpha1.ServiceDesk, error) {
	const resource = "servicedesks.deskfleet.dev"
	if name != "" {
		desk := &v1alpha1.ServiceDesk{}
		return desk, k.get(ctx, desk, resource, name)
	}
	var list struct{ Items []v1alpha1.ServiceDesk }
	if err := k.get(ctx, &list, resource); err != nil {
		return nil, err
	}
	switch len(list.Items) {
	case 0:
		return nil, errors.New("the namespace has no ServiceDesk: name another namespace with -n")
	case 1:
		return &list.Items[0], nil
	}
	names := make([]string, len(list.Items))
	for i := range list.Items {
		names[i] = list.Items[i].Name
	}
	return nil, fmt.Errorf("the namespace has %d desks, %s: choose one with --desk", len(names), strings.Join(names, ", "))
}

// token of an agent of the desk, out of the Secret that the desk names; without a name that of the first supervisor, else
// of the first administrator. Whoever may read the Secret may do what the agent may. Errors hold no token.
func (k *kubectl) token(ctx context.Context, desk *v1alpha1.ServiceDesk, agent string) (agentToken, error) {
	if desk.Spec.AgentsAuth == nil {
		return agentToken{}, fmt.Errorf("ServiceDesk %s names no agentsAuth.tokensSecretRef: nobody can read it", desk.Name)
	}
	var secret struct{ Data map[string][]byte }
	name := string(desk.Spec.AgentsAuth.TokensSecretRef.Name)
	if err := k.get(ctx, &secret, "secrets", name); err != nil {
		return agentToken{}, fmt.Errorf("%w; give a token of yours with --token-file or --token-env", err)
	}
	var list []agentToken
	if yaml.Unmarshal(secret.Data["tokens.yaml"], &list) != nil { // the error may quote a token
		return agentToken{}, fmt.Errorf("the key tokens.yaml of Secret %s is no list of {name, role, token}", name)
	}
	for _, role := range []tokens.Role{tokens.RoleSupervisor, tokens.RoleAdmin} {
		for _, t := range list {
			if agent == "" && t.Role == string(role) || agent != "" && t.Name == agent {
				return t, nil
			}
		}
	}
	if agent != "" {
		return agentToken{}, fmt.Errorf("secret %s has no token of %s: --agent names one of its entries", name, agent)
	}
	return agentToken{}, fmt.Errorf("secret %s has no token of a supervisor, who may read all conversations: name an agent with --agent", name)
}

// forwarding is the line by which kubectl tells the port that it has chosen.
var forwarding = regexp.MustCompile(`^Forwarding from (127\.0\.0\.1:\d+) ->`)

// console opens a way to the desk's console. The way ends with stop.
func (k *kubectl) console(ctx context.Context, desk *v1alpha1.ServiceDesk) (url string, stop func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	service := "service/" + render.ConsoleServiceName(desk.Name, desk.Spec.Profile)
	command := k.command(ctx, "port-forward", "--address=127.0.0.1", service, ":80")
	var stderr bytes.Buffer
	command.Stderr = &stderr
	stdout, err := command.StdoutPipe()
	if err == nil {
		err = command.Start()
	}
	if err != nil {
		cancel()
		return "", nil, kubectlError(err, "")
	}
	stop = func() {
		cancel()
		_ = command.Wait() // ended by the signal
	}
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if m := forwarding.FindStringSubmatch(lines.Text()); m != nil {
			go func() { _, _ = io.Copy(io.Discard, stdout) }() // it tells of each connection, and must not block
			return "http://" + m[1], stop, nil
		}
	}
	err = command.Wait()
	cancel()
	return "", nil, fmt.Errorf("reach the console of ServiceDesk %s: %w", desk.Name, kubectlError(cmp.Or(err, io.ErrUnexpectedEOF), stderr.String()))
}
