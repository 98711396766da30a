package render

import (
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

// Ports of the roles' containers.
const (
	portHTTP       = 8080
	portMetrics    = 9090
	portBus        = 4222
	portBusCluster = 6222
)

// Folders in the roles' containers.
const (
	folderConfig    = "/etc/deskfleet/config"
	folderSecrets   = "/etc/deskfleet/secrets" //nolint:gosec // a folder, no secret
	folderBus       = "/etc/deskfleet/bus"
	folderTokens    = "/etc/deskfleet/tokens" //nolint:gosec // a folder, no secret
	folderPostgres  = "/etc/deskfleet/postgres"
	folderWebhooks  = "/etc/deskfleet/webhooks"
	folderKnowledge = "/etc/deskfleet/knowledge"
	folderData      = "/var/lib/deskfleet"
)

// nonRootUser runs all roles; it has no name and owns nothing in the image.
const nonRootUser = 65532

// mount is a volume and where the container sees it.
type mount struct {
	volume   *corev1ac.VolumeApplyConfiguration
	path     string
	writable bool
}

// pod is what differs between the roles' pods; everything else is the same for
// all and stands in podTemplate.
type pod struct {
	desk      string
	role      runtimeconfig.Role
	labels    map[string]string
	args      []string
	ports     []*corev1ac.ContainerPortApplyConfiguration
	mounts    []mount
	resources *v1alpha1.Resources
	placement *v1alpha1.Placement
	image     string
	// annotations of the pod; nil for none.
	annotations map[string]string
	// preStopSeconds that a pod goes on serving after it left its Services: endpoints are removed at the same time
	// as SIGTERM is sent, and a client that still has the old address would be refused.
	preStopSeconds int64
	// graceSeconds from the beginning of preStop to SIGKILL: long enough to drain.
	graceSeconds int64
}

func (s *Settings) podTemplate(p *pod) *corev1ac.PodTemplateSpecApplyConfiguration {
	spec := corev1ac.PodSpec().
		WithServiceAccountName(ServiceAccountName(p.desk)).
		WithAutomountServiceAccountToken(false).
		WithEnableServiceLinks(false).
		WithTerminationGracePeriodSeconds(p.graceSeconds).
		WithSecurityContext(corev1ac.PodSecurityContext().
			WithRunAsNonRoot(true).WithRunAsUser(nonRootUser).WithRunAsGroup(nonRootUser).WithFSGroup(nonRootUser).
			WithFSGroupChangePolicy(corev1.FSGroupChangeOnRootMismatch).
			WithSeccompProfile(corev1ac.SeccompProfile().WithType(corev1.SeccompProfileTypeRuntimeDefault))).
		WithTopologySpreadConstraints(spread(p.labels, corev1.LabelHostname), spread(p.labels, corev1.LabelTopologyZone)).
		WithContainers(s.container(p))
	for _, m := range p.mounts {
		if m.volume != nil { // a claim template's volume is added by the StatefulSet controller
			spec.WithVolumes(m.volume)
		}
	}
	for _, name := range s.ImagePullSecrets {
		spec.WithImagePullSecrets(corev1ac.LocalObjectReference().WithName(name))
	}
	place(spec, p.placement)
	return corev1ac.PodTemplateSpec().
		WithLabels(labels(p.desk, p.role)).WithLabels(p.labels).WithAnnotations(p.annotations).
		WithSpec(spec)
}

func (s *Settings) container(p *pod) *corev1ac.ContainerApplyConfiguration {
	requests, limits := s.resources(p.role, p.resources)
	image := p.image
	if image == "" {
		image = s.Image
	}
	c := corev1ac.Container().
		WithName(string(p.role)).
		WithImage(image).
		WithImagePullPolicy(s.ImagePullPolicy).
		WithArgs(string(p.role)).WithArgs(p.args...).WithArgs("--log-level="+s.LogLevel).
		WithEnv(
			corev1ac.EnvVar().WithName("POD_NAME").WithValueFrom(corev1ac.EnvVarSource().
				WithFieldRef(corev1ac.ObjectFieldSelector().WithAPIVersion("v1").WithFieldPath("metadata.name"))),
			corev1ac.EnvVar().WithName("GOMEMLIMIT").WithValue(goMemLimit(limits)),
		).
		WithPorts(p.ports...).
		WithPorts(containerPort("metrics", portMetrics)).
		WithResources(corev1ac.ResourceRequirements().WithRequests(requests).WithLimits(limits)).
		WithSecurityContext(corev1ac.SecurityContext().
			WithAllowPrivilegeEscalation(false).WithReadOnlyRootFilesystem(true).
			WithCapabilities(corev1ac.Capabilities().WithDrop("ALL"))).
		WithStartupProbe(probe("/healthz", 1, 60)).
		WithLivenessProbe(probe("/healthz", 10, 3)).
		WithReadinessProbe(probe("/readyz", 2, 3)).
		WithTerminationMessagePolicy(corev1.TerminationMessageFallbackToLogsOnError)
	for _, m := range p.mounts {
		c.WithVolumeMounts(m.volumeMount())
	}
	if p.preStopSeconds > 0 {
		c.WithLifecycle(corev1ac.Lifecycle().WithPreStop(corev1ac.LifecycleHandler().
			WithSleep(corev1ac.SleepAction().WithSeconds(p.preStopSeconds))))
	}
	return c
}

func (m *mount) volumeMount() *corev1ac.VolumeMountApplyConfiguration {
	name := volumeData
	if m.volume != nil {
		name = *m.volume.Name
	}
	vm := corev1ac.VolumeMount().WithName(name).WithMountPath(m.path)
	if !m.writable {
		vm.WithReadOnly(true)
	}
	return vm
}

func containerPort(name string, port int32) *corev1ac.ContainerPortApplyConfiguration {
	return corev1ac.ContainerPort().WithName(name).WithContainerPort(port).WithProtocol(corev1.ProtocolTCP)
}

func probe(path string, periodSeconds, failures int32) *corev1ac.ProbeApplyConfiguration {
	return corev1ac.Probe().
		WithHTTPGet(corev1ac.HTTPGetAction().WithPath(path).WithPort(intstr.FromString("metrics"))).
		WithPeriodSeconds(periodSeconds).WithTimeoutSeconds(2).WithFailureThreshold(failures)
}

func spread(selector map[string]string, topologyKey string) *corev1ac.TopologySpreadConstraintApplyConfiguration {
	return corev1ac.TopologySpreadConstraint().
		WithMaxSkew(1).WithTopologyKey(topologyKey).
		// ScheduleAnyway: a small cluster still runs the desk.
		WithWhenUnsatisfiable(corev1.ScheduleAnyway).
		WithLabelSelector(matching(selector))
}

func matching(l map[string]string) *metav1ac.LabelSelectorApplyConfiguration {
	return metav1ac.LabelSelector().WithMatchLabels(l)
}

func goMemLimit(limits corev1.ResourceList) string {
	memory := limits[corev1.ResourceMemory]
	return strconv.FormatInt(memory.Value()/100*goMemLimitPercent, 10)
}

func place(spec *corev1ac.PodSpecApplyConfiguration, p *v1alpha1.Placement) {
	if p == nil {
		return
	}
	for key, value := range p.NodeSelector {
		spec.WithNodeSelector(map[string]string{key: string(value)})
	}
	for _, t := range p.Tolerations {
		toleration := corev1ac.Toleration().WithOperator(corev1.TolerationOperator(t.Operator))
		if t.Key != "" {
			toleration.WithKey(t.Key)
		}
		if t.Value != "" {
			toleration.WithValue(t.Value)
		}
		if t.Effect != "" {
			toleration.WithEffect(corev1.TaintEffect(t.Effect))
		}
		spec.WithTolerations(toleration)
	}
}

// configMount is the desk's configuration. No hash of it stands in the pod
// template: a change is read by the running roles, it restarts nothing.
func configMount(desk string) mount {
	return mount{
		volume: corev1ac.Volume().WithName("config").WithConfigMap(
			corev1ac.ConfigMapVolumeSource().WithName(ConfigMapName(desk)).WithDefaultMode(0o444)),
		path: folderConfig,
	}
}

// secretMount is a Secret as files. A user's Secret is optional: it may come
// after the desk, and a role without it runs and reports what is missing.
func secretMount(volume, secret, path string, optional bool) mount {
	source := corev1ac.SecretVolumeSource().WithSecretName(secret).WithDefaultMode(0o440)
	if optional {
		source.WithOptional(true)
	}
	return mount{volume: corev1ac.Volume().WithName(volume).WithSecret(source), path: path}
}

const volumeData = "data"

// claim is the template of a role's volume claim.
func (r *deskRenderer) claim(role runtimeconfig.Role, storage *v1alpha1.Storage) *corev1ac.PersistentVolumeClaimApplyConfiguration {
	spec := corev1ac.PersistentVolumeClaimSpec().
		WithAccessModes(corev1.ReadWriteOnce).
		WithVolumeMode(corev1.PersistentVolumeFilesystem).
		WithResources(corev1ac.VolumeResourceRequirements().
			WithRequests(corev1.ResourceList{corev1.ResourceStorage: *storage.Size}))
	switch {
	case storage.StorageClassName != nil:
		spec.WithStorageClassName(string(*storage.StorageClassName))
	case r.settings.StorageClassName != "" && !r.desk.KeptClaims[role]:
		spec.WithStorageClassName(r.settings.StorageClassName)
	}
	c := corev1ac.PersistentVolumeClaim(volumeData, "").
		WithLabels(labels(r.name(), role)).WithSpec(spec).
		// The API server's default, spelled out: claim templates are compared whole.
		WithStatus(corev1ac.PersistentVolumeClaimStatus().WithPhase(corev1.ClaimPending))
	// The template is no object of its own: the API server keeps neither kind nor namespace in it.
	c.Namespace, c.TypeMetaApplyConfiguration = nil, metav1ac.TypeMetaApplyConfiguration{}
	return c
}
