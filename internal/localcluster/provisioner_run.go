package localcluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typedcore "k8s.io/client-go/kubernetes/typed/core/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	storagelisters "k8s.io/client-go/listers/storage/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	k8srecord "k8s.io/client-go/tools/record"
)

// lookAgain is the longest time between two looks: the retry of what failed.
const lookAgain = 5 * time.Second

// Provisioner makes a folder of the node into a volume for each claim of the
// cluster's StorageClass, and removes it when the claim is deleted.
type Provisioner struct {
	Node    string // name of the node it works for
	Volumes string // absolute path of the folder that holds the volumes' folders
	Log     *slog.Logger

	client  kubernetes.Interface
	claims  corelisters.PersistentVolumeClaimLister
	volumes corelisters.PersistentVolumeLister
	classes storagelisters.StorageClassLister
	events  k8srecord.EventRecorder
}

// Run works until the context ends; it returns an error only if it cannot begin.
func (p *Provisioner) Run(ctx context.Context, kubeconfig string) error {
	if !filepath.IsAbs(p.Volumes) {
		return fmt.Errorf("volumes %q: use an absolute path", p.Volumes)
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	return p.run(ctx, client)
}

func (p *Provisioner) run(ctx context.Context, client kubernetes.Interface) error {
	p.client = client
	broadcaster := k8srecord.NewBroadcaster(k8srecord.WithContext(ctx))
	defer broadcaster.Shutdown()
	broadcaster.StartRecordingToSink(&typedcore.EventSinkImpl{Interface: client.CoreV1().Events("")})
	p.events = broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: provisionerName})

	factory := informers.NewSharedInformerFactory(client, 0)
	claims, volumes, classes := factory.Core().V1().PersistentVolumeClaims(), factory.Core().V1().PersistentVolumes(), factory.Storage().V1().StorageClasses()
	p.claims, p.volumes, p.classes = claims.Lister(), volumes.Lister(), classes.Lister()
	changed := make(chan struct{}, 1)
	wake := func(any) {
		select {
		case changed <- struct{}{}:
		default: // a look is due already, and it will see this change
		}
	}
	handler := cache.ResourceEventHandlerFuncs{AddFunc: wake, UpdateFunc: func(_, now any) { wake(now) }, DeleteFunc: wake}
	for _, informer := range []cache.SharedIndexInformer{claims.Informer(), volumes.Informer(), classes.Informer()} {
		if _, err := informer.AddEventHandler(handler); err != nil {
			return err
		}
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	p.Log.Info("provisioner started", "node", p.Node, "volumes", p.Volumes)

	ticker := time.NewTicker(lookAgain)
	defer ticker.Stop()
	for {
		if err := p.look(ctx); err != nil && ctx.Err() == nil {
			p.Log.Error("some volumes are not done", "error", err)
		}
		select {
		case <-ctx.Done():
			factory.Shutdown()
			return nil
		case <-changed:
		case <-ticker.C:
		}
	}
}

// look does everything that is due now.
func (p *Provisioner) look(ctx context.Context) error {
	claims, err := p.claims.List(labels.Everything())
	if err != nil {
		return err
	}
	volumes, err := p.volumes.List(labels.Everything())
	if err != nil {
		return err
	}
	classes, err := p.classes.List(labels.Everything())
	if err != nil {
		return err
	}
	plan := planVolumes(p.Node, p.Volumes, claims, volumes, classes)
	var errs []error
	for _, pv := range plan.Create {
		errs = append(errs, p.create(ctx, pv))
	}
	for _, pv := range plan.Delete {
		errs = append(errs, p.remove(ctx, pv))
	}
	for _, r := range plan.Refuse {
		p.events.Event(r.Claim, corev1.EventTypeWarning, "ProvisioningFailed", r.Reason)
	}
	return errors.Join(errs...)
}

// create makes the folder first: a volume without one keeps its pod from starting.
func (p *Provisioner) create(ctx context.Context, pv *corev1.PersistentVolume) error {
	// As a new disk is: root's own. The kubelet gives it to the pod's fsGroup; a
	// pod without one fails here as it would on a real cluster.
	if err := os.MkdirAll(pv.Spec.Local.Path, 0o755); err != nil {
		return err
	}
	_, err := p.client.CoreV1().PersistentVolumes().Create(ctx, pv, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil // made before, the cache does not show it yet
	}
	if err != nil {
		return fmt.Errorf("create volume %s: %w", pv.Name, err)
	}
	p.Log.Info("volume created", "volume", pv.Name, "claim", pv.Spec.ClaimRef.Namespace+"/"+pv.Spec.ClaimRef.Name)
	return nil
}

// remove removes the folder first: a deleted volume whose folder is left would be found by nobody.
func (p *Provisioner) remove(ctx context.Context, pv *corev1.PersistentVolume) error {
	if err := os.RemoveAll(pv.Spec.Local.Path); err != nil {
		return err
	}
	err := p.client.CoreV1().PersistentVolumes().Delete(ctx, pv.Name, metav1.DeleteOptions{
		Preconditions: &metav1.Preconditions{UID: &pv.UID},
	})
	if apierrors.IsNotFound(err) {
		return nil // deleted before, the cache does not show it yet
	}
	if err != nil {
		return fmt.Errorf("delete volume %s: %w", pv.Name, err)
	}
	p.Log.Info("volume deleted", "volume", pv.Name)
	return nil
}
