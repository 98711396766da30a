package render

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

// Desk is all that the children of a desk depend on.
type Desk struct {
	Owner Owner
	// Spec with the schema's defaults filled in.
	Spec v1alpha1.ServiceDeskSpec
	// Document is the rendered configuration of the desk.
	Document []byte
	// Shards of the knowledge content, at most KnowledgeShards; the key is the file's name.
	Shards []map[string][]byte
	// KeptClaims are the roles whose claim template exists: its storage class is as the spec has it now, whatever
	// the operator's setting has become since, because the API server lets nobody change it.
	KeptClaims map[runtimeconfig.Role]bool
}

// Children renders all children of a desk but its generated Secrets, whose
// content is random: SecretsOf lists those.
func (s *Settings) Children(d *Desk) []*unstructured.Unstructured {
	r := deskRenderer{settings: s, desk: d}
	r.add(r.serviceAccount(), r.configMap())
	for i, shard := range d.Shards {
		r.add(r.knowledgeShard(i, shard))
	}
	if d.Spec.Profile == v1alpha1.ProfileCompact {
		r.compact()
	} else {
		r.distributed()
	}
	r.exposure()
	return sorted(r.objects)
}

// deskRenderer collects the children of one desk.
type deskRenderer struct {
	settings *Settings
	desk     *Desk
	objects  []*unstructured.Unstructured
}

func (r *deskRenderer) add(applyConfigurations ...any) {
	for _, ac := range applyConfigurations {
		r.objects = append(r.objects, unstructuredOf(ac))
	}
}

func (r *deskRenderer) name() string      { return r.desk.Owner.Name }
func (r *deskRenderer) namespace() string { return r.desk.Owner.Namespace }

// distributed renders a workload for each role.
func (r *deskRenderer) distributed() {
	spec := &r.desk.Spec
	gateway := &pod{args: []string{listenFlag}, ports: httpPorts(), preStopSeconds: 5, graceSeconds: 60}
	gateway.channelSecrets(spec)
	r.deployment(runtimeconfig.RoleGateway, &spec.Gateway.ReplicatedRoleSpec, gateway)
	r.deployment(runtimeconfig.RoleRouter, spec.Router, &pod{graceSeconds: 30})
	console := &pod{args: []string{listenFlag}, ports: httpPorts(), preStopSeconds: 5, graceSeconds: 60}
	if auth := spec.AgentsAuth; auth != nil {
		console.mounts = append(console.mounts, tokensMount(auth))
		console.args = append(console.args, "--tokens="+folderTokens+"/tokens.yaml")
	}
	r.deployment(runtimeconfig.RoleConsole, &spec.Console.ReplicatedRoleSpec, console)
	r.deployment(runtimeconfig.RoleKnowledge, &spec.Knowledge.ReplicatedRoleSpec, &pod{
		args:   []string{"--knowledge=" + folderKnowledge},
		mounts: []mount{knowledgeMount(r.name())}, graceSeconds: 30,
	})
	r.archive()
	r.add(r.service(runtimeconfig.RoleGateway), r.service(runtimeconfig.RoleConsole))
	if spec.Bus.External == nil {
		r.bus()
	}
	r.networkPolicies()
}

// compact renders one pod that runs all roles but the bots.
func (r *deskRenderer) compact() {
	spec := &r.desk.Spec
	p := &pod{
		args: []string{
			listenFlag, "--data=" + folderData, "--knowledge=" + folderKnowledge,
		},
		ports:          append(httpPorts(), containerPort("bus", portBus)),
		mounts:         []mount{knowledgeMount(r.name()), {path: folderData, writable: true}},
		resources:      spec.Bus.Resources,
		placement:      spec.Bus.Placement,
		preStopSeconds: 2, graceSeconds: 60,
	}
	if auth := spec.AgentsAuth; auth != nil {
		p.mounts = append(p.mounts, tokensMount(auth))
		p.args = append(p.args, "--tokens="+folderTokens+"/tokens.yaml")
	}
	p.archiveDSN(spec.Archive)
	p.webhookSecrets(spec)
	r.statefulSet(runtimeconfig.RoleDesk, 1, spec.Bus.Storage, RoleName(r.name(), runtimeconfig.RoleBus), p)
	r.add(r.service(runtimeconfig.RoleGateway), r.busService())
	r.networkPolicies()
}

func (r *deskRenderer) archive() {
	archive := r.desk.Spec.Archive
	if archive.Postgres != nil {
		p := &pod{graceSeconds: 60}
		p.archiveDSN(archive)
		p.webhookSecrets(&r.desk.Spec)
		// A Deployment: nothing is on a volume, and the database lets one of two archives store.
		r.deployment(runtimeconfig.RoleArchive, &v1alpha1.ReplicatedRoleSpec{RoleSpec: archive.RoleSpec, Replicas: 1}, p)
		return
	}
	p := &pod{
		args:      []string{"--data=" + folderData},
		mounts:    []mount{{path: folderData, writable: true}},
		resources: archive.Resources, placement: archive.Placement, graceSeconds: 60,
	}
	p.webhookSecrets(&r.desk.Spec)
	r.statefulSet(runtimeconfig.RoleArchive, 1, archive.Storage, "", p)
}

// archiveDSN mounts the DSN of the archive's PostgreSQL, where it has one. The pod is told the file, never what is in it.
func (p *pod) archiveDSN(archive *v1alpha1.ArchiveRole) {
	if archive == nil || archive.Postgres == nil {
		return
	}
	p.mounts = append(p.mounts, secretMount("postgres", string(archive.Postgres.DSNSecretRef.Name), folderPostgres, true))
	p.args = append(p.args, "--postgres-dsn="+folderPostgres+"/dsn")
}

func (r *deskRenderer) bus() {
	bus := r.desk.Spec.Bus
	p := &pod{
		args:      []string{"--data=" + folderData},
		ports:     []*corev1ac.ContainerPortApplyConfiguration{containerPort("bus", portBus)},
		mounts:    []mount{{path: folderData, writable: true}},
		resources: bus.Resources, placement: bus.Placement,
		// The server hands its streams over before it stops; with an unclean stop it would have to recover them.
		graceSeconds: 90,
	}
	if bus.Replicas > 1 {
		p.ports = append(p.ports, containerPort("cluster", portBusCluster))
	}
	r.statefulSet(runtimeconfig.RoleBus, bus.Replicas, bus.Storage, RoleName(r.name(), runtimeconfig.RoleBus), p)
	r.add(r.busService())
}

// complete fills in what all pods of the desk have in common.
func (r *deskRenderer) complete(role runtimeconfig.Role, p *pod) *pod {
	p.desk, p.role, p.image = r.name(), role, r.desk.Spec.Image
	p.labels = selector(r.name(), role)
	common := []mount{configMount(r.name())}
	args := []string{"--config=" + folderConfig + "/" + runtimeconfig.FileName}
	if hasSecret(&r.desk.Spec, role) {
		common = append(common, secretMount("secrets", RoleName(r.name(), role), folderSecrets, false))
		args = append(args, "--secrets="+folderSecrets)
	}
	if external := r.desk.Spec.Bus.External; external != nil {
		common = append(common, secretMount("bus", string(external.CredentialsSecretRef.Name), folderBus, true))
		args = append(args, "--bus-credentials="+folderBus)
		// A role connects to the bus that its configuration names when it starts: a new one reaches it by a rollout.
		p.annotations = map[string]string{busAnnotation: strings.Join(BusURLs(r.namespace(), r.name(), &r.desk.Spec), ",")}
	}
	if r.reports(role) {
		common = append(common, linkMount())
		args = append(args, linkFlag)
	}
	p.mounts = append(common, p.mounts...)
	p.args = append(args, p.args...)
	return p
}

func (r *deskRenderer) deployment(role runtimeconfig.Role, spec *v1alpha1.ReplicatedRoleSpec, p *pod) {
	p.resources, p.placement = spec.Resources, spec.Placement
	template := r.settings.podTemplate(r.complete(role, p))
	deployment := deploymentOf(RoleName(r.name(), role), r.desk.Owner, labels(r.name(), role), selector(r.name(), role), template)
	most := spec.Replicas
	if bounds := Scaled(&r.desk.Spec, role); bounds != nil {
		most = bounds.Max // and whoever owns the replicas adds them
	} else {
		deployment.Spec.WithReplicas(spec.Replicas)
	}
	r.add(deployment)
	if most > 1 {
		r.add(disruptionBudget(RoleName(r.name(), role), r.desk.Owner, labels(r.name(), role), selector(r.name(), role)))
	}
}

// deploymentOf is a Deployment without replicas: whoever owns those adds them.
func deploymentOf(name string, owner Owner, l, podSelector map[string]string, template *corev1ac.PodTemplateSpecApplyConfiguration) *appsv1ac.DeploymentApplyConfiguration {
	return appsv1ac.Deployment(name, owner.Namespace).
		WithLabels(l).WithOwnerReferences(owner.reference()).
		WithSpec(appsv1ac.DeploymentSpec().
			WithSelector(matching(podSelector)).
			WithRevisionHistoryLimit(3).
			WithProgressDeadlineSeconds(600).
			// A new pod serves before an old one drains: capacity never falls during a rollout.
			WithStrategy(rollingUpdate()).
			WithTemplate(template))
}

func (r *deskRenderer) statefulSet(role runtimeconfig.Role, replicas int32, storage *v1alpha1.Storage, service string, p *pod) {
	name := RoleName(r.name(), role)
	set := appsv1ac.StatefulSet(name, r.namespace()).
		WithLabels(labels(r.name(), role)).WithOwnerReferences(r.desk.Owner.reference()).
		WithSpec(appsv1ac.StatefulSetSpec().
			WithReplicas(replicas).
			WithSelector(matching(selector(r.name(), role))).
			WithServiceName(service).
			WithRevisionHistoryLimit(3).
			// The servers of a cluster find a majority only when they start together.
			WithPodManagementPolicy("Parallel").
			WithPersistentVolumeClaimRetentionPolicy(appsv1ac.StatefulSetPersistentVolumeClaimRetentionPolicy().
				WithWhenDeleted(claimRetention(r.desk.Spec.DeletionPolicy)).WithWhenScaled("Retain")).
			WithVolumeClaimTemplates(r.claim(role, storage)).
			WithTemplate(r.settings.podTemplate(r.complete(role, p))))
	r.add(set)
	if replicas > 1 {
		r.add(disruptionBudget(name, r.desk.Owner, labels(r.name(), role), selector(r.name(), role)))
	}
}

const listenFlag = "--listen=:8080"

func httpPorts() []*corev1ac.ContainerPortApplyConfiguration {
	return []*corev1ac.ContainerPortApplyConfiguration{containerPort("http", portHTTP)}
}

func tokensMount(auth *v1alpha1.AgentsAuth) mount {
	return secretMount("tokens", string(auth.TokensSecretRef.Name), folderTokens, true)
}

// busAnnotation of a pod are the URLs of an external bus. They hold no
// credentials: the schema takes none.
const busAnnotation = "deskfleet.dev/bus-urls"

// BusURLs are the addresses by which the roles of a desk reach its bus.
func BusURLs(namespace, desk string, spec *v1alpha1.ServiceDeskSpec) []string {
	if external := spec.Bus.External; external != nil {
		urls := make([]string, len(external.URLs))
		for i, u := range external.URLs {
			urls[i] = string(u)
		}
		return urls
	}
	return []string{fmt.Sprintf("tls://%s.%s.svc:%d", RoleName(desk, runtimeconfig.RoleBus), namespace, portBus)}
}

// BusRoutes are the addresses by which the servers of a clustered bus find each other; none for one server.
func BusRoutes(namespace, desk string, replicas int32) []string {
	if replicas < 2 {
		return nil
	}
	name := RoleName(desk, runtimeconfig.RoleBus)
	routes := make([]string, replicas)
	for i := range routes {
		routes[i] = fmt.Sprintf("tls://%s-%d.%s.%s.svc:%d", name, i, name, namespace, portBusCluster)
	}
	return routes
}

// Endpoints are the addresses of a desk as its status shows them.
func Endpoints(namespace, desk string, spec *v1alpha1.ServiceDeskSpec) v1alpha1.DeskEndpoints {
	if spec.Exposure != nil {
		return v1alpha1.DeskEndpoints{Chat: "https://" + spec.Exposure.Host + "/", Console: "https://" + spec.Exposure.Host + consolePath}
	}
	inside := func(role runtimeconfig.Role) string {
		return "http://" + strings.Join([]string{RoleName(desk, role), namespace, "svc"}, ".")
	}
	e := v1alpha1.DeskEndpoints{Chat: inside(runtimeconfig.RoleGateway) + "/", Console: inside(runtimeconfig.RoleConsole) + consolePath}
	if spec.Profile == v1alpha1.ProfileCompact {
		e.Console = inside(runtimeconfig.RoleGateway) + consolePath
	}
	return e
}
