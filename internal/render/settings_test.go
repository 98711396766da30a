package render_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/render"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

func TestSettings(t *testing.T) {
	for _, row := range []struct{ name, file, problem string }{
		{"the least", "image: deskfleet:v1", ""},
		{"everything", "image: registry.example.com:5000/a/deskfleet@sha256:0123\nimagePullPolicy: Never\nimagePullSecrets: [a, b.c]\nstorageClassName: fast\n" +
			"logLevel: warn\nresources: {bot: {requests: {cpu: 1m, memory: 16Mi}, limits: {cpu: 1m, memory: 16Mi}}}", ""},
		{"nothing", "", "image is empty"},
		{"no image", "image: 'not an image'", `image is "not an image", which is no reference`},
		{"an unknown field", "image: a\nimages: b", `unknown field "images"`},
		{"a pull policy", "image: a\nimagePullPolicy: Sometimes", "use Always, IfNotPresent or Never"},
		{"a log level", "image: a\nlogLevel: loud", "use debug, info, warn or error"},
		{"a pull secret", "image: a\nimagePullSecrets: [My_Secret]", `"My_Secret", which is no name`},
		{"a storage class", "image: a\nstorageClassName: Fast", `"Fast", which is no name`},
		{"a role", "image: a\nresources: {gatway: {}}", `the role "gatway", which does not exist: use one of [archive bot`},
		{"a request above the limit", "image: a\nresources: {bus: {requests: {cpu: 2}, limits: {cpu: 1}}}", "resources.bus: requests.cpu is 2, above limits.cpu of 1: lower"},
		{"no memory", "image: a\nresources: {bus: {limits: {memory: 0}}}", "resources.bus: limits.memory is 0: give at least 16Mi"},
		{"negative CPU", "image: a\nresources: {bus: {requests: {cpu: -1}}}", "requests.cpu is -1: give at least 1m"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := render.ParseSettings([]byte(row.file))
			if row.problem == "" && err != nil {
				t.Error(err)
			}
			if row.problem != "" && (err == nil || !strings.Contains(err.Error(), row.problem) || !strings.HasPrefix(err.Error(), "defaults file: ")) {
				t.Errorf("got %v, expected an error of the defaults file with %q", err, row.problem)
			}
		})
	}
}

// TestResources: a desk's word wins over the defaults file's, and that over the
// table's; what is given is never silently less.
func TestResources(t *testing.T) {
	amounts := func(memory string) *v1alpha1.ResourceAmounts {
		if memory == "" {
			return nil
		}
		return &v1alpha1.ResourceAmounts{Memory: new(resource.MustParse(memory))}
	}
	type given struct{ request, limit string }
	for _, row := range []struct {
		name           string
		file, desk     given
		request, limit string
	}{
		{name: "the table", request: "64Mi", limit: "512Mi"},
		{name: "the file", file: given{"100Mi", "200Mi"}, request: "100Mi", limit: "200Mi"},
		{name: "the desk over the file", file: given{"100Mi", "200Mi"}, desk: given{"110Mi", "220Mi"}, request: "110Mi", limit: "220Mi"},
		{name: "a request of the file above the table's limit", file: given{request: "1Gi"}, request: "1Gi", limit: "1Gi"},
		{name: "a limit of the file under the table's request", file: given{limit: "32Mi"}, request: "32Mi", limit: "32Mi"},
		{name: "a request of the desk above the file's limit", file: given{limit: "128Mi"}, desk: given{request: "256Mi"}, request: "256Mi", limit: "256Mi"},
		{name: "a limit of the desk under the file's request", file: given{request: "128Mi"}, desk: given{limit: "32Mi"}, request: "32Mi", limit: "32Mi"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := rendered(t, "testdata/minimal.in.yaml")
			r.settings.Resources = map[runtimeconfig.Role]v1alpha1.Resources{"gateway": {Requests: amounts(row.file.request), Limits: amounts(row.file.limit)}}
			desk := r.plans.Desks[0]
			desk.Spec.Gateway.Resources = &v1alpha1.Resources{Requests: amounts(row.desk.request), Limits: amounts(row.desk.limit)}
			for _, w := range workloadsOf(t, r.settings.Children(desk)) {
				if w.name != "hello-gateway" {
					continue
				}
				got := w.template.Spec.Containers[0].Resources
				if request, limit := got.Requests[corev1.ResourceMemory], got.Limits[corev1.ResourceMemory]; request.String() != row.request || limit.String() != row.limit {
					t.Errorf("request %s and limit %s, expected %s and %s", request.String(), limit.String(), row.request, row.limit)
				}
				return
			}
			t.Error("there is no gateway")
		})
	}
}
