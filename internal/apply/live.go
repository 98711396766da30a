package apply

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/deskfleet/deskfleet/internal/render"
)

// OwnerIndex is the field by which caches index children: the UID of their controller.
const OwnerIndex = "metadata.controller.uid"

// IndexOwner is the extractor of OwnerIndex.
func IndexOwner(obj client.Object) []string {
	if owner := metav1.GetControllerOf(obj); owner != nil {
		return []string{string(owner.UID)}
	}
	return nil
}

// Kind is a kind of children: how one looks, and how a list of them.
type Kind struct {
	GroupVersionKind schema.GroupVersionKind
	Object           client.Object
	List             client.ObjectList
}

func kind(gv schema.GroupVersion, name string, object client.Object, list client.ObjectList) Kind {
	return Kind{GroupVersionKind: gv.WithKind(name), Object: object, List: list}
}

// DeskKinds are the kinds of a desk's children, in the order in which they are
// applied: what pods mount comes before the pods, which would wait for a minute
// after a first failed mount.
func DeskKinds() []Kind {
	return []Kind{
		kind(corev1.SchemeGroupVersion, "ServiceAccount", &corev1.ServiceAccount{}, &corev1.ServiceAccountList{}),
		kind(corev1.SchemeGroupVersion, "Secret", &corev1.Secret{}, &corev1.SecretList{}),
		kind(corev1.SchemeGroupVersion, "ConfigMap", &corev1.ConfigMap{}, &corev1.ConfigMapList{}),
		kind(corev1.SchemeGroupVersion, "Service", &corev1.Service{}, &corev1.ServiceList{}),
		kind(networkingv1.SchemeGroupVersion, "NetworkPolicy", &networkingv1.NetworkPolicy{}, &networkingv1.NetworkPolicyList{}),
		kind(policyv1.SchemeGroupVersion, "PodDisruptionBudget", &policyv1.PodDisruptionBudget{}, &policyv1.PodDisruptionBudgetList{}),
		kind(appsv1.SchemeGroupVersion, "StatefulSet", &appsv1.StatefulSet{}, &appsv1.StatefulSetList{}),
		kind(appsv1.SchemeGroupVersion, "Deployment", &appsv1.Deployment{}, &appsv1.DeploymentList{}),
		kind(networkingv1.SchemeGroupVersion, "Ingress", &networkingv1.Ingress{}, &networkingv1.IngressList{}),
	}
}

// PoolKinds are the kinds of a pool's children.
func PoolKinds() []Kind {
	return []Kind{
		kind(policyv1.SchemeGroupVersion, "PodDisruptionBudget", &policyv1.PodDisruptionBudget{}, &policyv1.PodDisruptionBudgetList{}),
		kind(appsv1.SchemeGroupVersion, "Deployment", &appsv1.Deployment{}, &appsv1.DeploymentList{}),
	}
}

// HTTPRouteKind is a kind of a desk's children on clusters that have the Gateway API.
func HTTPRouteKind() Kind {
	object, list := &unstructured.Unstructured{}, &unstructured.UnstructuredList{}
	object.SetGroupVersionKind(render.HTTPRouteKind)
	list.SetGroupVersionKind(render.HTTPRouteKind)
	return Kind{GroupVersionKind: render.HTTPRouteKind, Object: object, List: list}
}

// Key names a child within a namespace.
type Key struct{ Kind, Name string }

// Live are the children of one owner, as the cache knows them.
type Live map[Key]client.Object

// Observe lists the children of an owner from a cache that is indexed by OwnerIndex.
func Observe(ctx context.Context, reader client.Reader, kinds []Kind, namespace string, owner types.UID) (Live, error) {
	live := Live{}
	for _, k := range kinds {
		list, ok := k.List.DeepCopyObject().(client.ObjectList)
		if !ok {
			return nil, fmt.Errorf("%T is no list", k.List)
		}
		if err := reader.List(ctx, list, client.InNamespace(namespace), client.MatchingFields{OwnerIndex: string(owner)}); err != nil {
			return nil, fmt.Errorf("list %s: %w", k.GroupVersionKind.Kind, err)
		}
		items, err := meta.ExtractList(list)
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", k.GroupVersionKind.Kind, err)
		}
		for _, item := range items {
			if object, isObject := item.(client.Object); isObject {
				live[Key{Kind: k.GroupVersionKind.Kind, Name: object.GetName()}] = object
			}
		}
	}
	return live, nil
}

// Get returns a child of a known type; nil when it does not exist.
func Get[T client.Object](live Live, kind, name string) T {
	object, _ := live[Key{Kind: kind, Name: name}].(T) // a missing entry gives the zero T, which is nil
	return object
}
