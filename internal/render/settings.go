package render

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/yaml"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

// Settings are the operator's defaults for all desks, from the file that
// "deskfleet manager --defaults" names.
type Settings struct {
	// Image of all roles where a desk names none. Required.
	Image string `json:"image"`
	// ImagePullPolicy of all roles. Default IfNotPresent.
	ImagePullPolicy corev1.PullPolicy `json:"imagePullPolicy,omitempty"`
	// ImagePullSecrets by name, in the desk's namespace.
	ImagePullSecrets []string `json:"imagePullSecrets,omitempty"`
	// StorageClassName of the claims where a desk names none. Default: the cluster's default class.
	StorageClassName string `json:"storageClassName,omitempty"`
	// Resources by role, in place of the sizing table's.
	Resources map[runtimeconfig.Role]v1alpha1.Resources `json:"resources,omitempty"`
	// LogLevel of all roles: debug, info, warn or error. Default info.
	LogLevel string `json:"logLevel,omitempty"`
}

// ParseSettings reads a defaults file. An unknown field or a bad value is an error that names it.
func ParseSettings(data []byte) (Settings, error) {
	var s Settings
	if err := yaml.UnmarshalStrict(data, &s); err != nil {
		return s, fmt.Errorf("defaults file: %w", err)
	}
	return s, s.Validate()
}

// Validate checks the settings and fills in what has a default.
func (s *Settings) Validate() error {
	if s.Image == "" {
		return fmt.Errorf("defaults file: image is empty: name the image of the deskfleet binary")
	}
	switch s.ImagePullPolicy {
	case "":
		s.ImagePullPolicy = corev1.PullIfNotPresent
	case corev1.PullAlways, corev1.PullIfNotPresent, corev1.PullNever:
	default:
		return fmt.Errorf("defaults file: imagePullPolicy is %q: use Always, IfNotPresent or Never", s.ImagePullPolicy)
	}
	switch s.LogLevel {
	case "":
		s.LogLevel = "info"
	case "debug", "info", "warn", "error":
	default:
		return fmt.Errorf("defaults file: logLevel is %q: use debug, info, warn or error", s.LogLevel)
	}
	for role := range s.Resources {
		if _, known := sizing[role]; !known {
			return fmt.Errorf("defaults file: resources names the role %q, which does not exist", role)
		}
	}
	return nil
}

type amounts struct{ cpu, memory string }

type size struct{ requests, limits amounts }

// sizing is the one table of what each role is given. Requests are what an idle
// role uses with some room; memory limits are bounds that GOMEMLIMIT keeps the
// role under. A desk or the defaults file overrides single values.
var sizing = map[runtimeconfig.Role]size{
	runtimeconfig.RoleGateway:   {amounts{"50m", "64Mi"}, amounts{"1", "512Mi"}},
	runtimeconfig.RoleRouter:    {amounts{"50m", "64Mi"}, amounts{"1", "512Mi"}},
	runtimeconfig.RoleBot:       {amounts{"50m", "64Mi"}, amounts{"1", "256Mi"}},
	runtimeconfig.RoleConsole:   {amounts{"25m", "64Mi"}, amounts{"1", "512Mi"}},
	runtimeconfig.RoleKnowledge: {amounts{"50m", "96Mi"}, amounts{"1", "512Mi"}},
	runtimeconfig.RoleArchive:   {amounts{"50m", "96Mi"}, amounts{"1", "512Mi"}},
	runtimeconfig.RoleBus:       {amounts{"100m", "128Mi"}, amounts{"2", "1Gi"}},
	runtimeconfig.RoleDesk:      {amounts{"100m", "128Mi"}, amounts{"2", "1Gi"}},
}

// goMemLimitPercent of the memory limit is what the Go runtime may use; the rest
// is for stacks, the binary's pages and the kernel. Without it a role that could
// collect garbage is killed instead.
const goMemLimitPercent = 85

func (s *Settings) resources(role runtimeconfig.Role, own *v1alpha1.Resources) (requests, limits corev1.ResourceList) {
	table := sizing[role]
	requests = table.requests.list()
	limits = table.limits.list()
	defaults := s.Resources[role]
	for _, r := range []*v1alpha1.Resources{&defaults, own} {
		if r != nil {
			override(requests, r.Requests)
			override(limits, r.Limits)
		}
	}
	// The API server refuses a limit under the request. The user's word wins over the table's: a lower limit takes
	// the request down with it, a higher request takes the limit up.
	for name, limit := range limits {
		if request := requests[name]; request.Cmp(limit) > 0 {
			if given(own, name) {
				requests[name] = limit
			} else {
				limits[name] = request
			}
		}
	}
	return requests, limits
}

// given reports whether a limit is the user's.
func given(own *v1alpha1.Resources, name corev1.ResourceName) bool {
	if own == nil || own.Limits == nil {
		return false
	}
	if name == corev1.ResourceCPU {
		return own.Limits.CPU != nil
	}
	return own.Limits.Memory != nil
}

func (a amounts) list() corev1.ResourceList {
	return corev1.ResourceList{
		corev1.ResourceCPU:    resource.MustParse(a.cpu),
		corev1.ResourceMemory: resource.MustParse(a.memory),
	}
}

func override(list corev1.ResourceList, with *v1alpha1.ResourceAmounts) {
	if with == nil {
		return
	}
	if with.CPU != nil {
		list[corev1.ResourceCPU] = *with.CPU
	}
	if with.Memory != nil {
		list[corev1.ResourceMemory] = *with.Memory
	}
}
