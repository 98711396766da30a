package v1alpha1_test

var scalingRows = []ruleRow{
	{
		name:   "people do not scale",
		accept: `{spec: {deskRef: {name: shop}, type: Bot, scaling: {max: 5}}}`,
		reject: `{spec: {deskRef: {name: shop}, type: Human, human: {members: [ann], queues: [general]}, scaling: {max: 5}}}`,
		want:   []string{"spec.scaling: Forbidden: type is Human but scaling is set: people are members, not replicas; remove spec.scaling"},
	},
	{
		name:   "a drain has a day at most",
		accept: `{spec: {deskRef: {name: shop}, type: Bot, scaling: {max: 5, scaleDown: {drainDeadline: 24h}}}}`,
		reject: `{spec: {deskRef: {name: shop}, type: Bot, scaling: {max: 5, scaleDown: {drainDeadline: 24h1s}}}}`,
		want:   []string{"spec.scaling.scaleDown.drainDeadline: Invalid value: drainDeadline is 24h1s: use 0s to 24h"},
	},
	{
		name:   "min is at most max",
		accept: `{spec: {deskRef: {name: shop}, type: Bot, scaling: {min: 5, max: 5}}}`,
		reject: `{spec: {deskRef: {name: shop}, type: Bot, scaling: {min: 6, max: 5}}}`,
		want:   []string{"spec.scaling.min: Invalid value: min is above max: lower min or raise max"},
	},
	{
		name:   "a peak's floor is at most max",
		accept: `{spec: {deskRef: {name: shop}, type: Bot, scaling: {max: 5, peaks: [{name: sale, start: "2026-11-11T00:00:00+08:00", end: "2026-11-12T00:00:00+08:00", floor: 5}]}}}`,
		reject: `{spec: {deskRef: {name: shop}, type: Bot, scaling: {max: 5, peaks: [{name: sale, start: "2026-11-11T00:00:00+08:00", end: "2026-11-12T00:00:00+08:00", floor: 6}]}}}`,
		want:   []string{"spec.scaling.peaks: Invalid value: peaks has a floor above max: raise max or lower the floor"},
	},
	{
		name:   "a peak ends after it begins, in whatever zone",
		accept: `{spec: {deskRef: {name: shop}, type: Bot, scaling: {max: 5, peaks: [{name: sale, start: "2026-11-11T00:00:00+08:00", end: "2026-11-10T16:00:01Z", floor: 2}]}}}`,
		reject: `{spec: {deskRef: {name: shop}, type: Bot, scaling: {max: 5, peaks: [{name: sale, start: "2026-11-11T00:00:00+08:00", end: "2026-11-10T16:00:00Z", floor: 2}]}}}`,
		want:   []string{"spec.scaling.peaks[0].end: Invalid value: end of peak sale is not after its start: give the first instant after the peak"},
	},
	{
		name:   "a peak announces something",
		accept: `{spec: {deskRef: {name: shop}, type: Bot, scaling: {max: 5, peaks: [{name: sale, start: "2026-11-11T00:00:00+08:00", end: "2026-11-12T00:00:00+08:00", cap: 3}]}}}`,
		reject: `{spec: {deskRef: {name: shop}, type: Bot, scaling: {max: 5, peaks: [{name: sale, start: "2026-11-11T00:00:00+08:00", end: "2026-11-12T00:00:00+08:00"}]}}}`,
		want:   []string{"spec.scaling.peaks[0]: Invalid value: peak sale announces nothing: set multiplierPercent, expectedArrivals, floor or cap"},
	},
	{
		name:   "a peak multiplies or counts",
		accept: `{spec: {deskRef: {name: shop}, type: Bot, scaling: {max: 5, peaks: [{name: sale, start: "2026-11-11T00:00:00+08:00", end: "2026-11-12T00:00:00+08:00", multiplierPercent: 400, floor: 2}]}}}`,
		reject: `{spec: {deskRef: {name: shop}, type: Bot, scaling: {max: 5, peaks: [{name: sale, start: "2026-11-11T00:00:00+08:00", end: "2026-11-12T00:00:00+08:00", multiplierPercent: 400, expectedArrivals: 9000}]}}}`,
		want:   []string{"spec.scaling.peaks[0].expectedArrivals: Invalid value: peak sale has both multiplierPercent and expectedArrivals: say by what arrivals are multiplied, or how many come"},
	},
	{
		name:   "a peak's floor is at most its cap",
		accept: `{spec: {deskRef: {name: shop}, type: Bot, scaling: {max: 5, peaks: [{name: sale, start: "2026-11-11T00:00:00+08:00", end: "2026-11-12T00:00:00+08:00", floor: 3, cap: 3}]}}}`,
		reject: `{spec: {deskRef: {name: shop}, type: Bot, scaling: {max: 5, peaks: [{name: sale, start: "2026-11-11T00:00:00+08:00", end: "2026-11-12T00:00:00+08:00", floor: 4, cap: 3}]}}}`,
		want:   []string{"spec.scaling.peaks[0].cap: Invalid value: peak sale has a cap below its floor: raise the cap or lower the floor"},
	},
	{
		name:   "only what recurs has exceptions",
		accept: `{spec: {deskRef: {name: shop}, type: Bot, scaling: {max: 5, peaks: [{name: sale, start: "2026-11-11T00:00:00+08:00", end: "2026-11-12T00:00:00+08:00", floor: 3, recurrence: FREQ=DAILY, except: ["2026-12-25"]}]}}}`,
		reject: `{spec: {deskRef: {name: shop}, type: Bot, scaling: {max: 5, peaks: [{name: sale, start: "2026-11-11T00:00:00+08:00", end: "2026-11-12T00:00:00+08:00", floor: 3, except: ["2026-12-25"]}]}}}`,
		want:   []string{"spec.scaling.peaks[0].except: Invalid value: peak sale does not recur: remove except, or set recurrence"},
	},
	{
		name:   "an objective has one aim",
		accept: `{spec: {deskRef: {name: shop}, type: Bot, scaling: {max: 5, objective: {percent: 90, within: 10s, maxAbandonmentPercent: 2}}}}`,
		reject: `{spec: {deskRef: {name: shop}, type: Bot, scaling: {max: 5, objective: {within: 10s, occupancyPercent: 80}}}}`,
		want:   []string{"spec.scaling.objective: Invalid value: objective has several aims: keep percent, within and maxAbandonmentPercent, or occupancyPercent, or queueDepthPerAgent"},
	},
	{
		name:   "an objective has a second at least",
		accept: `{spec: {deskRef: {name: shop}, type: Bot, scaling: {max: 5, objective: {within: 1s}}}}`,
		reject: `{spec: {deskRef: {name: shop}, type: Bot, scaling: {max: 5, objective: {within: 0s}}}}`,
		want:   []string{"spec.scaling.objective.within: Invalid value: within is 0s: use 1s to 1h"},
	},
	{
		name:   "a lead time has an hour at most",
		accept: `{spec: {deskRef: {name: shop}, type: Bot, scaling: {max: 5, leadTime: 1h}}}`,
		reject: `{spec: {deskRef: {name: shop}, type: Bot, scaling: {max: 5, leadTime: 1h1s}}}`,
		want:   []string{"spec.scaling.leadTime: Invalid value: leadTime is 1h1s: use 5s to 1h"},
	},
	{
		name:   "a hold has ten minutes at most",
		accept: `{spec: {deskRef: {name: shop}, type: Bot, scaling: {max: 5, scaleDown: {hold: 10m}}}}`,
		reject: `{spec: {deskRef: {name: shop}, type: Bot, scaling: {max: 5, scaleDown: {hold: 10m1s}}}}`,
		want:   []string{"spec.scaling.scaleDown.hold: Invalid value: hold is 10m1s: use 10s to 10m"},
	},
	{
		name:   "a fallback is at most max",
		accept: `{spec: {deskRef: {name: shop}, type: Bot, scaling: {max: 5, fallbackReplicas: 5}}}`,
		reject: `{spec: {deskRef: {name: shop}, type: Bot, scaling: {max: 5, fallbackReplicas: 6}}}`,
		want:   []string{"spec.scaling.fallbackReplicas: Invalid value: fallbackReplicas is above max: lower it or raise max"},
	},
}

// deskPeakRows: the peaks of a desk's calendar are of the same type as those of a pool.
var deskPeakRows = []ruleRow{
	{
		name:   "of the desk: a peak ends after it begins, in whatever zone",
		accept: `{spec: {calendar: {peaks: [{name: sale, start: "2026-11-11T00:00:00+08:00", end: "2026-11-10T16:00:01Z", floor: 2}]}}}`,
		reject: `{spec: {calendar: {peaks: [{name: sale, start: "2026-11-11T00:00:00+08:00", end: "2026-11-10T16:00:00Z", floor: 2}]}}}`,
		want:   []string{"spec.calendar.peaks[0].end: Invalid value: end of peak sale is not after its start: give the first instant after the peak"},
	},
	{
		name:   "of the desk: a peak announces something",
		accept: `{spec: {calendar: {peaks: [{name: sale, start: "2026-11-11T00:00:00+08:00", end: "2026-11-12T00:00:00+08:00", cap: 3}]}}}`,
		reject: `{spec: {calendar: {peaks: [{name: sale, start: "2026-11-11T00:00:00+08:00", end: "2026-11-12T00:00:00+08:00"}]}}}`,
		want:   []string{"spec.calendar.peaks[0]: Invalid value: peak sale announces nothing: set multiplierPercent, expectedArrivals, floor or cap"},
	},
	{
		name:   "of the desk: a peak multiplies or counts",
		accept: `{spec: {calendar: {peaks: [{name: sale, start: "2026-11-11T00:00:00+08:00", end: "2026-11-12T00:00:00+08:00", multiplierPercent: 400, floor: 2}]}}}`,
		reject: `{spec: {calendar: {peaks: [{name: sale, start: "2026-11-11T00:00:00+08:00", end: "2026-11-12T00:00:00+08:00", multiplierPercent: 400, expectedArrivals: 9000}]}}}`,
		want:   []string{"spec.calendar.peaks[0].expectedArrivals: Invalid value: peak sale has both multiplierPercent and expectedArrivals: say by what arrivals are multiplied, or how many come"},
	},
	{
		name:   "of the desk: a peak's floor is at most its cap",
		accept: `{spec: {calendar: {peaks: [{name: sale, start: "2026-11-11T00:00:00+08:00", end: "2026-11-12T00:00:00+08:00", floor: 3, cap: 3}]}}}`,
		reject: `{spec: {calendar: {peaks: [{name: sale, start: "2026-11-11T00:00:00+08:00", end: "2026-11-12T00:00:00+08:00", floor: 4, cap: 3}]}}}`,
		want:   []string{"spec.calendar.peaks[0].cap: Invalid value: peak sale has a cap below its floor: raise the cap or lower the floor"},
	},
	{
		name:   "of the desk: only what recurs has exceptions",
		accept: `{spec: {calendar: {peaks: [{name: sale, start: "2026-11-11T00:00:00+08:00", end: "2026-11-12T00:00:00+08:00", floor: 3, recurrence: FREQ=DAILY, except: ["2026-12-25"]}]}}}`,
		reject: `{spec: {calendar: {peaks: [{name: sale, start: "2026-11-11T00:00:00+08:00", end: "2026-11-12T00:00:00+08:00", floor: 3, except: ["2026-12-25"]}]}}}`,
		want:   []string{"spec.calendar.peaks[0].except: Invalid value: peak sale does not recur: remove except, or set recurrence"},
	},
}
