package cli

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/deskfleet/deskfleet/internal/conversation"
)

// cluster is a kubectl whose answers are files, and that forwards to an address. It notes how it is called.
type cluster struct {
	t   *testing.T
	dir string
}

func newCluster(t *testing.T, address string) *cluster {
	t.Helper()
	c := &cluster{t: t, dir: t.TempDir()}
	c.has("address", strings.TrimPrefix(address, "http://"))
	c.has("kubectl", `#!/bin/sh
cd "$(dirname "$0")"
echo "$@" >> calls
for arg; do case $arg in
servicedesks.deskfleet.dev) kind=desks ;;
agentpools.deskfleet.dev) kind=pool ;;
secrets) kind=secret ;;
port-forward)
	[ -f refuses ] && { cat refuses >&2; exit 1; }
	echo "Forwarding from $(cat address) -> 8080"
	exec sleep 600 ;;
esac; done
[ -f $kind ] && exec cat $kind
echo "Error from server (Forbidden): $kind is forbidden" >&2
exit 1
`)
	if err := os.Chmod(filepath.Join(c.dir, "kubectl"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBECTL", filepath.Join(c.dir, "kubectl"))
	return c
}

func (c *cluster) has(file, content string) {
	c.t.Helper()
	if err := os.WriteFile(filepath.Join(c.dir, file), []byte(content), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) hasDesks(names ...string) {
	c.t.Helper()
	items := make([]string, len(names))
	for i, name := range names {
		items[i] = fmt.Sprintf(`{"metadata":{"name":%q},"spec":{"profile":"Distributed","agentsAuth":{"tokensSecretRef":{"name":"shop-agents"}}}}`, name)
	}
	c.has("desks", `{"items":[`+strings.Join(items, ",")+`]}`)
}

func (c *cluster) hasTokens(yaml string) {
	c.t.Helper()
	c.has("secret", fmt.Sprintf(`{"data":{"tokens.yaml":%q}}`, base64.StdEncoding.EncodeToString([]byte(yaml))))
}

func (c *cluster) calls() string {
	c.t.Helper()
	data, err := os.ReadFile(filepath.Join(c.dir, "calls"))
	if err != nil {
		c.t.Fatal(err)
	}
	return string(data)
}

// explainsInCluster asks why as a plugin of kubectl does.
func explainsInCluster(t *testing.T, address string, id conversation.ID, token string) {
	t.Helper()
	c := newCluster(t, address)
	c.hasDesks("shop")
	c.hasTokens("- {name: mei, role: agent, token: example-token-of-mei}\n- {name: sara, role: supervisor, token: " + token + "}\n")
	status, stdout, stderr := command(t, "", "why", string(id), "-n", "shop", "--context", "staging")
	if status != 0 || !strings.Contains(stdout, "Conversation "+string(id)) || !strings.Contains(stderr, "Reads ServiceDesk shop as sara (supervisor).") {
		t.Fatalf("status %d\n%s\n%s", status, stdout, stderr)
	}
	if strings.Contains(stdout+stderr+c.calls(), token) {
		t.Error("the token was printed, or stood on a command line")
	}
	want := `--namespace=shop --context=staging get servicedesks.deskfleet.dev -o json
--namespace=shop --context=staging get secrets shop-agents -o json
--namespace=shop --context=staging port-forward --address=127.0.0.1 service/shop-console :80
`
	if got := c.calls(); got != want {
		t.Errorf("kubectl was called as\n%sexpected\n%s", got, want)
	}
	c.has("refuses", "E1120 18:30:37.5 13754 memcache.go:381] no luck\nerror: unable to forward port because pod is not running\n") // behind what client-go logs
	for _, row := range []struct {
		prepare func()
		args    []string
		says    string
	}{
		{nil, nil, "reach the console of ServiceDesk shop: kubectl: unable to forward port because pod is not running"},
		{nil, []string{"--agent", "nobody"}, "secret shop-agents has no token of nobody"},
		{func() { c.hasDesks("shop", "other") }, nil, "the namespace has 2 desks, shop, other: choose one with --desk"},
		{func() { c.hasDesks() }, nil, "the namespace has no ServiceDesk: name another namespace with -n"},
		{func() { c.hasDesks("shop"); c.hasTokens("- {name: mei, role: agent, token: t}") }, nil, "has no token of a supervisor"},
		{func() { c.hasTokens("secret-text") }, nil, "is no list of {name, role, token}"},
		{func() { _ = os.Remove(filepath.Join(c.dir, "secret")) }, nil, "secret is forbidden; give a token of yours with --token-file or --token-env"},
		{func() { t.Setenv("KUBECTL", "no-such-kubectl") }, nil, "no-such-kubectl is not found: put kubectl into PATH"},
	} {
		if row.prepare != nil {
			row.prepare()
		}
		status, _, stderr := command(t, "", append([]string{"why", string(id)}, row.args...)...)
		if status != 1 || !strings.Contains(stderr, row.says) || strings.Contains(stderr, "secret-text") {
			t.Errorf("%v: status %d, %q, expected 1 with %q", row.args, status, stderr, row.says)
		}
	}
}

func TestWhyUsage(t *testing.T) {
	for _, row := range []struct {
		args   []string
		status int
		says   string
	}{
		{[]string{"why"}, 2, "0 arguments: give the id of one conversation"},
		{[]string{"why", "x", "-o", "yaml"}, 2, `--output is "yaml": use table or json`},
		{[]string{"why", "x", "--url", "http://localhost:1"}, 2, "--url needs --token-file or --token-env"},
		{[]string{"why", "x", "--url", "http://localhost:1", "--token-env", "T", "-n", "shop"}, 2, "leave out --desk, --agent"},
		{[]string{"why", "x", "--token-env", "T", "--agent", "mei"}, 2, "either --agent or a token"},
		{[]string{"why", "x", "--token-env", "T", "--token-file", "f"}, 2, "either --token-file or --token-env"},
		{[]string{"why", "01KAJ3T1Q6S4V9D2N8X5C7B0ZM", "--url", "http://localhost:1", "--token-env", "NO_SUCH_TOKEN"}, 1, "the variable NO_SUCH_TOKEN is empty"},
		{[]string{"why", "x", "--url", "http://localhost:1", "--token-file", "-"}, 1, `"x" is no conversation: name it by its id`},
	} {
		status, _, stderr := command(t, "a token", row.args...)
		if status != row.status || !strings.Contains(stderr, row.says) {
			t.Errorf("%v: status %d, %q, expected %d with %q", row.args, status, stderr, row.status, row.says)
		}
	}
}

// Installed as kubectl-desk the binary is a plugin, and calls itself so.
func TestPluginNamesItself(t *testing.T) {
	for arg0, name := range map[string]string{
		"/usr/local/bin/deskfleet": "deskfleet", "/home/ann/.krew/bin/kubectl-desk": "kubectl desk", `kubectl-desk.exe`: "kubectl desk",
	} {
		var stdout, stderr strings.Builder
		run(t.Context(), calledAs(arg0), []string{"why", "--help"}, strings.NewReader(""), &stdout, &stderr)
		if !strings.Contains(stdout.String(), "\n  "+name+" why CONVERSATION [flags]") {
			t.Errorf("%s prints\n%s", arg0, &stdout)
		}
		if status := run(t.Context(), calledAs(arg0), []string{"why"}, strings.NewReader(""), &stdout, &stderr); status != 2 || !strings.Contains(stderr.String(), "See '"+name+" --help'.") {
			t.Errorf("%s: status %d, %s", arg0, status, &stderr)
		}
	}
}
