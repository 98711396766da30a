package v1alpha1

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Condition types of each kind, as kstatus reads them.
const (
	// ConditionReady is True when the object does its job: not only applied, but working.
	ConditionReady = "Ready"
	// ConditionReconciling is present and True while the operator works towards the spec or waits for something
	// that may still come by itself. Abnormal-true: absent otherwise.
	ConditionReconciling = "Reconciling"
	// ConditionStalled is present and True when only a person can mend the object. Abnormal-true: absent otherwise.
	ConditionStalled = "Stalled"
	// ConditionScalingActive says whether a pool of bots with scaling is decided about by the desk's figures. It is
	// False, too, for a pool that was made smaller without a drain.
	ConditionScalingActive = "ScalingActive"
	// ConditionScalingLimited is True when max, the cap of a peak, the budget or the cluster keeps a pool of bots from what
	// is needed.
	ConditionScalingLimited = "ScalingLimited"
	// ConditionStaffed is False when fewer people are signed on than a pool needs. No service figure enters Ready: a
	// pipeline must be able to deliver the change that cures the peak.
	ConditionStaffed = "Staffed"
	// ConditionLinked of a desk is True while its router reports to the manager over the link. While it is False the
	// figures of the status are absent, and the message tells since when. Absent where the manager has no link, and
	// until a new desk has had the time to report.
	ConditionLinked = "Linked"
	// ConditionStorageLow is present and True when the volume of a desk's archive is filling up. Abnormal-true: absent
	// otherwise. It never enters Ready: customers are still served.
	ConditionStorageLow = "StorageLow"
	// ConditionBusStorageLow is present and True when the log on a desk's bus is filling up; when it is full customers'
	// messages are refused. Abnormal-true: absent otherwise. It never enters Ready.
	ConditionBusStorageLow = "BusStorageLow"
	// ConditionArchiveBehind is present and True while a desk's archive does not keep up with storing, or is silent: what
	// it has not stored stays on the bus. Abnormal-true: absent otherwise. It never enters Ready.
	ConditionArchiveBehind = "ArchiveBehind"
	// ConditionServiceLevelMet of a desk is False while a queue does not keep what its serviceLevel promises. It is absent
	// where none is declared, and while too few conversations tell. It never enters Ready.
	ConditionServiceLevelMet = "ServiceLevelMet"
	// ConditionWebhooksTroubled is present and True while somebody has to look at a webhook of a desk: its receiver is gone
	// or fails, or events were given up. Abnormal-true: absent otherwise.
	ConditionWebhooksTroubled = "WebhooksTroubled"
)

// Reasons of conditions and events. They are stable: alerts may match them.
const (
	// ReasonReady says that the object does its job.
	ReasonReady = "Ready"
	// ReasonProgressing says that children are being made or rolled out.
	ReasonProgressing = "Progressing"
	// ReasonProgressDeadlineExceeded says that a rollout made no progress for too long.
	ReasonProgressDeadlineExceeded = "ProgressDeadlineExceeded"
	// ReasonQuotaExceeded says that the namespace's ResourceQuota refused a child.
	ReasonQuotaExceeded = "QuotaExceeded"
	// ReasonReferenceMissing says that an object which the spec names does not exist yet.
	ReasonReferenceMissing = "ReferenceMissing"
	// ReasonReferenceNotReady says that an object which the spec names exists but has no usable content yet.
	ReasonReferenceNotReady = "ReferenceNotReady"
	// ReasonQueueUnreachable says that a queue is served by no pool.
	ReasonQueueUnreachable = "QueueUnreachable"
	// ReasonInvalidSpec says that the spec, with the objects that it names, cannot work as it is.
	ReasonInvalidSpec = "InvalidSpec"
	// ReasonNameConflict says that an object which is not ours has the name of one of our children.
	ReasonNameConflict = "NameConflict"
	// ReasonSuspended says that spec.suspend stopped the operator's work on the object.
	ReasonSuspended = "Suspended"
	// ReasonAPIError says that the API server refused or failed a call; the operator tries again by itself.
	ReasonAPIError = "APIError"
	// ReasonForbidden says that the operator lacks a right; a cluster administrator must grant it.
	ReasonForbidden = "Forbidden"
	// ReasonInternalError says that a defect of the operator broke off the work on an object.
	ReasonInternalError = "InternalError"
	// ReasonFollowsLoad says that the number of workers follows the desk's figures.
	ReasonFollowsLoad = "FollowsLoad"
	// ReasonNoFigures says that the desk is silent: what runs is kept.
	ReasonNoFigures = "NoFigures"
	// ReasonShrunkWithoutDrain says that workers went without a drain, as the author wanted fewer and the desk was silent.
	ReasonShrunkWithoutDrain = "ShrunkWithoutDrain"
	// ReasonMaxReached says that max limits.
	ReasonMaxReached = "MaxReached"
	// ReasonPeakCaps says that a running peak's cap limits.
	ReasonPeakCaps = "PeakCaps"
	// ReasonBudgetLimits says that the day's agent-hours limit.
	ReasonBudgetLimits = "BudgetLimits"
	// ReasonUnschedulable says that no node has a place for pods of workers.
	ReasonUnschedulable = "Unschedulable"
	// ReasonBurst says that far more arrive than usual: workers are added at once and nobody leaves.
	ReasonBurst = "Burst"
	// ReasonWithinBounds says that nothing limits.
	ReasonWithinBounds = "WithinBounds"
	// ReasonEnoughSeats says that enough people are signed on.
	ReasonEnoughSeats = "EnoughSeats"
	// ReasonSeatsMissing says that people are missing.
	ReasonSeatsMissing = "SeatsMissing"
	// ReasonReserveCalled says in an event that a reserve tier was called in.
	ReasonReserveCalled = "ReserveCalled"
	// ReasonReserveReleased says in an event that a reserve tier was released.
	ReasonReserveReleased = "ReserveReleased"
	// ReasonFiguresArrive says that a desk's figures arrive.
	ReasonFiguresArrive = "FiguresArrive"
	// ReasonVolumeFillsUp says that little of a volume is free.
	ReasonVolumeFillsUp = "VolumeFillsUp"
	// ReasonLogFillsUp says that little of what a log may hold is free.
	ReasonLogFillsUp = "LogFillsUp"
	// ReasonArchiveLags says that an archive stores more slowly than things happen.
	ReasonArchiveLags = "ArchiveLags"
	// ReasonPromisesKept says that each queue keeps its service level.
	ReasonPromisesKept = "PromisesKept"
	// ReasonAnsweredLate says that too few conversations of a queue are answered in time.
	ReasonAnsweredLate = "AnsweredLate"
	// ReasonAbandoned says that too many conversations of a queue are given up.
	ReasonAbandoned = "Abandoned"
	// ReasonWebhookDisabled says that the receiver of a webhook is gone, by its own word.
	ReasonWebhookDisabled = "WebhookDisabled"
	// ReasonWebhookFailing says that the receiver of a webhook takes nothing.
	ReasonWebhookFailing = "WebhookFailing"
	// ReasonDeadLetters says that events for a webhook were given up.
	ReasonDeadLetters = "DeadLetters"
	// ReasonOverflowEntered says that a further step of a queue's overflow applies by the predicted wait, ReasonOverflowLeft
	// that one does no more.
	ReasonOverflowEntered = "OverflowEntered"
	ReasonOverflowLeft    = "OverflowLeft"
	// ReasonOverflowHeld says that a supervisor holds a step of a queue's overflow, ReasonOverflowReleased that nobody
	// does any more.
	ReasonOverflowHeld     = "OverflowHeld"
	ReasonOverflowReleased = "OverflowReleased"
	// ReasonArchiveSilent says that an archive does not answer.
	ReasonArchiveSilent = "ArchiveSilent"
)

// Common returns the part of the status that all kinds share; it is never nil.
func (d *ServiceDesk) Common() *CommonStatus { return &d.Status.CommonStatus }

// Suspended reports whether spec.suspend is set.
func (d *ServiceDesk) Suspended() bool { return d.Spec.Suspend }

// Common returns the part of the status that all kinds share; it is never nil.
func (p *AgentPool) Common() *CommonStatus { return &p.Status.CommonStatus }

// Suspended reports whether spec.suspend is set.
func (p *AgentPool) Suspended() bool { return p.Spec.Suspend }

// Common returns the part of the status that all kinds share; it is never nil.
func (k *KnowledgeBase) Common() *CommonStatus { return &k.Status.CommonStatus }

// Suspended reports whether spec.suspend is set.
func (k *KnowledgeBase) Suspended() bool { return k.Spec.Suspend }

// Common returns the part of the status that all kinds share; it is never nil.
func (e *EscalationPolicy) Common() *CommonStatus { return &e.Status.CommonStatus }

// Suspended reports whether spec.suspend is set.
func (e *EscalationPolicy) Suspended() bool { return e.Spec.Suspend }

// WithoutFigures returns the status with zero in the fields that only count
// progress or load. Whether figures arrive is one of them: a desk whose link comes
// and goes must not be written each time.
func (d *ServiceDesk) WithoutFigures() any {
	s := d.Status.DeepCopy()
	s.Workloads, s.Waiting, s.OldestSince, s.Agents = "", nil, nil, nil
	var held []QueueStatus
	for _, q := range s.Queues {
		if len(q.HeldSteps) > 0 { // what a supervisor does is no figure
			held = append(held, QueueStatus{Name: q.Name, HeldSteps: q.HeldSteps})
		}
	}
	s.Queues = held
	for i := range s.Roles {
		s.Roles[i].Load, s.Roles[i].Reason = nil, ""
	}
	s.Conditions = slices.DeleteFunc(s.Conditions, func(c metav1.Condition) bool {
		return c.Type == ConditionLinked || c.Type == ConditionServiceLevelMet
	})
	for i := range s.Conditions {
		switch s.Conditions[i].Type {
		case ConditionStorageLow, ConditionBusStorageLow, ConditionArchiveBehind, ConditionWebhooksTroubled:
			s.Conditions[i].Message = ""
		}
	}
	return *s
}

// WithoutFigures returns the status with zero in the fields that only count
// progress or load. The number of replicas is none: autoscalers read it. Nor is a
// decision, but the words of its reason name the load.
func (p *AgentPool) WithoutFigures() any {
	s := p.Status.DeepCopy()
	s.ReadyReplicas, s.Slots, s.Busy, s.Waiting, s.SignedOn, s.Shortfall = 0, 0, 0, 0, 0, 0
	if p.Spec.Type == PoolTypeHuman {
		s.Required = 0
	}
	if s.Seats != nil {
		// Who was called in is no figure.
		s.Seats = &SeatsStatus{Reserve: s.Seats.Reserve}
	}
	if s.Scaling != nil {
		kept := &PoolScalingStatus{Mode: s.Scaling.Mode, Replicas: s.Scaling.Replicas, HandOver: s.Scaling.HandOver}
		if s.Scaling.Mode != ScalingExternal { // advice changes nothing
			kept.Recommended, kept.At = s.Scaling.Recommended, s.Scaling.At
		}
		s.Scaling = kept
	}
	for i := range s.Conditions {
		switch s.Conditions[i].Type {
		case ConditionScalingActive, ConditionScalingLimited, ConditionStaffed:
			s.Conditions[i].Message = ""
		}
	}
	return *s
}
