package cli_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/deskfleet/deskfleet/internal/cli"
)

// TestRender runs the command as a pipeline does, which sees the exit status and
// the two streams.
func TestRender(t *testing.T) {
	samples := filepath.Join("..", "..", "config", "samples")
	minimal, err := os.ReadFile(filepath.Join(samples, "minimal.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	unreachable := strings.Replace(string(minimal), "queues: [general]", "queues: [vip]", 1)
	skilled := strings.Replace(string(minimal), "escalationPolicyRef: {name: hello}",
		"escalationPolicyRef: {name: hello}\n  queues: [{name: general, skills: [{name: refund, level: 4}], relax: [{after: 30s, lowerLevelsBy: 1, addPools: [backup]}]}]", 1)
	for _, row := range []struct {
		name  string
		args  []string
		stdin string
		// status is the exit status; says stands on standard error, renders on standard output.
		status  int
		says    []string
		renders []string
	}{
		{name: "a good file", args: []string{"-f", filepath.Join(samples, "minimal.yaml"), "--image", "example.com/deskfleet:v1"},
			renders: []string{"kind: Deployment", "name: hello-gateway", "image: example.com/deskfleet:v1", "kind: Secret"}},
		{name: "a folder", args: []string{"-f", filepath.Join(samples, "shop")}, renders: []string{"name: shop-config"}},
		{name: "standard input", args: []string{"-f", "-"}, stdin: string(minimal), renders: []string{"name: hello-bus"}},
		{name: "what only several objects show", args: []string{"-f", "-"}, stdin: unreachable, status: 1,
			says: []string{
				`ServiceDesk hello: spec.queues[0].name: queue "general" is served by no AgentPool of type Human`,
				"add the queue to spec.human.queues of an AgentPool of this desk",
				`AgentPool hello-people: spec.human.queues[0]: ServiceDesk hello has no queue "vip"`,
				"Error: 2 problems, see above",
			}, renders: []string{"name: hello-gateway"}},
		{name: "skills that nobody has", args: []string{"-f", "-"}, stdin: skilled, status: 1,
			says: []string{
				`ServiceDesk hello: spec.queues[0].skills: queue "general" requires refund at level 3 after all rings, and no member of AgentPool hello-people has that; nearest is alice of hello-people, who lacks refund`,
				"ServiceDesk hello: spec.queues[0].relax[0].addPools[0]: AgentPool backup of ServiceDesk hello does not exist in namespace default",
				"Error: 2 problems, see above",
			}, renders: []string{"name: hello-gateway"}},
		{name: "broken files", args: []string{"-f", filepath.Join(samples, "broken")}, status: 1,
			says: []string{"servicedesk.yaml:", "agentpool.yaml:", "knowledgebase.yaml:", "escalationpolicy.yaml:", "defaultQueue is refund, which is not among queues", "spec.rules[0].then.handoff: unknown field: did you mean handOff?"}},
		{name: "a file that is not there", args: []string{"-f", "no-such.yaml"}, status: 1, says: []string{"Error: ", "no-such.yaml"}},
		{name: "no YAML", args: []string{"-f", "-"}, stdin: "{", status: 1, says: []string{"not valid YAML"}},
		{name: "another image", args: []string{"-f", "-", "--image", "not an image"}, stdin: string(minimal), status: 2, says: []string{`Error: --image: image is "not an image"`, "use one like"}},
		{name: "a file without its flag", args: []string{"shop.yaml"}, status: 2, says: []string{`Error: "shop.yaml": deskfleet render takes no arguments`, "-f shop.yaml"}},
		{name: "workers", args: []string{"-f", "-"}, stdin: strings.Replace(string(minimal), "type: Bot", "type: Bot\n  replicas: 3", 1), renders: []string{"replicas: 3"}},
		{name: "roles that scale", args: []string{"-f", "-"}, stdin: strings.Replace(string(minimal), "escalationPolicyRef:", "gateway: {scaling: {min: 7, max: 9}}\n  escalationPolicyRef:", 1), renders: []string{"replicas: 7"}},
		{name: "no file", status: 2, says: []string{"Error: -f is missing", "--help"}},
		{name: "an unknown flag", args: []string{"--file", "x"}, status: 2, says: []string{"Error: unknown flag: --file", "--help"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			status := cli.Run(t.Context(), append([]string{"render"}, row.args...), strings.NewReader(row.stdin), &stdout, &stderr)
			if status != row.status {
				t.Errorf("exit status %d, expected %d; standard error:\n%s", status, row.status, &stderr)
			}
			for _, text := range row.says {
				if !strings.Contains(stderr.String(), text) {
					t.Errorf("standard error does not say %q:\n%s", text, &stderr)
				}
			}
			for _, text := range row.renders {
				if !strings.Contains(stdout.String(), text) {
					t.Errorf("standard output does not hold %q", text)
				}
			}
			if len(row.renders) == 0 && stdout.Len() > 0 {
				t.Errorf("something is rendered although the input is wrong:\n%s", &stdout)
			}
			for _, text := range []string{"ownerReferences", `uid: ""`, `"\u003c`, ": null\n"} {
				if strings.Contains(stdout.String(), text) {
					t.Errorf("standard output holds %s", text)
				}
			}
			for document := range strings.SplitSeq(stdout.String(), "\n---\n") {
				var object struct{ Kind string }
				if err := yaml.Unmarshal([]byte(document), &object); err != nil || (stdout.Len() > 0 && object.Kind == "") {
					t.Errorf("a document is no object (%v):\n%s", err, document)
				}
			}
		})
	}
}
