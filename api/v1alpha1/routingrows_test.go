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
	aWait("nobody waits longer than a day", `overflow: [{predictedWait: 1m, action: Pool, pool: backup}], maxWait: `, ``, "maxWait", "maxWait"),
	aWait("a day is the longest predicted wait", `overflow: [{action: Pool, pool: backup, predictedWait: `, `}]`, "overflow[0].predictedWait", "predictedWait"),
	{
		name:   "the times of a queue have a second at least",
		accept: aQueue(`serviceLevel: {within: 1s}, relax: [{drop: All, after: 1s}], maxWait: 1s, overflow: [{predictedWait: 1s, action: Pool, pool: backup}]`),
		reject: aQueue(`serviceLevel: {within: 0s}, relax: [{drop: All, after: 0s}], maxWait: 0s, overflow: [{predictedWait: 0s, action: Pool, pool: backup}]`),
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
		accept: aQueue(`overflow: [{predictedWait: 60s, action: Pool, pool: backup}, {predictedWait: 2m, action: Queue, queue: general}, {predictedWait: 5m, action: Pool, pool: late}]`),
		reject: aQueue(`overflow: [{predictedWait: 2m, action: Pool, pool: late}, {predictedWait: 60s, action: Pool, pool: backup}]`),
		want:   []string{"spec.queues[1].overflow: Invalid value: the times of overflow of queue refunds do not increase: give each step a greater predictedWait than the one before it"},
	},
	{
		name:   "a limit says what happens beyond it",
		accept: aQueue(`maxLength: 10, overflow: [{predictedWait: 10m, action: Pool, pool: backup}]`),
		reject: aQueue(`maxLength: 10`),
		want:   []string{"spec.queues[1].overflow: Required value: queue refunds has maxLength or maxWait but no overflow: add a step to overflow that says what happens then, or remove the limit"},
	},
	{
		name:   "a longest wait says what happens after it",
		accept: aQueue(`maxWait: 10m, overflow: [{predictedWait: 10m, action: Pool, pool: backup}]`),
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
		accept: aQueue(`overflow: [{predictedWait: 1m, action: Queue, queue: general}]`),
		reject: aQueue(`overflow: [{predictedWait: 1m, action: Queue, queue: general, pool: backup}]`),
		want:   []string{"spec.queues[1].overflow[0].pool: Invalid value: action is Queue but pool is set: remove pool, or use action Pool"},
	},
	{
		name:   "a step to a queue names it",
		accept: aQueue(`overflow: [{predictedWait: 1m, action: Queue, queue: general}]`),
		reject: aQueue(`overflow: [{predictedWait: 1m, action: Queue}]`),
		want:   []string{"spec.queues[1].overflow[0].queue: Invalid value: action is Queue but queue is missing: name another queue of the desk"},
	},
	{
		name:   "other steps name no queue",
		accept: aQueue(`overflow: [{predictedWait: 1m, action: Pool, pool: backup}]`),
		reject: aQueue(`overflow: [{predictedWait: 1m, action: Pool, pool: backup, queue: general}]`),
		want:   []string{"spec.queues[1].overflow[0].queue: Invalid value: action is Pool but queue is set: remove queue, or use action Queue"},
	},
	{
		name:   "a message has a text",
		accept: aQueue(`overflow: [{predictedWait: 1m, action: Message, say: [{language: en, text: Sorry}]}]`),
		reject: aQueue(`overflow: [{predictedWait: 1m, action: Message}]`),
		want:   []string{"spec.queues[1].overflow[0].say: Invalid value: action is Message but say is missing: give a text a language"},
	},
	{
		name:   "an offer to call back has a text",
		accept: aQueue(`overflow: [{predictedWait: 1m, action: Callback, say: [{language: en, text: Later}]}]`),
		reject: aQueue(`overflow: [{predictedWait: 1m, action: Callback}]`),
		want:   []string{"spec.queues[1].overflow[0].say: Invalid value: action is Callback but say is missing: give a text a language"},
	},
	{
		name:   "bots may help out with a word, and without",
		accept: aQueue(`overflow: [{predictedWait: 1m, action: Bot}, {predictedWait: 2m, action: Bot, say: [{language: en, text: Meanwhile}]}]`),
		reject: aQueue(`overflow: [{predictedWait: 1m, action: Bot, pool: backup}]`),
		want:   []string{"spec.queues[1].overflow[0].pool: Invalid value: action is Bot but pool is set: remove pool, or use action Pool"},
	},
	{
		name:   "other steps say nothing",
		accept: aQueue(`overflow: [{predictedWait: 1m, action: Pool, pool: backup}]`),
		reject: aQueue(`overflow: [{predictedWait: 1m, action: Pool, pool: backup, say: [{language: en, text: Sorry}]}]`),
		want:   []string{"spec.queues[1].overflow[0].say: Invalid value: action is Pool but say is set: remove say, or use action Message"},
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

// aPool is a pool of two people who serve two queues, with more fields; around is what stands beside human.
func aPool(fields, around string) string {
	return `{spec: {deskRef: {name: shop}, type: Human, human: {members: [ann, bob], queues: [general, vip], ` + fields + `}` + around + `}}`
}

var seatRows = []ruleRow{
	{
		name:   "notes take an hour at most",
		accept: aPool(`wrapUp: 1h`, ``),
		reject: aPool(`wrapUp: 61m`, ``),
		want:   []string{"spec.human.wrapUp: Invalid value: wrapUp is 61m: use 0s to 1h"},
	},
	{
		name:   "who is different is a member",
		accept: aPool(`agents: [{name: bob, concurrency: 2}]`, ``),
		reject: aPool(`agents: [{name: bib, concurrency: 2}]`, ``),
		want:   []string{"spec.human.agents: Invalid value: agents names somebody who is not among members: add the agent to members, or mend the name"},
	},
	{
		name:   "who is different differs in something",
		accept: aPool(`agents: [{name: bob, skills: [{name: refund}]}]`, ``),
		reject: aPool(`agents: [{name: bob}]`, ``),
		want:   []string{"spec.human.agents[0]: Invalid value: agents names bob and changes nothing: give skills or concurrency, or remove the entry"},
	},
	{
		name:   "slots are reserved for a queue of the pool",
		accept: aPool(`reserved: [{queue: vip, slots: 1}]`, ``),
		reject: aPool(`reserved: [{queue: vips, slots: 1}]`, ``),
		want:   []string{"spec.human.reserved: Invalid value: reserved names a queue that is not among queues: the pool does not serve it; add it to queues or remove the reservation"},
	},
	{
		name:   "an agent has all the slots that are reserved",
		accept: aPool(`reserved: [{queue: vip, slots: 1}, {queue: general, slots: 2}]`, `, concurrency: 3`),
		reject: aPool(`reserved: [{queue: vip, slots: 2}, {queue: general, slots: 2}]`, `, concurrency: 3`),
		want:   []string{"spec.human.reserved: Invalid value: human.reserved keeps more slots of each agent than concurrency has: reserve fewer or raise concurrency"},
	},
	{
		name:   "a single agent has all the slots that are reserved, too",
		accept: aPool(`agents: [{name: ann, concurrency: 2}], reserved: [{queue: vip, slots: 2}]`, ``),
		reject: aPool(`agents: [{name: ann, concurrency: 1}], reserved: [{queue: vip, slots: 2}]`, ``),
		want:   []string{"spec.human.agents: Invalid value: agents gives somebody a concurrency below the slots that reserved keeps: raise it or reserve fewer"},
	},
	{
		name:   "an agent has room for a conversation of each channel",
		accept: aPool(`weights: [{channel: WebChat, slots: 3}]`, `, concurrency: 3`),
		reject: aPool(`weights: [{channel: WebChat, slots: 4}]`, `, concurrency: 3`),
		want:   []string{"spec.human.weights: Invalid value: human.weights has a channel that takes more slots than concurrency has, so that nobody could answer it: lower the weight or raise concurrency"},
	},
	{
		name:   "a single agent has room for a conversation of each channel, too",
		accept: aPool(`agents: [{name: ann, concurrency: 2}], weights: [{channel: WebChat, slots: 2}]`, ``),
		reject: aPool(`agents: [{name: ann, concurrency: 1}], weights: [{channel: WebChat, slots: 2}]`, ``),
		want:   []string{"spec.human.agents: Invalid value: agents gives somebody a concurrency below what weights says that a conversation takes: raise it or lower the weight"},
	},
	{
		name:   "a shift ends after it begins",
		accept: aPool(`shifts: [{name: late, days: [Monday], from: "22:00", to: "30:00"}]`, ``),
		reject: aPool(`shifts: [{name: late, days: [Monday], from: "22:00", to: "06:00"}]`, ``),
		want:   []string{"spec.human.shifts[0].to: Invalid value: shift late ends at 06:00, not after it begins at 22:00: write a time of the next day with hours beyond 24, such as 30:00 for 06:00"},
	},
	{
		name:   "a shift has a day at most",
		accept: aPool(`shifts: [{name: all, days: [Monday], from: "09:00", to: "33:00"}]`, ``),
		reject: aPool(`shifts: [{name: all, days: [Monday], from: "09:00", to: "33:01"}]`, ``),
		want:   []string{"spec.human.shifts[0].to: Invalid value: shift all from 09:00 to 33:01 is longer than 24 hours: make two of it"},
	},
	{
		name:   "a break ends after it begins",
		accept: aPool(`shifts: [{name: late, days: [Monday], from: "22:00", to: "30:00", breaks: [{from: "25:00", to: "25:30"}]}]`, ``),
		reject: aPool(`shifts: [{name: late, days: [Monday], from: "22:00", to: "30:00", breaks: [{from: "25:00", to: "24:30"}]}]`, ``),
		want:   []string{"spec.human.shifts[0].breaks[0].to: Invalid value: the break from 25:00 to 24:30 does not end after it begins: write times of the next day with hours beyond 24, such as 26:00 for 02:00"},
	},
	{
		name:   "a break is within its shift",
		accept: aPool(`shifts: [{name: early, days: [Monday], from: "08:00", to: "16:00", breaks: [{from: "15:30", to: "16:00"}]}]`, ``),
		reject: aPool(`shifts: [{name: early, days: [Monday], from: "08:00", to: "16:00", breaks: [{from: "15:30", to: "16:01"}]}]`, ``),
		want:   []string{"spec.human.shifts[0].breaks: Invalid value: shift early from 08:00 to 16:00 has a break that is not within it: move the break, or remove it"},
	},
	{
		name:   "breaks may touch, not overlap",
		accept: aPool(`shifts: [{name: early, days: [Monday], from: "08:00", to: "16:00", breaks: [{from: "12:00", to: "12:30"}, {from: "12:30", to: "13:00"}]}]`, ``),
		reject: aPool(`shifts: [{name: early, days: [Monday], from: "08:00", to: "16:00", breaks: [{from: "12:00", to: "12:30"}, {from: "12:29", to: "13:00"}]}]`, ``),
		want:   []string{"spec.human.shifts[0].breaks: Invalid value: shift early has breaks that overlap: make one of them"},
	},
	{
		name:   "what is left after a shift is handed over within a day",
		accept: aPool(`shiftEndGrace: 24h`, ``),
		reject: aPool(`shiftEndGrace: 25h`, ``),
		want:   []string{"spec.human.shiftEndGrace: Invalid value: shiftEndGrace is 25h: use 0s to 24h"},
	},
	{
		name:   "who is in reserve is a member",
		accept: aPool(`reserve: [{name: office, seats: 2, members: [bob]}]`, ``),
		reject: aPool(`reserve: [{name: office, seats: 2, members: [bib]}]`, ``),
		want:   []string{"spec.human.reserve: Invalid value: reserve names somebody who is not among members: add the agent to members, or mend the name"},
	},
	{
		name:   "the notice of a reserve is a day at most",
		accept: aPool(`reserve: [{name: office, seats: 2, notice: 24h}]`, ``),
		reject: aPool(`reserve: [{name: office, seats: 2, notice: 25h}]`, ``),
		want:   []string{"spec.human.reserve[0].notice: Invalid value: notice is 25h: use 0s to 24h"},
	},
	{
		name:   "a reserve stays a day at most, and may go at once",
		accept: aPool(`reserve: [{name: office, seats: 2, minimumStay: 0s}]`, ``),
		reject: aPool(`reserve: [{name: office, seats: 2, minimumStay: 48h}]`, ``),
		want:   []string{"spec.human.reserve[0].minimumStay: Invalid value: minimumStay is 48h: use 0s to 24h"},
	},
}

var calendarRows = []ruleRow{
	{
		name:   "a period ends after it begins",
		accept: `{spec: {calendar: {openingHours: [{days: [Friday], periods: [{from: "20:00", to: "26:00"}]}]}}}`,
		reject: `{spec: {calendar: {openingHours: [{days: [Friday], periods: [{from: "20:00", to: "02:00"}]}]}}}`,
		want:   []string{"spec.calendar.openingHours[0].periods[0].to: Invalid value: the period from 20:00 to 02:00 does not end after it begins: write a time of the next day with hours beyond 24, such as 26:00 for 02:00"},
	},
	{
		name:   "a period has a day at most",
		accept: `{spec: {calendar: {holidays: {dates: [{from: 10-01, periods: [{from: "08:00", to: "32:00"}]}]}}}}`,
		reject: `{spec: {calendar: {holidays: {dates: [{from: 10-01, periods: [{from: "08:00", to: "32:01"}]}]}}}}`,
		want:   []string{"spec.calendar.holidays.dates[0].periods[0].to: Invalid value: the period from 08:00 to 32:01 is longer than 24 hours: make two of it"},
	},
	{
		name:   "a holiday has its years or none",
		accept: `{spec: {calendar: {holidays: {dates: [{from: 12-24, to: 01-02}]}}}}`,
		reject: `{spec: {calendar: {holidays: {dates: [{from: 12-24, to: "2027-01-02"}]}}}}`,
		want:   []string{"spec.calendar.holidays.dates[0].to: Invalid value: the holiday is from 12-24 to 2027-01-02: give both dates with a year, or both without"},
	},
	{
		name:   "a holiday ends after it begins",
		accept: `{spec: {calendar: {holidays: {dates: [{from: "2026-12-24", to: "2026-12-24"}]}}}}`,
		reject: `{spec: {calendar: {holidays: {dates: [{from: "2026-12-24", to: "2026-01-02"}]}}}}`,
		want:   []string{"spec.calendar.holidays.dates[0].to: Invalid value: the holiday ends on 2026-01-02, before it begins on 2026-12-24: to is the last day"},
	},
}
