package localcluster

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/fake"
)

const volumesDir = "/volumes"

func testClass() *storagev1.StorageClass {
	return &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: StorageClass}, Provisioner: provisionerName}
}

func testClaim(name string, change func(*corev1.PersistentVolumeClaim)) *corev1.PersistentVolumeClaim {
	class := StorageClass
	claim := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "ns", Name: name, UID: types.UID("uid-" + name),
			Annotations: map[string]string{annProvisioner: provisionerName, annSelectedNode: "node"},
		},
		Spec: corev1.PersistentVolumeClaimSpec{
			StorageClassName: &class,
			AccessModes:      []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources:        corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
		},
	}
	change(claim)
	return claim
}

// releasedVolume is what newVolume made, after its claim was deleted.
func releasedVolume(dir string, change func(*corev1.PersistentVolume)) *corev1.PersistentVolume {
	pv := newVolume("node", dir, testClaim("old", func(*corev1.PersistentVolumeClaim) {}), testClass())
	pv.Status.Phase = corev1.VolumeReleased
	change(pv)
	return pv
}

func TestProvisionerServesOnlyClaimsThatWaitForIt(t *testing.T) {
	block := corev1.PersistentVolumeBlock
	now := metav1.Now()
	other := "other"
	for name, tc := range map[string]struct {
		change func(*corev1.PersistentVolumeClaim)
		create bool
		refuse string
	}{
		"waiting":              {func(*corev1.PersistentVolumeClaim) {}, true, ""},
		"no node chosen yet":   {func(c *corev1.PersistentVolumeClaim) { delete(c.Annotations, annSelectedNode) }, false, ""},
		"another node chosen":  {func(c *corev1.PersistentVolumeClaim) { c.Annotations[annSelectedNode] = "else" }, false, ""},
		"not handed over yet":  {func(c *corev1.PersistentVolumeClaim) { delete(c.Annotations, annProvisioner) }, false, ""},
		"another provisioner":  {func(c *corev1.PersistentVolumeClaim) { c.Annotations[annProvisioner] = "x/y" }, false, ""},
		"another class":        {func(c *corev1.PersistentVolumeClaim) { c.Spec.StorageClassName = &other }, false, ""},
		"no class":             {func(c *corev1.PersistentVolumeClaim) { c.Spec.StorageClassName = nil }, false, ""},
		"bound":                {func(c *corev1.PersistentVolumeClaim) { c.Spec.VolumeName = "v" }, false, ""},
		"being deleted":        {func(c *corev1.PersistentVolumeClaim) { c.DeletionTimestamp = &now }, false, ""},
		"block device":         {func(c *corev1.PersistentVolumeClaim) { c.Spec.VolumeMode = &block }, false, "volumeMode"},
		"selector":             {func(c *corev1.PersistentVolumeClaim) { c.Spec.Selector = &metav1.LabelSelector{} }, false, "selector"},
		"copy of other volume": {func(c *corev1.PersistentVolumeClaim) { c.Spec.DataSource = &corev1.TypedLocalObjectReference{} }, false, "dataSource"},
	} {
		t.Run(name, func(t *testing.T) {
			plan := planVolumes("node", volumesDir, []*corev1.PersistentVolumeClaim{testClaim("c", tc.change)}, nil, []*storagev1.StorageClass{testClass()})
			if (len(plan.Create) == 1) != tc.create || len(plan.Delete) > 0 {
				t.Errorf("plan is %+v", plan)
			}
			if (len(plan.Refuse) == 1) != (tc.refuse != "") || tc.refuse != "" && !strings.Contains(plan.Refuse[0].Reason, tc.refuse) {
				t.Errorf("refused: %+v", plan.Refuse)
			}
		})
	}
}

func TestVolumeOfAClaim(t *testing.T) {
	retain := corev1.PersistentVolumeReclaimRetain
	class := testClass()
	class.ReclaimPolicy = &retain
	claim := testClaim("c", func(*corev1.PersistentVolumeClaim) {})
	plan := planVolumes("node", volumesDir, []*corev1.PersistentVolumeClaim{claim}, nil, []*storagev1.StorageClass{class})
	pv := plan.Create[0]
	if pv.Name != "pvc-uid-c" || pv.Spec.Local.Path != "/volumes/pvc-uid-c" {
		t.Errorf("volume %s at %s", pv.Name, pv.Spec.Local.Path)
	}
	if pv.Spec.PersistentVolumeReclaimPolicy != retain || pv.Spec.StorageClassName != StorageClass {
		t.Errorf("spec is %+v", pv.Spec)
	}
	want := &corev1.ObjectReference{APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: "ns", Name: "c", UID: "uid-c"}
	if diff := cmp.Diff(want, pv.Spec.ClaimRef); diff != "" {
		t.Error(diff)
	}
	if got := pv.Spec.Capacity[corev1.ResourceStorage]; got.String() != "1Gi" {
		t.Errorf("capacity %s", got.String())
	}
	values := pv.Spec.NodeAffinity.Required.NodeSelectorTerms[0].MatchExpressions[0].Values
	if diff := cmp.Diff([]string{"node"}, values); diff != "" {
		t.Error(diff)
	}
	// Decided again before the claim is bound, nothing is made twice.
	again := planVolumes("node", volumesDir, []*corev1.PersistentVolumeClaim{claim}, plan.Create, []*storagev1.StorageClass{class})
	if len(again.Create)+len(again.Delete)+len(again.Refuse) > 0 {
		t.Errorf("a second plan: %+v", again)
	}
}

// Root removes the folder of a released volume: only its own, at its own place.
func TestProvisionerRemovesOnlyItsOwnReleasedVolumes(t *testing.T) {
	now := metav1.Now()
	for name, tc := range map[string]struct {
		change func(*corev1.PersistentVolume)
		remove bool
	}{
		"released": {func(*corev1.PersistentVolume) {}, true},
		"bound":    {func(pv *corev1.PersistentVolume) { pv.Status.Phase = corev1.VolumeBound }, false},
		"to be retained": {func(pv *corev1.PersistentVolume) {
			pv.Spec.PersistentVolumeReclaimPolicy = corev1.PersistentVolumeReclaimRetain
		}, false},
		"another's":           {func(pv *corev1.PersistentVolume) { pv.Annotations = nil }, false},
		"path elsewhere":      {func(pv *corev1.PersistentVolume) { pv.Spec.Local.Path = "/etc" }, false},
		"path of all volumes": {func(pv *corev1.PersistentVolume) { pv.Name = "."; pv.Spec.Local.Path = volumesDir }, false},
		"host path":           {func(pv *corev1.PersistentVolume) { pv.Spec.Local = nil }, false},
		"being deleted":       {func(pv *corev1.PersistentVolume) { pv.DeletionTimestamp = &now }, false},
	} {
		plan := planVolumes("node", volumesDir, nil, []*corev1.PersistentVolume{releasedVolume(volumesDir, tc.change)}, nil)
		if (len(plan.Delete) == 1) != tc.remove {
			t.Errorf("%s: %+v", name, plan)
		}
	}
}

func TestProvisionerMakesAndRemovesFolders(t *testing.T) {
	dir := t.TempDir()
	old := releasedVolume(dir, func(*corev1.PersistentVolume) {})
	writeTree(t, dir, map[string]string{filepath.Join(old.Name, "data"): "x", "keep/data": "x"})
	client := fake.NewClientset(testClass(), old, testClaim("new", func(*corev1.PersistentVolumeClaim) {}))
	seen, err := client.CoreV1().PersistentVolumes().Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p := &Provisioner{Node: "node", Volumes: dir, Log: slog.New(slog.DiscardHandler)}
	ended := make(chan error, 1)
	go func() { ended <- p.run(t.Context(), client) }()
	t.Cleanup(func() { // t.Context is cancelled by now
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	waiting := map[watch.EventType]string{watch.Added: "pvc-uid-new", watch.Deleted: old.Name}
	for len(waiting) > 0 {
		select {
		case err := <-ended:
			t.Fatalf("ended early: %v", err)
		case event := <-seen.ResultChan():
			if pv := event.Object.(*corev1.PersistentVolume); waiting[event.Type] == pv.Name {
				delete(waiting, event.Type)
			}
		}
	}
	if info, err := os.Stat(filepath.Join(dir, "pvc-uid-new")); err != nil || !info.IsDir() {
		t.Errorf("no folder for the new volume: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, old.Name)); err == nil {
		t.Error("the folder of the deleted volume stays")
	}
	if _, err := os.Stat(filepath.Join(dir, "keep/data")); err != nil {
		t.Error(err)
	}
}

func TestProvisionerRefusesARelativeFolder(t *testing.T) {
	p := &Provisioner{Volumes: "volumes"}
	if err := p.Run(t.Context(), "/none"); err == nil || !strings.Contains(err.Error(), `"volumes"`) {
		t.Errorf("error is %v", err)
	}
}
