package render

import (
	"fmt"
	"maps"
	"regexp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"
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
	// Link to the managers; nil for none. It is no default of the file: the manager knows where it runs.
	Link *Link `json:"-"`
}

// ParseSettings reads a defaults file. An unknown field or a bad value is an error that names it.
func ParseSettings(data []byte) (Settings, error) {
	var s Settings
	if err := yaml.UnmarshalStrict(data, &s); err != nil {
		return s, fmt.Errorf("defaults file: %w", err)
	}
	if err := s.Validate(); err != nil {
		return s, fmt.Errorf("defaults file: %w", err)
	}
	return s, nil
}

// Validate checks the settings and fills in what has a default.
func (s *Settings) Validate() error {
	if s.Image == "" {
		return fmt.Errorf("image is empty: name the image of the deskfleet binary")
	}
	if !image.MatchString(s.Image) {
		return fmt.Errorf("image is %q, which is no reference of an image: use one like registry.example.com/deskfleet:v1", s.Image)
	}
	switch s.ImagePullPolicy {
	case "":
		s.ImagePullPolicy = corev1.PullIfNotPresent
	case corev1.PullAlways, corev1.PullIfNotPresent, corev1.PullNever:
	default:
		return fmt.Errorf("imagePullPolicy is %q: use Always, IfNotPresent or Never", s.ImagePullPolicy)
	}
	switch s.LogLevel {
	case "":
		s.LogLevel = "info"
	case "debug", "info", "warn", "error":
	default:
		return fmt.Errorf("logLevel is %q: use debug, info, warn or error", s.LogLevel)
	}
	for _, name := range append(slices.Clone(s.ImagePullSecrets), s.StorageClassName) {
		if problems := validation.IsDNS1123Subdomain(name); name != "" && len(problems) > 0 {
			return fmt.Errorf("imagePullSecrets or storageClassName has %q, which is no name: %s", name, problems[0])
		}
	}
	for _, role := range slices.Sorted(maps.Keys(s.Resources)) {
		if _, known := sizing[role]; !known {
			return fmt.Errorf("resources names the role %q, which does not exist: use one of %s", role, slices.Sorted(maps.Keys(sizing)))
		}
		r := s.Resources[role]
		if err := validateResources(&r); err != nil {
			return fmt.Errorf("resources.%s: %w", role, err)
		}
	}
	return nil
}

// image is what the schema takes for spec.image of a desk.
var image = regexp.MustCompile(`^[a-z0-9]([-a-zA-Z0-9._/:@]*[a-zA-Z0-9])?$`)

// validateResources checks what the schema checks for the resources of a desk: the API server would refuse every
// workload of the role.
func validateResources(r *v1alpha1.Resources) error {
	requests, limits := corev1.ResourceList{}, corev1.ResourceList{}
	override(requests, r.Requests)
	override(limits, r.Limits)
	least := amounts{"1m", "16Mi"}.list()
	for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
		for what, list := range map[string]corev1.ResourceList{"requests": requests, "limits": limits} {
			if amount, given := list[name]; given && amount.Cmp(least[name]) < 0 {
				minimum := least[name]
				return fmt.Errorf("%s.%s is %s: give at least %s", what, name, amount.String(), minimum.String())
			}
		}
		request, limit := requests[name], limits[name]
		if _, limited := limits[name]; limited && request.Cmp(limit) > 0 {
			return fmt.Errorf("requests.%s is %s, above limits.%s of %s: lower the request or raise the limit", name, request.String(), name, limit.String())
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
		if r == nil {
			continue
		}
		override(requests, r.Requests)
		override(limits, r.Limits)
		// The API server refuses a limit under the request. Whoever speaks later wins: a lower limit takes the request
		// down with it, a higher request takes the limit up.
		given := corev1.ResourceList{}
		override(given, r.Limits)
		for name, limit := range limits {
			if request := requests[name]; request.Cmp(limit) <= 0 {
				continue
			} else if _, limited := given[name]; limited {
				requests[name] = limit
			} else {
				limits[name] = request
			}
		}
	}
	return requests, limits
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
