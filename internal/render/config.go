package render

import (
	"fmt"

	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

// Knowledge content travels in a fixed number of ConfigMaps, of which the pods
// mount all as optional: content can grow over them without a rollout.
const (
	// KnowledgeShards is the number of ConfigMaps that a desk's knowledge content may fill.
	KnowledgeShards = 8
	// KnowledgeShardBytes is the most content of one shard; a ConfigMap holds 1 MiB with its keys and base64 is not counted.
	KnowledgeShardBytes = 900 << 10
)

// MaxDocumentBytes is the most that a desk's configuration may be: a ConfigMap holds 1 MiB with its keys.
const MaxDocumentBytes = 1000 << 10

// KnowledgeShardName is the name of the i-th ConfigMap with knowledge content.
func KnowledgeShardName(desk string, i int) string {
	return child(desk, fmt.Sprintf("knowledge-%d", i))
}

func (r *deskRenderer) serviceAccount() *corev1ac.ServiceAccountApplyConfiguration {
	return corev1ac.ServiceAccount(ServiceAccountName(r.name()), r.namespace()).
		WithLabels(labels(r.name(), "")).WithOwnerReferences(r.desk.Owner.reference()).
		// The roles read files and talk to the bus; none of them may call the API server.
		WithAutomountServiceAccountToken(false)
}

func (r *deskRenderer) configMap() *corev1ac.ConfigMapApplyConfiguration {
	return corev1ac.ConfigMap(ConfigMapName(r.name()), r.namespace()).
		WithLabels(labels(r.name(), "")).WithOwnerReferences(r.desk.Owner.reference()).
		WithData(map[string]string{runtimeconfig.FileName: string(r.desk.Document)})
}

func (r *deskRenderer) knowledgeShard(i int, content map[string][]byte) *corev1ac.ConfigMapApplyConfiguration {
	return corev1ac.ConfigMap(KnowledgeShardName(r.name(), i), r.namespace()).
		WithLabels(labels(r.name(), runtimeconfig.RoleKnowledge)).WithOwnerReferences(r.desk.Owner.reference()).
		WithBinaryData(content)
}

// knowledgeMount shows the files of all shards in one folder.
func knowledgeMount(desk string) mount {
	projected := corev1ac.ProjectedVolumeSource().WithDefaultMode(0o444)
	for i := range KnowledgeShards {
		projected.WithSources(corev1ac.VolumeProjection().WithConfigMap(corev1ac.ConfigMapProjection().
			WithName(KnowledgeShardName(desk, i)).WithOptional(true)))
	}
	return mount{volume: corev1ac.Volume().WithName("knowledge").WithProjected(projected), path: folderKnowledge}
}
