package render_test

import (
	"bytes"
	"strconv"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/deskfleet/deskfleet/internal/render"
)

// workload is what Deployments and StatefulSets have in common.
type workload struct {
	kind, name string
	selector   *metav1.LabelSelector
	template   corev1.PodTemplateSpec
	claims     []corev1.PersistentVolumeClaim
	service    string
}

func workloadsOf(t interface{ Fatal(...any) }, children []*unstructured.Unstructured) []workload {
	var all []workload
	for _, child := range children {
		switch child.GetKind() {
		case "Deployment":
			var d appsv1.Deployment
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(child.Object, &d); err != nil {
				t.Fatal(err)
			}
			all = append(all, workload{kind: "Deployment", name: d.Name, selector: d.Spec.Selector, template: d.Spec.Template})
		case "StatefulSet":
			var s appsv1.StatefulSet
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(child.Object, &s); err != nil {
				t.Fatal(err)
			}
			all = append(all, workload{
				kind: "StatefulSet", name: s.Name, selector: s.Spec.Selector, template: s.Spec.Template,
				claims: s.Spec.VolumeClaimTemplates, service: s.Spec.ServiceName,
			})
		}
	}
	return all
}

// TestPodsAreSafe looks at every pod of every case.
func TestPodsAreSafe(t *testing.T) {
	for _, r := range renderings(t) {
		workloads := workloadsOf(t, r.children)
		if len(workloads) == 0 {
			t.Errorf("%s renders no workload", r.name)
		}
		for _, w := range workloads {
			t.Run(r.name+"/"+w.name, func(t *testing.T) {
				for _, rule := range podRules {
					if !rule.holds(&w.template.Spec, &w.template.Spec.Containers[0]) {
						t.Error(rule.what)
					}
				}
				for key, value := range w.selector.MatchLabels {
					if w.template.Labels[key] != value {
						t.Errorf("the selector wants %s=%s, the pods have %q", key, value, w.template.Labels[key])
					}
				}
			})
		}
	}
}

type podRule struct {
	what  string
	holds func(*corev1.PodSpec, *corev1.Container) bool
}

// podRules are Pod Security "restricted" and what a good neighbour does besides.
var podRules = []podRule{
	{"there is one container and no other", func(p *corev1.PodSpec, _ *corev1.Container) bool {
		return len(p.Containers) == 1 && len(p.InitContainers) == 0 && len(p.EphemeralContainers) == 0
	}},
	{"runs as somebody who is not root", func(p *corev1.PodSpec, c *corev1.Container) bool {
		return *p.SecurityContext.RunAsNonRoot && *p.SecurityContext.RunAsUser > 0 && c.SecurityContext.RunAsUser == nil && c.SecurityContext.RunAsNonRoot == nil
	}},
	{"seccomp is RuntimeDefault", func(p *corev1.PodSpec, c *corev1.Container) bool {
		return p.SecurityContext.SeccompProfile.Type == corev1.SeccompProfileTypeRuntimeDefault && c.SecurityContext.SeccompProfile == nil
	}},
	{"no escalation, no privilege, no capability", func(_ *corev1.PodSpec, c *corev1.Container) bool {
		s := c.SecurityContext
		return !*s.AllowPrivilegeEscalation && s.Privileged == nil && len(s.Capabilities.Drop) == 1 && s.Capabilities.Drop[0] == "ALL" && len(s.Capabilities.Add) == 0
	}},
	{"the root file system is read-only", func(_ *corev1.PodSpec, c *corev1.Container) bool { return *c.SecurityContext.ReadOnlyRootFilesystem }},
	{"nothing of the host", func(p *corev1.PodSpec, c *corev1.Container) bool {
		for i := range p.Volumes {
			if p.Volumes[i].HostPath != nil {
				return false
			}
		}
		for i := range c.Ports {
			if c.Ports[i].HostPort != 0 {
				return false
			}
		}
		return !p.HostNetwork && !p.HostPID && !p.HostIPC
	}},
	{"no token of the API server", func(p *corev1.PodSpec, _ *corev1.Container) bool { return !*p.AutomountServiceAccountToken }},
	{"requests and limits of CPU and memory, requests not above limits", func(_ *corev1.PodSpec, c *corev1.Container) bool {
		for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
			request, limit := c.Resources.Requests[name], c.Resources.Limits[name]
			if request.Sign() <= 0 || request.Cmp(limit) > 0 {
				return false
			}
		}
		return true
	}},
	{"GOMEMLIMIT is under the memory limit, and more than half of it", func(_ *corev1.PodSpec, c *corev1.Container) bool {
		limit := c.Resources.Limits[corev1.ResourceMemory]
		for _, e := range c.Env {
			if e.Name == "GOMEMLIMIT" {
				n, err := strconv.ParseInt(e.Value, 10, 64)
				return err == nil && n < limit.Value() && n > limit.Value()/2
			}
		}
		return false
	}},
	{"probes for start, life and readiness", func(_ *corev1.PodSpec, c *corev1.Container) bool {
		return c.StartupProbe != nil && c.LivenessProbe != nil && c.ReadinessProbe != nil
	}},
	{"the grace is longer than preStop, so that there is time to drain", func(p *corev1.PodSpec, c *corev1.Container) bool {
		preStop := int64(0)
		if c.Lifecycle != nil {
			preStop = c.Lifecycle.PreStop.Sleep.Seconds
		}
		return *p.TerminationGracePeriodSeconds >= preStop+20
	}},
	{"every mount has its volume, and every volume is mounted", func(p *corev1.PodSpec, c *corev1.Container) bool {
		volumes := map[string]bool{"data": true} // of a claim template
		for i := range p.Volumes {
			volumes[p.Volumes[i].Name] = true
		}
		mounted := map[string]bool{}
		for _, m := range c.VolumeMounts {
			if !volumes[m.Name] {
				return false
			}
			mounted[m.Name] = true
		}
		for i := range p.Volumes {
			if !mounted[p.Volumes[i].Name] {
				return false
			}
		}
		return true
	}},
	{"only volumes for data are writable", func(_ *corev1.PodSpec, c *corev1.Container) bool {
		for _, m := range c.VolumeMounts {
			if m.ReadOnly == (m.Name == "data") {
				return false
			}
		}
		return true
	}},
	{"a Secret that the user brings is optional", func(p *corev1.PodSpec, _ *corev1.Container) bool {
		for i := range p.Volumes {
			v := &p.Volumes[i]
			if (v.Name == "tokens" || v.Name == "bus" || v.Name == "postgres") && (v.Secret.Optional == nil || !*v.Secret.Optional) {
				return false
			}
		}
		return true
	}},
}

// TestNothingSecretIsRendered: what Secrets hold stands in none of the children.
func TestNothingSecretIsRendered(t *testing.T) {
	for _, r := range renderings(t) {
		if r.name == "full" && len(r.objects.Secrets) == 0 {
			t.Error("the full case has no Secret, so it proves nothing")
		}
		text := r.text(t)
		for _, secret := range r.objects.Secrets {
			for key, value := range secret.Data {
				for line := range bytes.Lines(value) {
					if bytes.Contains(text, bytes.TrimSpace(line)) {
						t.Errorf("%s: a line of key %s of Secret %s stands in a child", r.name, key, secret.Name)
					}
				}
			}
			if bytes.Contains(text, []byte("canary")) {
				t.Errorf("%s: the token of Secret %s stands in a child", r.name, secret.Name)
			}
		}
		for _, child := range r.children {
			if child.GetKind() != "Secret" {
				continue
			}
			for _, field := range []string{"data", "stringData"} {
				if _, there := child.Object[field]; there {
					t.Errorf("%s: Secret %s is rendered with %s", r.name, child.GetName(), field)
				}
			}
		}
	}
}

// TestEverySelectorFindsItsPods: Services, budgets and policies that select
// nothing would be silently without effect.
func TestEverySelectorFindsItsPods(t *testing.T) {
	for _, r := range renderings(t) {
		var pods []map[string]string
		for _, w := range workloadsOf(t, r.children) {
			pods = append(pods, w.template.Labels)
		}
		for _, child := range r.children {
			for _, path := range [][]string{{"spec", "selector"}, {"spec", "selector", "matchLabels"}, {"spec", "podSelector", "matchLabels"}} {
				selector, found, err := unstructured.NestedStringMap(child.Object, path...)
				if err != nil || !found {
					continue
				}
				if !selects(selector, pods) {
					t.Errorf("%s: %s %s selects no pod by %v", r.name, child.GetKind(), child.GetName(), selector)
				}
			}
		}
	}
}

func selects(selector map[string]string, pods []map[string]string) bool {
	for _, pod := range pods {
		all := true
		for key, value := range selector {
			all = all && pod[key] == value
		}
		if all {
			return true
		}
	}
	return false
}

// TestRenderingIsRepeatable: children in another order, or with other bytes,
// would be writes for nothing.
func TestRenderingIsRepeatable(t *testing.T) {
	first, second := renderings(t), renderings(t)
	for i := range first {
		if !bytes.Equal(first[i].text(t), second[i].text(t)) {
			t.Errorf("%s is rendered differently the second time", first[i].name)
		}
	}
}

// TestKnowledgeOverSeveralShards: each shard is an object of its own, and every knowledge pod mounts all that there may be.
func TestKnowledgeOverSeveralShards(t *testing.T) {
	r := rendered(t, "testdata/minimal.in.yaml")
	desk := *r.plans.Desks[0]
	desk.Shards = nil
	for i := range render.KnowledgeShards {
		desk.Shards = append(desk.Shards, map[string][]byte{"part." + strconv.Itoa(i): {byte(i)}})
	}
	shards := map[string]bool{}
	for _, child := range r.settings.Children(&desk) {
		if content, ok := child.Object["binaryData"].(map[string]any); ok && len(content) == 1 {
			shards[child.GetName()] = true
		}
	}
	for i := range render.KnowledgeShards {
		if name := render.KnowledgeShardName(desk.Owner.Name, i); !shards[name] {
			t.Errorf("shard %d is not rendered as ConfigMap %s", i, name)
		}
	}
	for _, w := range workloadsOf(t, r.children) {
		for _, v := range w.template.Spec.Volumes {
			if v.Name == "knowledge" && len(v.Projected.Sources) != render.KnowledgeShards {
				t.Errorf("%s mounts %d shards of %d", w.name, len(v.Projected.Sources), render.KnowledgeShards)
			}
		}
	}
}
