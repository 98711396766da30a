package v1alpha1_test

import (
	"slices"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
)

const (
	botPool = `{spec: {deskRef: {name: shop}, type: Bot}}`
	longest = "a23456789-123456789-123456789-123456789-123456789-123456789-123" // 63 characters
)

const nameMessage = `Invalid value: metadata.name is longer than 63 characters or holds a dot: shorten it or use hyphens, as the name stands in labels and bus subjects`

// ruleRows hold a pair for each x-kubernetes-validations rule of the four kinds.
var ruleRows = map[string][]ruleRow{
	v1alpha1.KindServiceDesk:      slices.Concat(deskRows, busRows, queueRows, calendarRows, deskPeakRows, webhookRows, roleScalingRows),
	v1alpha1.KindAgentPool:        slices.Concat(poolRows, scalingRows, seatRows, roleRows(`{deskRef: {name: shop}, type: Bot, bot: `, `}`, "spec.bot")),
	v1alpha1.KindKnowledgeBase:    knowledgeRows,
	v1alpha1.KindEscalationPolicy: policyRows,
}

var deskRows = append([]ruleRow{
	{
		name:   "a name of 63 characters fits a label",
		accept: `{metadata: {name: ` + longest + `}}`,
		reject: `{metadata: {name: ` + longest + `4}}`,
		want:   []string{"<nil>: " + nameMessage},
	},
	{
		name:   "a dot in a name would cut a bus subject",
		accept: `{metadata: {name: a-b}}`,
		reject: `{metadata: {name: a.b}}`,
		want:   []string{"<nil>: " + nameMessage},
	},
	{
		name:   "the profile is immutable",
		old:    `{spec: {profile: Compact}}`,
		accept: `{spec: {profile: Compact, displayName: Shop}}`,
		reject: `{spec: {profile: Distributed}}`,
		want:   []string{"spec.profile: Invalid value: profile cannot change from Compact to Distributed: make a new desk and move the customers there"},
	},
	{
		name:   "a Compact desk runs one bus server",
		accept: `{spec: {profile: Compact, bus: {replicas: 1}}}`,
		reject: `{spec: {profile: Compact, bus: {replicas: 3}}}`,
		want:   []string{"spec.bus: Invalid value: profile is Compact but bus.replicas is 3 or bus.external is set: the one pod runs its own bus; remove them or use profile Distributed"},
	},
	{
		name:   "a Compact desk runs its own bus",
		accept: `{spec: {profile: Distributed, bus: {external: {urls: ["tls://nats.example.com:4222"], credentialsSecretRef: {name: nats}}}}}`,
		reject: `{spec: {profile: Compact, bus: {external: {urls: ["tls://nats.example.com:4222"], credentialsSecretRef: {name: nats}}}}}`,
		want:   []string{"spec.bus: Invalid value: profile is Compact but bus.replicas is 3 or bus.external is set: the one pod runs its own bus; remove them or use profile Distributed"},
	},
	{
		name:   "a running desk cannot move its archive to PostgreSQL",
		old:    `{spec: {}}`,
		accept: `{spec: {archive: {}}}`,
		reject: `{spec: {archive: {postgres: {dsnSecretRef: {name: shop-archive}}}}}`,
		want:   []string{"spec.archive: Invalid value: archive.postgres cannot be added to or removed from a running desk, as its closed conversations are in the other database: change it back, or make a new desk"},
	},
	{
		name:   "a running desk cannot leave PostgreSQL",
		old:    `{spec: {archive: {postgres: {dsnSecretRef: {name: shop-archive}}}}}`,
		accept: `{spec: {archive: {postgres: {dsnSecretRef: {name: other}, port: 6432}}}}`,
		reject: `{spec: {archive: {}}}`,
		want:   []string{"spec.archive: Invalid value: archive.postgres cannot be added to or removed from a running desk, as its closed conversations are in the other database: change it back, or make a new desk"},
	},
	{
		name:   "a running desk cannot move to an external bus",
		old:    `{spec: {}}`,
		accept: `{spec: {bus: {}}}`,
		reject: `{spec: {bus: {external: {urls: ["tls://nats.example.com:4222"], credentialsSecretRef: {name: nats}}}}}`,
		want:   []string{"spec.bus: Invalid value: bus.external cannot be added to or removed from a running desk, as its open conversations are on the bus: make a new desk"},
	},
	{
		name:   "a running desk cannot leave an external bus",
		old:    `{spec: {bus: {external: {urls: ["tls://nats.example.com:4222"], credentialsSecretRef: {name: nats}}}}}`,
		accept: `{spec: {bus: {external: {urls: ["tls://other.example.com:4222"], credentialsSecretRef: {name: nats}}}}}`,
		reject: `{spec: {}}`,
		want:   []string{"spec.bus: Invalid value: bus.external cannot be added to or removed from a running desk, as its open conversations are on the bus: make a new desk"},
	},
	{
		name:   "defaultQueue is one of the queues",
		accept: `{spec: {queues: [{name: general}, {name: vip}], defaultQueue: vip}}`,
		reject: `{spec: {queues: [{name: general}, {name: vip}], defaultQueue: vips}}`,
		want:   []string{"spec.defaultQueue: Invalid value: defaultQueue is vips, which is not among queues: add it there or name one of them"},
	},
	{
		name:   "defaultQueue may be the queue that is there by default",
		accept: `{spec: {defaultQueue: general}}`,
		reject: `{spec: {defaultQueue: refunds}}`,
		want:   []string{"spec.defaultQueue: Invalid value: defaultQueue is refunds, which is not among queues: add it there or name one of them"},
	},
	{
		name:   "the queue bot is taken",
		accept: `{spec: {queues: [{name: bots}]}}`,
		reject: `{spec: {queues: [{name: general}, {name: bot}]}}`,
		want:   []string{"spec.queues: Invalid value: queues has a queue named bot: that name is the implicit queue in front of the bots; choose another"},
	},
	{
		name:   "an HTTPRoute needs a Gateway",
		accept: `{spec: {exposure: {type: HTTPRoute, host: help.example.com, gatewayRef: {name: public}}}}`,
		reject: `{spec: {exposure: {type: HTTPRoute, host: help.example.com}}}`,
		want:   []string{"spec.exposure.gatewayRef: Required value: exposure.type is HTTPRoute but gatewayRef is missing: name the Gateway in exposure.gatewayRef"},
	},
	{
		name:   "an HTTPRoute has no fields of an Ingress",
		accept: `{spec: {exposure: {type: HTTPRoute, host: help.example.com, gatewayRef: {name: public, namespace: net}}}}`,
		reject: `{spec: {exposure: {type: HTTPRoute, host: help.example.com, gatewayRef: {name: public}, tlsSecretName: tls}}}`,
		want:   []string{"spec.exposure: Invalid value: exposure.type is HTTPRoute but ingressClassName or tlsSecretName is set: both belong to Ingress, with a Gateway TLS is declared on its listener; remove them"},
	},
	{
		name:   "an Ingress has no Gateway",
		accept: `{spec: {exposure: {type: Ingress, host: help.example.com, tlsSecretName: tls, ingressClassName: nginx}}}`,
		reject: `{spec: {exposure: {type: Ingress, host: help.example.com, gatewayRef: {name: public}}}}`,
		want:   []string{"spec.exposure.gatewayRef: Forbidden: exposure.type is Ingress but gatewayRef is set: remove it, or use type HTTPRoute"},
	},
}, roleRows(`{gateway: `, `}`, "spec.gateway")...)

var busRows = []ruleRow{
	{
		name:   "a bus of two servers survives no loss",
		accept: `{spec: {bus: {replicas: 3}}}`,
		reject: `{spec: {bus: {replicas: 2}}}`,
		want:   []string{"spec.bus.replicas: Invalid value: bus.replicas is 2: use 1 (one server) or 3 (a cluster that survives the loss of one)"},
	},
	{
		name:   "replicas do not apply to an external bus",
		accept: `{spec: {bus: {replicas: 1, external: {urls: ["nats://nats:4222"], credentialsSecretRef: {name: nats}}}}}`,
		reject: `{spec: {bus: {replicas: 3, external: {urls: ["nats://nats:4222"], credentialsSecretRef: {name: nats}}}}}`,
		want:   []string{"spec.bus.replicas: Invalid value: bus.external is set but bus.replicas is not 1: the desk runs no server then; remove replicas"},
	},
	{
		name:   "the membership of a bus is immutable",
		old:    `{spec: {bus: {replicas: 1}}}`,
		accept: `{spec: {bus: {replicas: 1, resources: {limits: {memory: 1Gi}}}}}`,
		reject: `{spec: {bus: {replicas: 3}}}`,
		want:   []string{"spec.bus.replicas: Invalid value: bus.replicas cannot change from 1 to 3: change it back, or make a new desk"},
	},
	{
		name:   "a volume has at least 64Mi",
		accept: `{spec: {bus: {storage: {size: 64Mi}}}}`,
		reject: `{spec: {bus: {storage: {size: 63Mi}}}}`,
		want:   []string{"spec.bus.storage.size: Invalid value: 63Mi is outside 64Mi to 64Ti: ask for a size in this range"},
	},
	{
		name:   "a volume has at most 64Ti, also when its size is a number",
		accept: `{spec: {archive: {storage: {size: 64Ti}}, bus: {storage: {size: 67108864}}}}`,
		reject: `{spec: {archive: {storage: {size: 65Ti}}, bus: {storage: {size: 1024}}}}`,
		want: []string{
			"spec.archive.storage.size: Invalid value: 65Ti is outside 64Mi to 64Ti: ask for a size in this range",
			"spec.bus.storage.size: Invalid value: 1024 is outside 64Mi to 64Ti: ask for a size in this range",
		},
	},
	{
		name:   "the size of a volume is immutable, however it is written",
		old:    `{spec: {archive: {storage: {size: 1Gi}}}}`,
		accept: `{spec: {archive: {storage: {size: 1024Mi}}}}`,
		reject: `{spec: {archive: {storage: {size: 2Gi}}}}`,
		want:   []string{"spec.archive.storage.size: Invalid value: size cannot change from 1Gi: the volume is made once; change it back and enlarge the claim itself where the storage class allows it, or make a new desk"},
	},
	{
		name:   "the storage class is immutable",
		old:    `{spec: {bus: {storage: {storageClassName: fast}}}}`,
		accept: `{spec: {bus: {storage: {storageClassName: fast}, resources: {}}}}`,
		reject: `{spec: {bus: {storage: {storageClassName: slow}}}}`,
		want:   []string{"spec.bus.storage.storageClassName: Invalid value: storageClassName cannot change from fast to slow: the volume is made once; make a new desk"},
	},
	{
		name:   "a storage class cannot be taken away",
		old:    `{spec: {bus: {storage: {storageClassName: fast}}}}`,
		accept: `{spec: {bus: {storage: {storageClassName: fast}}, suspend: true}}`,
		reject: `{spec: {}}`,
		want:   []string{"spec.bus.storage.storageClassName: Invalid value: storageClassName cannot change from fast to the default: the volume is made once; make a new desk"},
	},
	{
		name:   "a storage class cannot be added",
		old:    `{spec: {}}`,
		accept: `{spec: {bus: {storage: {}}}}`,
		reject: `{spec: {bus: {storage: {storageClassName: fast}}}}`,
		want:   []string{"spec.bus.storage.storageClassName: Invalid value: storageClassName cannot change from the default to fast: the volume is made once; make a new desk"},
	},
}

// roleRows are the rules that all roles share, tried on one of them: before and after stand around its YAML.
func roleRows(before, after, path string) []ruleRow {
	spec := func(role string) string { return "{spec: " + before + role + after + "}" }
	return []ruleRow{
		{
			name:   "an amount of CPU is positive",
			accept: spec(`{resources: {requests: {cpu: 1m}, limits: {cpu: 256}}}`),
			reject: spec(`{resources: {requests: {cpu: "0"}, limits: {cpu: 257}}}`),
			want: []string{
				path + ".resources.limits.cpu: Invalid value: 257 is outside 1m to 256: give cores, for example 250m",
				path + ".resources.requests.cpu: Invalid value: 0 is outside 1m to 256: give cores, for example 250m",
			},
		},
		{
			name:   "an amount of memory is one that a role can start with",
			accept: spec(`{resources: {requests: {memory: 16Mi}, limits: {memory: 1Ti}}}`),
			reject: spec(`{resources: {requests: {memory: "128"}, limits: {memory: 2Ti}}}`),
			want: []string{
				path + ".resources.limits.memory: Invalid value: 2Ti is outside 16Mi to 1Ti: give bytes, for example 128Mi",
				path + ".resources.requests.memory: Invalid value: 128 is outside 16Mi to 1Ti: give bytes, for example 128Mi",
			},
		},
		{
			name:   "a CPU request is at most its limit",
			accept: spec(`{resources: {requests: {cpu: 1000m}, limits: {cpu: 1}}}`),
			reject: spec(`{resources: {requests: {cpu: 1001m}, limits: {cpu: 1}}}`),
			want:   []string{path + ".resources.requests.cpu: Invalid value: requests.cpu is above limits.cpu: lower the request or raise the limit"},
		},
		{
			name:   "a memory request is at most its limit",
			accept: spec(`{resources: {requests: {memory: 1024Mi}, limits: {memory: 1Gi}}}`),
			reject: spec(`{resources: {requests: {memory: 1Gi}, limits: {memory: 1G}}}`),
			want:   []string{path + ".resources.requests.memory: Invalid value: requests.memory is above limits.memory: lower the request or raise the limit"},
		},
		{
			name:   "a toleration of existence has no value",
			accept: spec(`{placement: {tolerations: [{operator: Exists}, {operator: Exists, key: spot, effect: NoSchedule}]}}`),
			reject: spec(`{placement: {tolerations: [{operator: Exists, key: spot, value: "yes"}]}}`),
			want:   []string{path + ".placement.tolerations[0].value: Forbidden: operator is Exists but value is yes: remove value, or use operator Equal"},
		},
		{
			name:   "a toleration of equality has a key",
			accept: spec(`{placement: {tolerations: [{key: example.com/spot, value: "yes"}]}}`),
			reject: spec(`{placement: {tolerations: [{value: "yes"}]}}`),
			want:   []string{path + ".placement.tolerations[0].key: Required value: operator is Equal but key is missing: name the taint's key, or use operator Exists to accept every taint"},
		},
		{
			name:   "a node selector selects by label names",
			accept: spec(`{placement: {nodeSelector: {kubernetes.io/arch: arm64, pool: ""}}}`),
			reject: spec(`{placement: {nodeSelector: {"kubernetes.io/": arm64}}}`),
			want:   []string{path + ".placement.nodeSelector: Invalid value: nodeSelector has a key that is no label name: use a name like kubernetes.io/arch"},
		},
	}
}

var poolRows = []ruleRow{
	{
		name:   "a name fits a label",
		accept: `{metadata: {name: ` + longest + `}, spec: {deskRef: {name: shop}, type: Bot}}`,
		reject: `{metadata: {name: ` + longest + `4}, spec: {deskRef: {name: shop}, type: Bot}}`,
		want:   []string{"<nil>: " + nameMessage},
	},
	{
		name:   "the type is immutable",
		old:    botPool,
		accept: `{spec: {deskRef: {name: shop}, type: Bot, concurrency: 9}}`,
		reject: `{spec: {deskRef: {name: shop}, type: Human, human: {members: [ann], queues: [general]}}}`,
		want:   []string{"spec.type: Invalid value: type cannot change from Bot to Human: make a new pool"},
	},
	{
		name:   "the desk is immutable",
		old:    botPool,
		accept: `{spec: {deskRef: {name: shop}, type: Bot, replicas: 4}}`,
		reject: `{spec: {deskRef: {name: shop2}, type: Bot}}`,
		want:   []string{"spec.deskRef.name: Invalid value: deskRef.name cannot change from shop to shop2: make a new pool for that desk"},
	},
	{
		name:   "people have members and queues",
		accept: `{spec: {deskRef: {name: shop}, type: Human, human: {members: [ann], queues: [general]}}}`,
		reject: `{spec: {deskRef: {name: shop}, type: Human}}`,
		want:   []string{"spec.human: Required value: type is Human but human is missing: name the members and the queues in spec.human"},
	},
	{
		name:   "people are no bots",
		accept: `{spec: {deskRef: {name: shop}, type: Bot, bot: {}}}`,
		reject: `{spec: {deskRef: {name: shop}, type: Human, human: {members: [ann], queues: [general]}, bot: {}}}`,
		want:   []string{"spec.bot: Forbidden: type is Human but bot is set: remove spec.bot, or use type Bot"},
	},
	{
		name:   "an offer has five seconds at least",
		accept: `{spec: {deskRef: {name: shop}, type: Human, human: {members: [ann], queues: [general], offerTimeout: 5s}}}`,
		reject: `{spec: {deskRef: {name: shop}, type: Human, human: {members: [ann], queues: [general], offerTimeout: 4s}}}`,
		want:   []string{"spec.human.offerTimeout: Invalid value: offerTimeout is 4s: use 5s to 5m"},
	},
	{
		name:   "bots are no people",
		accept: botPool,
		reject: `{spec: {deskRef: {name: shop}, type: Bot, human: {members: [ann], queues: [general]}}}`,
		want:   []string{"spec.human: Forbidden: type is Bot but human is set: remove spec.human, or use type Human"},
	},
	{
		name:   "people are not replicated",
		accept: `{spec: {deskRef: {name: shop}, type: Human, replicas: 1, human: {members: [ann], queues: [general]}}}`,
		reject: `{spec: {deskRef: {name: shop}, type: Human, replicas: 2, human: {members: [ann], queues: [general]}}}`,
		want:   []string{"spec.replicas: Invalid value: type is Human but replicas is above 1: people are members, not replicas; remove spec.replicas"},
	},
	{
		name:   "people are not scaled to zero",
		accept: `{spec: {deskRef: {name: shop}, type: Bot, replicas: 0}}`,
		reject: `{spec: {deskRef: {name: shop}, type: Human, replicas: 0, human: {members: [ann], queues: [general]}}}`,
		want:   []string{"spec.replicas: Invalid value: type is Human but replicas is 0: people are members, not replicas; remove spec.replicas"},
	},
}

var knowledgeRows = []ruleRow{
	{
		name:   "a name fits a label",
		accept: `{metadata: {name: ` + longest + `}, spec: {sources: {configMaps: [{name: faq}]}}}`,
		reject: `{metadata: {name: ` + longest + `4}, spec: {sources: {configMaps: [{name: faq}]}}}`,
		want:   []string{"<nil>: " + nameMessage},
	},
	{
		name:   "there is a source",
		accept: `{spec: {sources: {inline: [{id: a, questions: [b], answer: c}]}}}`,
		reject: `{spec: {sources: {inline: [], configMaps: []}}}`,
		want:   []string{"spec.sources: Invalid value: sources is empty: give entries in sources.inline or name ConfigMaps in sources.configMaps"},
	},
}

var policyRows = []ruleRow{
	{
		name:   "a name fits a label",
		accept: `{metadata: {name: ` + longest + `}, spec: {rules: [{name: a, when: "true", then: {handOff: {}}}]}}`,
		reject: `{metadata: {name: ` + longest + `4}, spec: {rules: [{name: a, when: "true", then: {handOff: {}}}]}}`,
		want:   []string{"<nil>: " + nameMessage},
	},
	{
		name:   "a rule does something",
		accept: `{spec: {rules: [{name: a, when: "true", then: {priority: 0}}]}}`,
		reject: `{spec: {rules: [{name: a, when: "true", then: {say: []}}]}}`,
		want:   []string{"spec.rules[0].then: Invalid value: then is empty: give at least one of handOff, priority, say"},
	},
	{
		name:   "a rule that only speaks does something",
		accept: `{spec: {rules: [{name: a, when: "true", then: {say: [{language: en, text: hello}]}}]}}`,
		reject: `{spec: {rules: [{name: a, when: "true", then: {}}]}}`,
		want:   []string{"spec.rules[0].then: Invalid value: then is empty: give at least one of handOff, priority, say"},
	},
}
