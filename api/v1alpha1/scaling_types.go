package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Date is a day as YYYY-MM-DD.
//
// +kubebuilder:validation:MinLength=10
// +kubebuilder:validation:MaxLength=10
// +kubebuilder:validation:Pattern=`^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$`
type Date string

// Peak is a time for which more load, or less, is announced.
//
// +kubebuilder:validation:XValidation:rule="self.start < self.end",messageExpression="'end of peak ' + self.name + ' is not after its start: give the first instant after the peak'",message="end is not after start: give the first instant after the peak",fieldPath=".end"
// +kubebuilder:validation:XValidation:rule="has(self.floor) || has(self.cap) || has(self.multiplierPercent) || has(self.expectedArrivals)",messageExpression="'peak ' + self.name + ' announces nothing: set multiplierPercent, expectedArrivals, floor or cap'",message="the peak announces nothing: set multiplierPercent, expectedArrivals, floor or cap"
// +kubebuilder:validation:XValidation:rule="!has(self.multiplierPercent) || !has(self.expectedArrivals)",messageExpression="'peak ' + self.name + ' has both multiplierPercent and expectedArrivals: say by what arrivals are multiplied, or how many come'",message="multiplierPercent is set, too: say by what arrivals are multiplied, or how many come",fieldPath=".expectedArrivals"
// +kubebuilder:validation:XValidation:rule="!has(self.cap) || !has(self.floor) || self.floor <= self.cap",messageExpression="'peak ' + self.name + ' has a cap below its floor: raise the cap or lower the floor'",message="cap is below floor: raise the cap or lower the floor",fieldPath=".cap"
// +kubebuilder:validation:XValidation:rule="!has(self.except) || has(self.recurrence)",messageExpression="'peak ' + self.name + ' does not recur: remove except, or set recurrence'",message="the peak does not recur: remove except, or set recurrence",fieldPath=".except"
type Peak struct {
	// name of the peak, as decisions name it, for example "singles-day". Required.
	// +required
	Name DNSLabel `json:"name"`
	// start is the first instant of the peak, for example "2026-11-11T00:00:00+08:00"; of one that recurs, of the
	// first time. Workers are asked for so much earlier that they serve by then. Required. No rollout.
	// +required
	Start metav1.Time `json:"start"`
	// end is the first instant after the peak; nobody is cut then. Required. No rollout.
	// +required
	End metav1.Time `json:"end"`
	// recurrence: a rule of RFC 5545 by which the peak comes again, at the same local time of the desk's timeZone, for
	// example "FREQ=WEEKLY;BYDAY=MO,TH" or "FREQ=MONTHLY;BYMONTHDAY=25". Default: it comes once. No rollout.
	// +optional
	// +kubebuilder:validation:MinLength=10
	// +kubebuilder:validation:MaxLength=256
	Recurrence string `json:"recurrence,omitempty"`
	// except: days on which a recurring peak does not begin, at most 64, for example "2026-12-25". Default: none.
	// No rollout.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	Except []Date `json:"except,omitempty"`
	// multiplierPercent of the usual arrivals, 1 to 100000; 400 is four times as many. Default: as usual. No rollout.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000
	MultiplierPercent int32 `json:"multiplierPercent,omitempty"`
	// expectedArrivals: conversations from start to end, 1 to 100000000. Default: as usual. No rollout.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000000
	ExpectedArrivals int32 `json:"expectedArrivals,omitempty"`
	// floor: bot workers that run throughout the peak, however low the load is, 1 to 1000 and at most max.
	// Default: min. No rollout.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	Floor int32 `json:"floor,omitempty"`
	// cap: bot workers that are not exceeded during the peak, 1 to 1000. Default: max. No rollout.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	Cap int32 `json:"cap,omitempty"`
}

// PoolObjective is what the number of bot workers aims at: a service level, or one of two simpler aims.
//
// +kubebuilder:validation:XValidation:rule="[has(self.percent) || has(self.within) || has(self.maxAbandonmentPercent), has(self.occupancyPercent), has(self.queueDepthPerAgent)].filter(x, x).size() <= 1",message="objective has several aims: keep percent, within and maxAbandonmentPercent, or occupancyPercent, or queueDepthPerAgent"
type PoolObjective struct {
	// percent of the conversations that a bot takes within the time, 1 to 99. Default 80. No rollout.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=99
	Percent int32 `json:"percent,omitempty"`
	// within: the time in which a bot is to take them, 1s to 1h. Default 20s. No rollout.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('1h')",messageExpression="'within is ' + self + ': use 1s to 1h'",message="use 1s to 1h"
	Within Duration `json:"within,omitempty"`
	// maxAbandonmentPercent of the conversations that may be given up while they wait, 1 to 100: a service level alone can
	// be met by people who hang up. Default 3. No rollout.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	MaxAbandonmentPercent int32 `json:"maxAbandonmentPercent,omitempty"`
	// occupancyPercent of the slots that are to be in use, 1 to 100, instead of a service level. Default: none. No rollout.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	OccupancyPercent int32 `json:"occupancyPercent,omitempty"`
	// queueDepthPerAgent: conversations that may wait for each bot worker, 1 to 1000, instead of a service level; those
	// in progress need slots besides. Default: none. No rollout.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	QueueDepthPerAgent int32 `json:"queueDepthPerAgent,omitempty"`
}

// ForecastMode says what the forecast from comparable days may do. It never takes a worker away.
//
// +kubebuilder:validation:Enum=Off;Observe;Raise
type ForecastMode string

const (
	// ForecastOff makes no forecast.
	ForecastOff ForecastMode = "Off"
	// ForecastObserve shows the forecast in the status and lets it change nothing.
	ForecastObserve ForecastMode = "Observe"
	// ForecastRaise lets the forecast add workers.
	ForecastRaise ForecastMode = "Raise"
)

// ScaleDown says how a pool shrinks.
type ScaleDown struct {
	// hold: the need must have been lower for so long before a worker leaves, 10s to 10m. Default 1m. No rollout.
	// +optional
	// +kubebuilder:default="1m"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('10s') && duration(self) <= duration('10m')",messageExpression="'hold is ' + self + ': use 10s to 10m'",message="use 10s to 10m"
	Hold Duration `json:"hold,omitempty"`
	// maxPercentPerMinute of the workers that leave, at least one worker, 1 to 100. Default 100. No rollout.
	// +optional
	// +kubebuilder:default=100
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	MaxPercentPerMinute int32 `json:"maxPercentPerMinute,omitempty"`
	// drainDeadline: a worker that is to leave takes nothing new and finishes what it has; what is left after
	// this time goes on with another worker, at its old place in the queue, 0s to 24h. Default 10m. No rollout.
	// +optional
	// +kubebuilder:default="10m"
	// +kubebuilder:validation:XValidation:rule="duration(self) <= duration('24h')",messageExpression="'drainDeadline is ' + self + ': use 0s to 24h'",message="use 0s to 24h"
	DrainDeadline *Duration `json:"drainDeadline,omitempty"`
}

// BudgetSpent says what goes before a budget that is spent, or would not last the day.
//
// +kubebuilder:validation:Enum=HoldFloor;AllowPanic
type BudgetSpent string

const (
	// BudgetHoldFloor lets min and the floors of peaks go before the budget.
	BudgetHoldFloor BudgetSpent = "HoldFloor"
	// BudgetAllowPanic lets these and a burst go before the budget.
	BudgetAllowPanic BudgetSpent = "AllowPanic"
)

// ScalingBudget bounds what a pool costs on one day of the desk's timeZone.
type ScalingBudget struct {
	// agentHoursPerDay: hours of bot workers from midnight to midnight, 1 to 24000. They are spread over what the rest of
	// the day is expected to need. Required. No rollout.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=24000
	AgentHoursPerDay int32 `json:"agentHoursPerDay"`
	// whenSpent: what goes before the budget: HoldFloor (min and the floors of peaks) or AllowPanic (a burst, too).
	// Default HoldFloor. No rollout.
	// +optional
	// +kubebuilder:default=HoldFloor
	WhenSpent BudgetSpent `json:"whenSpent,omitempty"`
}

// PoolScaling lets the operator decide how many bot workers a pool has: the greatest of what the conversations of
// now, the load at the lead time, a forecast and announced peaks need, at once; fewer after the hold, and never by
// cutting a conversation.
//
// +kubebuilder:validation:XValidation:rule="self.min <= self.max",message="min is above max: lower min or raise max",fieldPath=".min"
// +kubebuilder:validation:XValidation:rule="!has(self.peaks) || self.peaks.all(p, !has(p.floor) || p.floor <= self.max)",message="peaks has a floor above max: raise max or lower the floor",fieldPath=".peaks"
// +kubebuilder:validation:XValidation:rule="!has(self.fallbackReplicas) || self.fallbackReplicas <= self.max",message="fallbackReplicas is above max: lower it or raise max",fieldPath=".fallbackReplicas"
type PoolScaling struct {
	// min: bot workers that always run, 0 to 1000. With 0 the first customer after a quiet time waits until a
	// worker has come up. Default 1. No rollout.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	Min *int32 `json:"min,omitempty"`
	// max: bot workers that never are exceeded, 1 to 1000. Required. No rollout.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	Max int32 `json:"max"`
	// objective: what the number of workers aims at. Default: 80 percent within 20s, at most 3 percent abandonment.
	// No rollout.
	// +optional
	Objective *PoolObjective `json:"objective,omitempty"`
	// forecast from comparable days: Off, Observe (shown, changes nothing) or Raise (may add workers). Default Observe.
	// No rollout.
	// +optional
	// +kubebuilder:default=Observe
	Forecast ForecastMode `json:"forecast,omitempty"`
	// peaks that are announced, at most 64. Default: none. No rollout.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	Peaks []Peak `json:"peaks,omitempty"`
	// leadTime from asking for a worker until it serves, 5s to 1h: so far ahead is decided. Default: learned from the
	// workers that come up; 1m until one has. No rollout.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('5s') && duration(self) <= duration('1h')",messageExpression="'leadTime is ' + self + ': use 5s to 1h'",message="use 5s to 1h"
	LeadTime Duration `json:"leadTime,omitempty"`
	// scaleDown: how the pool shrinks. Default: after 1m of lower need, all at once, with 10m to finish. No rollout.
	// +optional
	ScaleDown *ScaleDown `json:"scaleDown,omitempty"`
	// budget of agent-hours. Default: none. No rollout.
	// +optional
	Budget *ScalingBudget `json:"budget,omitempty"`
	// fallbackReplicas: bot workers that run at least while the desk has been silent for 90 seconds, 1 to 1000 and at most
	// max. Default: what runs is kept. No rollout.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	FallbackReplicas int32 `json:"fallbackReplicas,omitempty"`
}

// ScalingProposal is what one way to the number of bot workers asks for.
type ScalingProposal struct {
	// name of the way: feedback (who waits and who is in progress), load (as in the last minutes, at the lead time),
	// forecast (as on comparable days) or calendar (as peaks announce).
	// +required
	// +kubebuilder:validation:MaxLength=16
	Name string `json:"name"`
	// agents: bot workers that it asks for.
	// +optional
	Agents int32 `json:"agents"`
	// load: conversations in the system that it expects at the lead time, rounded.
	// +optional
	Load int32 `json:"load"`
	// arrivalsPerHour that it reckons with, rounded; 0 for the feedback, which reckons with none.
	// +optional
	ArrivalsPerHour int32 `json:"arrivalsPerHour"`
}

// ScalingChange is a planned change of the least number of bot workers.
type ScalingChange struct {
	// at: when the pool changes; before a peak, by the lead time earlier than the peak begins.
	// +required
	At metav1.Time `json:"at"`
	// peak that begins or ends.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Peak string `json:"peak,omitempty"`
	// phase of the peak: Begins or Ends.
	// +optional
	// +kubebuilder:validation:Enum=Begins;Ends
	Phase string `json:"phase,omitempty"`
	// floor: bot workers that run at least from then on.
	// +optional
	Floor int32 `json:"floor"`
}

// ScalingMode says who decides how many bot workers a pool has.
//
// +kubebuilder:validation:Enum=Managed;External
type ScalingMode string

const (
	// ScalingManaged says that the operator decides, by spec.scaling.
	ScalingManaged ScalingMode = "Managed"
	// ScalingExternal says that whoever writes spec.replicas does, such as an HPA, KEDA or a person. What is recommended is advice.
	ScalingExternal ScalingMode = "External"
)

// ScalingHandOver keeps the bot workers of a pool from which scaling was taken away, so that whoever is to write
// spec.replicas now has the time to do so: what stands there is what was unused before.
type ScalingHandOver struct {
	// workers that are kept.
	// +optional
	Workers int32 `json:"workers"`
	// replicas is what spec.replicas says; once it is written as many as workers or more, that counts.
	// +optional
	Replicas int32 `json:"replicas"`
	// until: when spec.replicas counts in any case.
	// +required
	Until metav1.Time `json:"until"`
}

// PoolScalingStatus is the last decision about a pool of bots.
type PoolScalingStatus struct {
	// mode: Managed (the operator decides by spec.scaling) or External (spec.replicas says how many, and recommended is
	// advice without a max).
	// +optional
	Mode ScalingMode `json:"mode,omitempty"`
	// replicas is what spec.replicas says; unused in mode Managed.
	// +optional
	Replicas *int32 `json:"replicas,omitempty"`
	// handOver: scaling was taken away a moment ago; absent otherwise.
	// +optional
	HandOver *ScalingHandOver `json:"handOver,omitempty"`
	// current: bot workers that serve, without those that drain.
	// +optional
	Current int32 `json:"current"`
	// recommended: bot workers that are to serve; in mode External those that should.
	// +optional
	Recommended int32 `json:"recommended"`
	// needed: bot workers that the load needs, before anything limits.
	// +optional
	Needed int32 `json:"needed"`
	// offeredLoad: conversations in the system at the lead time, as the winner expects them, rounded.
	// +optional
	OfferedLoad int32 `json:"offeredLoad"`
	// forecast: the same as comparable days let expect; absent while none is known.
	// +optional
	Forecast *int32 `json:"forecast,omitempty"`
	// proposals of the ways to the number of workers, at most 8.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=8
	Proposals []ScalingProposal `json:"proposals,omitempty"`
	// winner: the name of the greatest proposal that counts.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	Winner string `json:"winner,omitempty"`
	// limiter: what keeps recommended from needed: min, max, peak, cap, budget, hold, panic, pace or stale; absent for
	// nothing.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	Limiter string `json:"limiter,omitempty"`
	// leadTime from asking for a worker until it serves, declared or learned.
	// +optional
	LeadTime Duration `json:"leadTime,omitempty"`
	// next planned change; absent for none within two weeks.
	// +optional
	Next *ScalingChange `json:"next,omitempty"`
	// reason in words: the load, what it needs, what limits, and the next peak.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Reason string `json:"reason,omitempty"`
	// at: when recommended last changed.
	// +optional
	At *metav1.Time `json:"at,omitempty"`
}
