package references

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/plan"
)

// Sources reads the ConfigMaps that a knowledge base names, from the API server:
// users' ConfigMaps are watched by their metadata only, so that foreign content
// takes no memory.
func Sources(ctx context.Context, live client.Reader, kb *v1alpha1.KnowledgeBase) (plan.Sources, error) {
	sources := plan.Sources{}
	for _, ref := range kb.Spec.Sources.ConfigMaps {
		configMap, err := Optional(ctx, live, kb.Namespace, string(ref.Name), &corev1.ConfigMap{})
		if err != nil {
			return nil, fmt.Errorf("sources of knowledge base %s: %w", kb.Name, err)
		}
		if configMap != nil {
			sources[configMap.Name] = configMap.Data
		}
	}
	return sources, nil
}
