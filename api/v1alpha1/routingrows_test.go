package v1alpha1_test

// aQueue is a desk with two queues, of which the second has more fields.
func aQueue(fields string) string {
	return `{spec: {queues: [{name: general}, {name: refunds, ` + fields + `}]}}`
}

// aWait is a row for a duration of a queue that is bounded by 1s and 24h: before and after stand around its value.
func aWait(name, before, after, path, field string) ruleRow {
	return ruleRow{
		name:   name,
		accept: aQueue(before + `24h` + after),
		reject: aQueue(before + `24h1s` + after),
		want:   []string{"spec.queues[1]." + path + ": Invalid value: " + field + " is 24h1s: use 1s to 24h"},
	}
}

var queueRows = []ruleRow{
	aWait("a service level is measured in a day at most", `serviceLevel: {within: `, `}`, "serviceLevel.within", "within"),
	aWait("a ring begins within a day", `relax: [{drop: All, after: `, `}]`, "relax[0].after", "after"),
	aWait("nobody waits longer than a day", `overflow: [{predictedWait: 1m, action: Callback}], maxWait: `, ``, "maxWait", "maxWait"),
	aWait("a day is the longest predicted wait", `overflow: [{action: Callback, predictedWait: `, `}]`, "overflow[0].predictedWait", "predictedWait"),
	{
		name:   "the times of a queue have a second at least",
		accept: aQueue(`serviceLevel: {within: 1s}, relax: [{drop: All, after: 1s}], maxWait: 1s, overflow: [{predictedWait: 1s, action: Callback}]`),
		reject: aQueue(`serviceLevel: {within: 0s}, relax: [{drop: All, after: 0s}], maxWait: 0s, overflow: [{predictedWait: 0s, action: Callback}]`),
		want: []string{
			"spec.queues[1].maxWait: Invalid value: maxWait is 0s: use 1s to 24h",
			"spec.queues[1].overflow[0].predictedWait: Invalid value: predictedWait is 0s: use 1s to 24h",
			"spec.queues[1].relax[0].after: Invalid value: after is 0s: use 1s to 24h",
			"spec.queues[1].serviceLevel.within: Invalid value: within is 0s: use 1s to 24h",
		},
	},
	{
		name:   "a ring widens something",
		accept: aQueue(`relax: [{after: 30s, lowerLevelsBy: 1}, {after: 60s, drop: Preferred}, {after: 90s, addPools: [backup]}]`),
		reject: aQueue(`relax: [{after: 30s, drop: None}]`),
		want:   []string{"spec.queues[1].relax[0]: Invalid value: the ring after 30s widens nothing: give at least one of lowerLevelsBy, drop, addPools"},
	},
	{
		name:   "rings are in the order of their times",
		accept: aQueue(`relax: [{after: 90s, drop: Preferred}, {after: 2m, drop: All}]`),
		reject: aQueue(`relax: [{after: 2m, drop: Preferred}, {after: 90s, drop: All}]`),
		want:   []string{"spec.queues[1].relax: Invalid value: the times of relax of queue refunds do not increase: give each ring a greater after than the one before it"},
	},
	{
		name:   "no two rings begin at a time, however it is written",
		accept: aQueue(`relax: [{after: 60s, drop: Preferred}, {after: 61s, drop: All}]`),
		reject: aQueue(`relax: [{after: 60s, drop: Preferred}, {after: 1m, drop: All}]`),
		want:   []string{"spec.queues[1].relax: Invalid value: the times of relax of queue refunds do not increase: give each ring a greater after than the one before it"},
	},
	{
		name:   "steps of overflow are in the order of the waits",
		accept: aQueue(`overflow: [{predictedWait: 60s, action: Pool, pool: backup}, {predictedWait: 2m, action: Queue, queue: general}, {predictedWait: 5m, action: Callback}]`),
		reject: aQueue(`overflow: [{predictedWait: 2m, action: Callback}, {predictedWait: 60s, action: Pool, pool: backup}]`),
		want:   []string{"spec.queues[1].overflow: Invalid value: the times of overflow of queue refunds do not increase: give each step a greater predictedWait than the one before it"},
	},
	{
		name:   "a limit says what happens beyond it",
		accept: aQueue(`maxLength: 10, overflow: [{predictedWait: 10m, action: Callback}]`),
		reject: aQueue(`maxLength: 10`),
		want:   []string{"spec.queues[1].overflow: Required value: queue refunds has maxLength or maxWait but no overflow: add a step to overflow that says what happens then, or remove the limit"},
	},
	{
		name:   "a longest wait says what happens after it",
		accept: aQueue(`maxWait: 10m, overflow: [{predictedWait: 10m, action: Callback}]`),
		reject: aQueue(`maxWait: 10m`),
		want:   []string{"spec.queues[1].overflow: Required value: queue refunds has maxLength or maxWait but no overflow: add a step to overflow that says what happens then, or remove the limit"},
	},
	{
		name:   "a step to a pool names it",
		accept: aQueue(`overflow: [{predictedWait: 1m, action: Pool, pool: backup}]`),
		reject: aQueue(`overflow: [{predictedWait: 1m, action: Pool}]`),
		want:   []string{"spec.queues[1].overflow[0].pool: Invalid value: action is Pool but pool is missing: name the AgentPool"},
	},
	{
		name:   "other steps name no pool",
		accept: aQueue(`overflow: [{predictedWait: 1m, action: Callback}]`),
		reject: aQueue(`overflow: [{predictedWait: 1m, action: Callback, pool: backup}]`),
		want:   []string{"spec.queues[1].overflow[0].pool: Invalid value: action is Callback but pool is set: remove pool, or use action Pool"},
	},
	{
		name:   "a step to a queue names it",
		accept: aQueue(`overflow: [{predictedWait: 1m, action: Queue, queue: general}]`),
		reject: aQueue(`overflow: [{predictedWait: 1m, action: Queue}]`),
		want:   []string{"spec.queues[1].overflow[0].queue: Invalid value: action is Queue but queue is missing: name another queue of the desk"},
	},
	{
		name:   "other steps name no queue",
		accept: aQueue(`overflow: [{predictedWait: 1m, action: Callback}]`),
		reject: aQueue(`overflow: [{predictedWait: 1m, action: Callback, queue: general}]`),
		want:   []string{"spec.queues[1].overflow[0].queue: Invalid value: action is Callback but queue is set: remove queue, or use action Queue"},
	},
	{
		name:   "a message has a text",
		accept: aQueue(`overflow: [{predictedWait: 1m, action: Message, say: [{language: en, text: Sorry}]}]`),
		reject: aQueue(`overflow: [{predictedWait: 1m, action: Message}]`),
		want:   []string{"spec.queues[1].overflow[0].say: Invalid value: action is Message but say is missing: give a text a language"},
	},
	{
		name:   "other steps say nothing",
		accept: aQueue(`overflow: [{predictedWait: 1m, action: Callback}]`),
		reject: aQueue(`overflow: [{predictedWait: 1m, action: Callback, say: [{language: en, text: Sorry}]}]`),
		want:   []string{"spec.queues[1].overflow[0].say: Invalid value: action is Callback but say is set: remove say, or use action Message"},
	},
	{
		name:   "a queue overflows to one of the desk",
		accept: aQueue(`overflow: [{predictedWait: 1m, action: Queue, queue: general}]`),
		reject: aQueue(`overflow: [{predictedWait: 1m, action: Queue, queue: generals}]`),
		want:   []string{"spec.queues: Invalid value: overflow of a queue names a queue that is not among queues: add it there or name one of them"},
	},
	{
		name:   "a queue overflows to another one",
		accept: aQueue(`overflow: [{predictedWait: 1m, action: Queue, queue: general}]`),
		reject: aQueue(`overflow: [{predictedWait: 1m, action: Queue, queue: refunds}]`),
		want:   []string{"spec.queues[1].overflow: Invalid value: queue refunds overflows to itself: name another queue of the desk"},
	},
	{
		name:   "a contact sticks to an agent for 30 days at most",
		accept: `{spec: {routing: {stickyFor: 720h, reopenFor: 1s}}}`,
		reject: `{spec: {routing: {stickyFor: 720h1s, reopenFor: 0s}}}`,
		want: []string{
			"spec.routing.reopenFor: Invalid value: reopenFor is 0s: use 1s to 168h",
			"spec.routing.stickyFor: Invalid value: stickyFor is 720h1s: use 0s to 720h",
		},
	},
	{
		name:   "a conversation is reopened within a week at most",
		accept: `{spec: {routing: {stickyFor: 0s, reopenFor: 168h}}}`,
		reject: `{spec: {routing: {reopenFor: 169h}}}`,
		want:   []string{"spec.routing.reopenFor: Invalid value: reopenFor is 169h: use 1s to 168h"},
	},
}
