package plan

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/escalation"
	"github.com/deskfleet/deskfleet/internal/render"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

// DeskInput is what a desk is looked at together with.
type DeskInput struct {
	Desk *v1alpha1.ServiceDesk
	// Pools that name the desk.
	Pools []*v1alpha1.AgentPool
	// Policy that the desk names; nil while it does not exist.
	Policy *v1alpha1.EscalationPolicy
	// Holidays is the data of the ConfigMap that the calendar names; nil while it does not exist.
	Holidays map[string]string
	// Contents of the knowledge bases that the pools name and whose revision the desk does not serve yet, by name.
	Contents map[string]*KnowledgeContent
	// Live is what the desk's children serve now, by knowledge base, of the bases that still exist: it is kept
	// for a base that is broken, and used as it is for one whose revision has not changed.
	Live map[string]Served
	// Users are the public halves of the roles' bus identities.
	Users []runtimeconfig.BusUser
	// LiveDocument is the configuration that the desk's roles have now; nil for none.
	LiveDocument *runtimeconfig.Document
	// Now is the clock; zero for a plan without a cluster, whose documents have no generation.
	Now time.Time
	// Written is the document that was written last, which the cache may not show yet.
	Written Stamp
	// Running is the configuration that the desk reports to have; zero when it is silent.
	Running Configuration
	// Link says how the routers reach the managers; nil for a plan without a cluster.
	Link *runtimeconfig.Link
	// LiveStorage are the claim templates of existing StatefulSets by role, which the API server lets nobody change.
	LiveStorage map[runtimeconfig.Role]v1alpha1.Storage
}

// Desk plans a desk: what to render, and what is wrong. There is nothing to
// render while the desk can be given no configuration.
func Desk(in *DeskInput) (*render.Desk, string, []Problem, error) {
	found := problems{kind: v1alpha1.KindServiceDesk, name: in.Desk.Name}
	spec := in.Desk.Spec.DeepCopy()
	keepStorage(spec, in.LiveStorage)

	bases, laid, err := deskKnowledge(in, &found)
	if err != nil {
		return nil, "", nil, err
	}
	zone, hours := deskCalendar(in, spec, &found)
	deskPeakProblems(&found, in.Desk)
	document := &runtimeconfig.Document{
		Version:     runtimeconfig.Version,
		Namespace:   in.Desk.Namespace,
		Desk:        in.Desk.Name,
		DisplayName: spec.DisplayName,
		TimeZone:    zone,
		Calendar:    hours,
		WebChat:     webChat(spec),
		Queues:      queues(spec, in.Pools),
		Routing:     routing(spec.Routing),
		Pools:       documentPools(spec, in.Pools, names(bases)),
		Rules:       deskRules(in, &found),
		Webhooks:    webhooks(spec),
		Scaled:      scaled(spec),
		Bus:         bus(in, spec),
		Link:        in.Link,
	}
	if document.DisplayName == "" {
		document.DisplayName = in.Desk.Name
	}
	for _, l := range spec.Languages {
		document.Languages = append(document.Languages, string(l))
	}
	document.DefaultQueue = defaultQueue(spec)
	document.RetentionDays = int(spec.Retention.Days)
	for i := range bases {
		document.Knowledge = append(document.Knowledge, bases[i].Base)
	}
	poolsNamed(&found, in.Desk, in.Pools)
	reachability(&found, spec, in.Pools)
	data, err := generate(document, in)
	if err != nil {
		return nil, "", nil, err
	}
	if len(data) > render.MaxDocumentBytes {
		found.add(Terminal, v1alpha1.ReasonInvalidSpec, "spec",
			"shorten what the policy's rules say and how the pools greet, or give some pools a desk of their own",
			"the configuration of the desk is %d KiB, and %d KiB fit; the desk keeps the one that it has", len(data)>>10, render.MaxDocumentBytes>>10)
		if data, laid, err = keepDocument(in); data == nil || err != nil {
			return nil, "", found.sorted(), err
		}
	}
	desk := &render.Desk{Owner: ownerOf(v1alpha1.KindServiceDesk, in.Desk), Spec: *spec, Document: data, Shards: laid, KeptClaims: map[runtimeconfig.Role]bool{}}
	for role := range in.LiveStorage {
		desk.KeptClaims[role] = true
	}
	return desk, runtimeconfig.Revision(data), found.sorted(), nil
}

// keepDocument is what the desk is configured with now; nil for nothing.
func keepDocument(in *DeskInput) ([]byte, []map[string][]byte, error) {
	if in.LiveDocument == nil {
		return nil, nil, nil
	}
	data, err := in.LiveDocument.Marshal()
	if err != nil {
		return nil, nil, err
	}
	var served []Served
	for _, base := range in.LiveDocument.Knowledge {
		if s, there := in.Live[base.Name]; there {
			served = append(served, s)
		}
	}
	laid, err := shards(served)
	return data, laid, err
}

func ownerOf(kind string, object metav1.Object) render.Owner {
	return render.Owner{Kind: kind, Namespace: object.GetNamespace(), Name: object.GetName(), UID: object.GetUID()}
}

// scaled are the roles that tell their load.
func scaled(spec *v1alpha1.ServiceDeskSpec) []runtimeconfig.Role {
	var roles []runtimeconfig.Role
	for _, role := range render.ScaledRoles {
		if render.Scaled(spec, role) != nil {
			roles = append(roles, role)
		}
	}
	return roles
}

func byName(a, b *v1alpha1.AgentPool) int { return strings.Compare(a.Name, b.Name) }

// keepStorage puts the storage of existing claims in place of the spec's: claim
// templates are immutable, and an apply that changes one is refused whole.
func keepStorage(spec *v1alpha1.ServiceDeskSpec, live map[runtimeconfig.Role]v1alpha1.Storage) {
	for role, storage := range live {
		switch role {
		case runtimeconfig.RoleArchive:
			spec.Archive.Storage = storage.DeepCopy()
		case runtimeconfig.RoleBus, runtimeconfig.RoleDesk:
			spec.Bus.Storage = storage.DeepCopy()
		default: // the other roles have no volume
		}
	}
}

// deskKnowledge lays out the content of all bases that the desk's bots name. A
// base that is broken stays as the desk serves it now.
func deskKnowledge(in *DeskInput, found *problems) ([]Served, []map[string][]byte, error) {
	var bases []Served
	for _, name := range KnowledgeNames(in.Pools) {
		if content := in.Contents[name]; content != nil {
			served, err := pack(content)
			if err != nil {
				return nil, nil, err
			}
			bases = append(bases, served)
		} else if live, kept := in.Live[name]; kept {
			bases = append(bases, live)
		}
	}
	laid, err := shards(bases)
	if tooLarge := (*tooLargeError)(nil); errors.As(err, &tooLarge) {
		found.add(Terminal, v1alpha1.ReasonInvalidSpec, "spec", "use fewer or smaller knowledge bases in the desk's bot pools", "%v", err)
		bases = keptOnly(bases, in.Live)
		laid, err = shards(bases)
		// What fitted together may not fit with one of it gone: the first that has room takes a file, not the best.
		for len(bases) > 0 && errors.As(err, &tooLarge) {
			bases = bases[:len(bases)-1]
			laid, err = shards(bases)
		}
	}
	return bases, laid, err
}

// keptOnly replaces each base by what the desk serves now.
func keptOnly(bases []Served, live map[string]Served) []Served {
	var kept []Served
	for i := range bases {
		if s, there := live[bases[i].Base.Name]; there {
			kept = append(kept, s)
		}
	}
	return kept
}

// KnowledgeNames are the names of all knowledge bases that the bots of pools
// answer from, sorted, each once.
func KnowledgeNames(pools []*v1alpha1.AgentPool) []string {
	var all []string
	for _, pool := range pools {
		if pool.Spec.Bot != nil {
			for _, ref := range pool.Spec.Bot.KnowledgeBaseRefs {
				all = append(all, string(ref.Name))
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func names(bases []Served) map[string]bool {
	set := map[string]bool{}
	for i := range bases {
		set[bases[i].Base.Name] = true
	}
	return set
}

// deskRules are the rules of the last policy that compiled. While a policy is
// named and there is none, the desk keeps the rules that it has: a policy that is
// deleted by mistake, or made anew with an error, must not keep a customer who
// needs a person with the bots.
func deskRules(in *DeskInput, found *problems) []escalation.Rule {
	ref := in.Desk.Spec.EscalationPolicyRef
	if ref == nil {
		return nil
	}
	const field = "spec.escalationPolicyRef.name"
	rules, kept := liveRules(in.LiveDocument)
	switch policy := in.Policy; {
	case policy == nil:
		found.add(Waiting, v1alpha1.ReasonReferenceMissing, field, "apply the EscalationPolicy, or remove the reference",
			"EscalationPolicy %s does not exist in namespace %s%s", ref.Name, in.Desk.Namespace, kept)
	case policy.Status.LastGoodGeneration == 0:
		found.add(Waiting, v1alpha1.ReasonReferenceNotReady, field, "look at the conditions of that EscalationPolicy",
			"EscalationPolicy %s has never compiled%s", ref.Name, kept)
	default:
		rules = Rules(policy.Status.LastGoodRules)
	}
	for i := range rules {
		h := rules[i].Then.HandOff
		if h == nil || h.Queue == "" || hasQueue(&in.Desk.Spec, h.Queue) {
			continue
		}
		found.add(Waiting, v1alpha1.ReasonReferenceMissing, "spec.queues",
			fmt.Sprintf("add the queue to the desk, or change spec.rules[%d](%s).then.handOff.queue of the policy; until then the rule hands off to %s", i, rules[i].Name, defaultQueue(&in.Desk.Spec)),
			"rule %q of EscalationPolicy %s hands off to queue %q, which the desk does not have", rules[i].Name, ref.Name, h.Queue)
		h.Queue = ""
	}
	return rules
}

// liveRules are the rules that the desk has now, and the words for keeping them.
func liveRules(document *runtimeconfig.Document) (rules []escalation.Rule, kept string) {
	if document == nil || len(document.Rules) == 0 {
		return nil, ""
	}
	return document.Rules, "; the desk keeps the rules that it has"
}

func defaultQueue(spec *v1alpha1.ServiceDeskSpec) string {
	if spec.DefaultQueue != nil {
		return string(*spec.DefaultQueue)
	}
	return string(spec.Queues[0].Name)
}

func webChat(spec *v1alpha1.ServiceDeskSpec) runtimeconfig.WebChat {
	chat := spec.Channels.WebChat
	converted := runtimeconfig.WebChat{MaxMessageLength: int(chat.MaxMessageLength), MessagesPerMinute: int(chat.MessagesPerMinute)}
	for _, origin := range chat.AllowedOrigins {
		converted.AllowedOrigins = append(converted.AllowedOrigins, string(origin))
	}
	return converted
}

// storeShare of the bus's volume is what the streams may fill; the rest is for
// their indexes and for the compaction that frees space again.
const storeSharePercent = 75

func bus(in *DeskInput, spec *v1alpha1.ServiceDeskSpec) runtimeconfig.Bus {
	b := runtimeconfig.Bus{
		URLs:     render.BusURLs(in.Desk.Namespace, in.Desk.Name, spec),
		External: spec.Bus.External != nil,
		Users:    in.Users,
	}
	if !b.External {
		b.Replicas = int(spec.Bus.Replicas)
		b.Routes = render.BusRoutes(in.Desk.Namespace, in.Desk.Name, spec.Bus.Replicas)
		b.MaxStoreBytes = spec.Bus.Storage.Size.Value() / 100 * storeSharePercent
	}
	return b
}
