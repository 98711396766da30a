package v1alpha1_test

var roleScalingRows = []ruleRow{
	{
		name:   "the gateways of a Compact desk do not scale",
		accept: `{spec: {profile: Distributed, gateway: {scaling: {max: 5}}}}`,
		reject: `{spec: {profile: Compact, gateway: {scaling: {max: 5}}}}`,
		want:   []string{"spec.profile: Invalid value: profile is Compact but gateway.scaling, console.scaling or knowledge.scaling is set: one pod runs all roles; remove them or use profile Distributed"},
	},
	{
		name:   "the consoles of a Compact desk do not scale",
		accept: `{spec: {profile: Compact, console: {replicas: 2}}}`,
		reject: `{spec: {profile: Compact, console: {scaling: {max: 5}}}}`,
		want:   []string{"spec.profile: Invalid value: profile is Compact but gateway.scaling, console.scaling or knowledge.scaling is set: one pod runs all roles; remove them or use profile Distributed"},
	},
	{
		name:   "the knowledge role of a Compact desk does not scale",
		accept: `{spec: {profile: Compact}}`,
		reject: `{spec: {profile: Compact, knowledge: {scaling: {max: 5}}}}`,
		want:   []string{"spec.profile: Invalid value: profile is Compact but gateway.scaling, console.scaling or knowledge.scaling is set: one pod runs all roles; remove them or use profile Distributed"},
	},
	{
		name:   "gateways: min is at most max",
		accept: `{spec: {gateway: {scaling: {min: 5, max: 5, connectionsPerReplica: 10}}}}`,
		reject: `{spec: {gateway: {scaling: {min: 6, max: 5}}}}`,
		want:   []string{"spec.gateway.scaling.min: Invalid value: min is above max: lower min or raise max"},
	},
	{
		name:   "gateways: the default of min counts",
		accept: `{spec: {gateway: {scaling: {min: 1, max: 1}}}}`,
		reject: `{spec: {gateway: {scaling: {max: 1}}}}`,
		want:   []string{"spec.gateway.scaling.min: Invalid value: min is above max: lower min or raise max"},
	},
	{
		name:   "consoles: min is at most max",
		accept: `{spec: {console: {scaling: {min: 5, max: 5, agentsPerReplica: 5}}}}`,
		reject: `{spec: {console: {scaling: {min: 6, max: 5}}}}`,
		want:   []string{"spec.console.scaling.min: Invalid value: min is above max: lower min or raise max"},
	},
	{
		name:   "knowledge: min is at most max",
		accept: `{spec: {knowledge: {scaling: {min: 5, max: 5, queriesPerSecondPerReplica: 1}}}}`,
		reject: `{spec: {knowledge: {scaling: {min: 6, max: 5}}}}`,
		want:   []string{"spec.knowledge.scaling.min: Invalid value: min is above max: lower min or raise max"},
	},
}
