package localcluster

import (
	"cmp"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Annotations by which the volume controller, the scheduler and a provisioner
// talk to each other.
const (
	annSelectedNode  = "volume.kubernetes.io/selected-node"
	annProvisioner   = "volume.kubernetes.io/storage-provisioner"
	annProvisionedBy = "pv.kubernetes.io/provisioned-by"
)

const volumePrefix = "pvc-"

// volumePlan is what the provisioner has to do.
type volumePlan struct {
	// Create are volumes whose folder is made first.
	Create []*corev1.PersistentVolume
	// Delete are released volumes whose folder is removed first.
	Delete []*corev1.PersistentVolume
	// Refuse are claims that this provisioner cannot serve, with the reason.
	Refuse []refusal
}

type refusal struct {
	Claim  *corev1.PersistentVolumeClaim
	Reason string
}

// planVolumes decides from claims, volumes and classes alone, so that a lost
// event or a crash between two steps is made good by the next look. dir is the
// folder of all volumes on the node.
func planVolumes(node, dir string, claims []*corev1.PersistentVolumeClaim, volumes []*corev1.PersistentVolume, classes []*storagev1.StorageClass) volumePlan {
	var plan volumePlan
	exists := map[string]bool{}
	for _, pv := range volumes {
		exists[pv.Name] = true
		if removable(pv, dir) {
			plan.Delete = append(plan.Delete, pv)
		}
	}
	for _, claim := range claims {
		class := classOf(claim, classes)
		if class == nil || !waiting(claim, node) || exists[volumeName(claim.UID)] {
			continue
		}
		if reason := unsupported(claim); reason != "" {
			plan.Refuse = append(plan.Refuse, refusal{claim, reason})
			continue
		}
		plan.Create = append(plan.Create, newVolume(node, dir, claim, class))
	}
	slices.SortFunc(plan.Create, byName)
	slices.SortFunc(plan.Delete, byName)
	return plan
}

func byName(a, b *corev1.PersistentVolume) int { return cmp.Compare(a.Name, b.Name) }

// volumeName is fixed by the claim: a second volume for the same claim cannot arise.
func volumeName(uid types.UID) string { return volumePrefix + string(uid) }

func classOf(claim *corev1.PersistentVolumeClaim, classes []*storagev1.StorageClass) *storagev1.StorageClass {
	if claim.Spec.StorageClassName == nil {
		return nil
	}
	i := slices.IndexFunc(classes, func(s *storagev1.StorageClass) bool {
		return s.Name == *claim.Spec.StorageClassName && s.Provisioner == provisionerName
	})
	if i < 0 {
		return nil
	}
	return classes[i]
}

// waiting: the volume controller handed the claim to this provisioner and the scheduler chose the node.
func waiting(claim *corev1.PersistentVolumeClaim, node string) bool {
	return claim.DeletionTimestamp == nil &&
		claim.Spec.VolumeName == "" &&
		claim.Annotations[annProvisioner] == provisionerName &&
		claim.Annotations[annSelectedNode] == node
}

func unsupported(claim *corev1.PersistentVolumeClaim) string {
	switch {
	case claim.Spec.VolumeMode != nil && *claim.Spec.VolumeMode == corev1.PersistentVolumeBlock:
		return "volumeMode Block: this provisioner makes folders only; use Filesystem"
	case claim.Spec.Selector != nil:
		return "selector: this provisioner makes new volumes only; remove the selector"
	case claim.Spec.DataSource != nil || claim.Spec.DataSourceRef != nil:
		return "dataSource: this provisioner makes empty volumes only; remove the data source"
	}
	return ""
}

// newVolume makes a "local" volume: unlike hostPath, the kubelet gives it to the
// pod's fsGroup, so that pods that are not root can write.
func newVolume(node, dir string, claim *corev1.PersistentVolumeClaim, class *storagev1.StorageClass) *corev1.PersistentVolume {
	policy := corev1.PersistentVolumeReclaimDelete
	if class.ReclaimPolicy != nil {
		policy = *class.ReclaimPolicy
	}
	name := volumeName(claim.UID)
	mode := corev1.PersistentVolumeFilesystem
	return &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{annProvisionedBy: provisionerName}},
		Spec: corev1.PersistentVolumeSpec{
			Capacity:                      corev1.ResourceList{corev1.ResourceStorage: claim.Spec.Resources.Requests[corev1.ResourceStorage]},
			AccessModes:                   claim.Spec.AccessModes,
			PersistentVolumeReclaimPolicy: policy,
			StorageClassName:              class.Name,
			VolumeMode:                    &mode,
			MountOptions:                  class.MountOptions,
			ClaimRef: &corev1.ObjectReference{
				APIVersion: "v1", Kind: "PersistentVolumeClaim",
				Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID,
			},
			PersistentVolumeSource: corev1.PersistentVolumeSource{Local: &corev1.LocalVolumeSource{Path: filepath.Join(dir, name)}},
			NodeAffinity: &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{
				NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{{
					Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: []string{node},
				}}}},
			}},
		},
	}
}

// removable: released, to be deleted, made by this provisioner, and its path is
// exactly where this provisioner puts it. The path of a volume is an
// administrator's free text; root removes that folder.
func removable(pv *corev1.PersistentVolume, dir string) bool {
	return pv.DeletionTimestamp == nil &&
		pv.Status.Phase == corev1.VolumeReleased &&
		pv.Spec.PersistentVolumeReclaimPolicy == corev1.PersistentVolumeReclaimDelete &&
		pv.Annotations[annProvisionedBy] == provisionerName &&
		strings.HasPrefix(pv.Name, volumePrefix) &&
		pv.Spec.Local != nil && pv.Spec.Local.Path == filepath.Join(dir, pv.Name)
}
