package references

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/plan"
)

// gathering is how many knowledge bases are gathered at a time. The largest that
// the schema allows, 16 MiB of entries, takes some 300 MiB of memory while it is
// parsed: with one for each worker a few tenants could end the operator.
const gathering = 2

// Gatherer reads the sources of knowledge bases.
type Gatherer struct {
	// live reads from the API server: users' ConfigMaps are watched by their metadata only, so that foreign content
	// takes no memory.
	live  client.Reader
	slots chan struct{}
}

// NewGatherer makes a Gatherer, of which an operator needs one; live must read from the API server.
func NewGatherer(live client.Reader) *Gatherer {
	return &Gatherer{live: live, slots: make(chan struct{}, gathering)}
}

// Gather reads the ConfigMaps that a knowledge base names and checks all entries.
// With problems there is no content.
func (g *Gatherer) Gather(ctx context.Context, kb *v1alpha1.KnowledgeBase) (*plan.KnowledgeContent, []plan.Problem, error) {
	select {
	case g.slots <- struct{}{}:
		defer func() { <-g.slots }()
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	sources := plan.Sources{}
	for _, ref := range kb.Spec.Sources.ConfigMaps {
		configMap, err := Optional(ctx, g.live, kb.Namespace, string(ref.Name), &corev1.ConfigMap{})
		if err != nil {
			return nil, nil, fmt.Errorf("sources of knowledge base %s: %w", kb.Name, err)
		}
		if configMap != nil {
			sources[configMap.Name] = configMap.Data
		}
	}
	content, problems := plan.KnowledgeBase(kb, sources)
	return content, problems, nil
}
