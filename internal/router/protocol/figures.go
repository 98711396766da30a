package protocol

import (
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
)

// Figures of the desk, each second on Subjects.Figures. Counters count since Since and begin anew
// when the lead changes, which Router and Since show.
type Figures struct {
	V  int       `json:"v"`
	At time.Time `json:"at"`
	// Router that leads, and since when it counts.
	Router string    `json:"router"`
	Since  time.Time `json:"since"`
	// Term is the decision log's sequence with which the router took the lead: a greater one is newer.
	Term uint64 `json:"term"`
	// Revision of the configuration that the router runs.
	Revision string `json:"revision,omitempty"`
	// PolicyProblem says why the configuration's escalation policy is not the one that runs; empty when it is.
	PolicyProblem string         `json:"policyProblem,omitempty"`
	Queues        []QueueFigures `json:"queues"`
	Pools         []PoolFigures  `json:"pools"`
	Counters      Counters       `json:"counters"`
	// BotFlow is the flow through all pools of bots, where there are several. It is for the managers alone.
	BotFlow *FlowFigures `json:"-"`
	// Roles that scale, with their loads; they are for the managers alone.
	Roles []RoleFigures `json:"-"`
	// Draining are the agents that take nothing new, with what they still have.
	Draining []DrainFigures `json:"draining,omitempty"`
	// Agents are the people who are signed on.
	Agents AgentFigures `json:"agents"`
	// Archive is the archive's volume and Bus what the desk's log may hold, as they were heard last; nil while
	// they are not known, or where there is no limit to be seen.
	Archive *StorageFigures `json:"archive,omitempty"`
	Bus     *StorageFigures `json:"bus,omitempty"`
	// ArchiveLag is how far the archive is behind, as it was heard last; nil while it is not known.
	ArchiveLag *LagFigures `json:"archiveLag,omitempty"`
	// Webhooks that somebody has to look at, as it was heard last; nil while it is not known.
	Webhooks *WebhookFigures `json:"webhooks,omitempty"`
}

// RoleFigures are the load of a role whose replicas follow it.
type RoleFigures struct {
	Name string
	// Load of all replicas that told theirs, in connections, people or searches a second, and how many did.
	Load     float64
	Replicas int
	// Complete says that the load is that of the whole role, whoever told it.
	Complete bool
}

// WebhookFigures are the webhooks that somebody has to look at.
type WebhookFigures struct {
	Troubled []WebhookTrouble `json:"troubled,omitempty"`
}

// WebhookTrouble of one webhook: it is disabled, fails, or has dead letters.
type WebhookTrouble struct {
	Name string `json:"name"`
	// DisabledAt is when its receiver answered with 410, FailingSince since when an event is tried in vain.
	DisabledAt   time.Time `json:"disabledAt,omitzero"`
	FailingSince time.Time `json:"failingSince,omitzero"`
	// DeadLetters that were given up and not replayed.
	DeadLetters int64 `json:"deadLetters,omitempty"`
	// Problem of the latest attempt in words.
	Problem string `json:"problem,omitempty"`
}

// LagFigures say how far the archive is behind.
type LagFigures struct {
	// Events that are not stored, at most, and the age of the oldest one. Of an archive that is silent they are those of
	// its last answer, and the time since then counts too.
	Events  uint64  `json:"events"`
	Seconds float64 `json:"seconds"`
	// Behind is set when that is more than it should be, Silent when the archive does not answer.
	Behind bool `json:"behind"`
	Silent bool `json:"silent"`
}

// AgentFigures count people of all pools, each once.
type AgentFigures struct {
	// Online people may be given conversations, Busy ones have at least one or are offered one.
	Online int `json:"online"`
	Busy   int `json:"busy"`
}

// StorageFigures of a volume, or of what may be stored.
type StorageFigures struct {
	FreeBytes  int64 `json:"freeBytes"`
	TotalBytes int64 `json:"totalBytes"`
	// Low is set when less is free than should be.
	Low bool `json:"low"`
}

// QueueFigures of one queue; the implicit queue of the bots is "bot".
type QueueFigures struct {
	Name string `json:"name"`
	// Waiting conversations, those on offer included, and how many of them are on offer.
	Waiting int `json:"waiting"`
	Offered int `json:"offered"`
	// OldestArrival of the waiting ones; zero when none waits.
	OldestArrival time.Time `json:"oldestArrival,omitzero"`
	// InProgress are the conversations from this queue that agents hold.
	InProgress int `json:"inProgress"`
	// Counters since Figures.Since.
	Arrived   uint64 `json:"arrived"`
	Answered  uint64 `json:"answered"`
	Abandoned uint64 `json:"abandoned"`
	// AnsweredWaitMillis is the sum of the waits of the answered ones.
	AnsweredWaitMillis int64 `json:"answeredWaitMillis"`
	// AbandonedWaitMillis is the sum of the waits of those who gave up.
	AbandonedWaitMillis int64 `json:"abandonedWaitMillis,omitempty"`
	// Offers to people, and those of them that ran out, since Figures.Since.
	Offers        uint64 `json:"offers,omitempty"`
	OffersExpired uint64 `json:"offersExpired,omitempty"`
	// AnsweredInTime are those that were answered within the queue's service level, since Figures.Since. It counts
	// nothing where none is promised.
	AnsweredInTime uint64 `json:"answeredInTime,omitempty"`
	// AbandonedLate are those whose customers gave up later than the service level promises an answer, since Figures.Since.
	AbandonedLate uint64 `json:"abandonedLate,omitempty"`
	// ServiceLevelOf is how many were answered, or given up later than the service level allows, in the last five
	// minutes; ServiceLevelPercent is the share of them that was answered in time. 0 of 0 says nothing.
	ServiceLevelOf      int     `json:"serviceLevelOf,omitempty"`
	ServiceLevelPercent float64 `json:"serviceLevelPercent,omitempty"`
	// AbandonedPercent of ServiceLevelOf were given up.
	AbandonedPercent float64 `json:"abandonedPercent,omitempty"`
	// ExpectedWaitSeconds of who comes now; nil while nothing tells, or Nobody is there who may serve the queue.
	ExpectedWaitSeconds *float64 `json:"expectedWaitSeconds,omitempty"`
	Nobody              bool     `json:"nobody,omitempty"`
	// HandleMeanSeconds and HandleVariance (in seconds squared) of the handle times, of which old ones count less and less.
	HandleMeanSeconds float64 `json:"handleMeanSeconds,omitempty"`
	HandleVariance    float64 `json:"handleVariance,omitempty"`
	// OverflowSteps of the queue's degradation ladder that apply by the predicted wait, and Held those that people hold.
	OverflowSteps int                     `json:"overflowSteps,omitempty"`
	Held          []conversation.HeldStep `json:"held,omitempty"`
}

// PoolFigures of one pool. An agent in several pools counts in each of them.
type PoolFigures struct {
	Name string `json:"name"`
	Type string `json:"type"`
	// Online agents may be given conversations; Away and Draining ones are signed on and may not.
	Online   int `json:"online"`
	Away     int `json:"away"`
	Draining int `json:"draining"`
	// Busy agents have at least one conversation.
	Busy int `json:"busy"`
	// Slots of the online agents, and Used slots of all signed-on ones.
	Slots int `json:"slots"`
	Used  int `json:"used"`
	// Owned conversations of all signed-on agents: without the open offers, which wait as well.
	Owned int `json:"owned"`
	// Offers to agents of the pool, those of them that ran out, and conversations that the agents took, since Figures.Since.
	Offers        uint64 `json:"offers,omitempty"`
	OffersExpired uint64 `json:"offersExpired,omitempty"`
	Answered      uint64 `json:"answered,omitempty"`
	// Handled conversations that agents of the pool finished or passed on since Figures.Since, and the
	// sums of their handle times and of the squares (in seconds), for mean and variance.
	Handled              uint64  `json:"handled"`
	HandleSeconds        float64 `json:"handleSeconds"`
	HandleSecondsSquared float64 `json:"handleSecondsSquared"`
	// Workers of a pool of bots. They do not travel over the bus: a thousand of them would go to every gateway each second.
	Workers []WorkerFigures `json:"-"`
	// Flow through the pool; nil where it is not known. It is for the managers alone.
	Flow *FlowFigures `json:"-"`
	// Reserve tiers of a pool of people, in their order.
	Reserve []ReserveFigures `json:"reserve,omitempty"`
	// Staffing is the revision of the plan that is known of a pool of people. It is for the managers alone.
	Staffing string `json:"-"`
}

// ReserveFigures of one reserve tier.
type ReserveFigures struct {
	Name string `json:"name"`
	// Seats that the tier brings.
	Seats int `json:"seats"`
	// Called in, since when. Until, By and Reason are of a call by hand.
	Called bool      `json:"called"`
	Since  time.Time `json:"since,omitzero"`
	Until  time.Time `json:"until,omitzero"`
	By     string    `json:"by,omitempty"`
	Reason string    `json:"reason,omitempty"`
	// Present are its members who are signed on and not away.
	Present int `json:"present"`
}

// FlowFigures say how conversations flow through the bots of a desk. The counters only rise within one
// Figures.Term, and do not begin at 0.
type FlowFigures struct {
	// Arrived conversations in the bots' queue or at once with a bot, those that a bot took, that left the queue
	// otherwise, and that a bot has no more.
	Arrived, Started, Left, Ended uint64
	// WaitedSeconds is how long all who have left the queue were in it, together.
	WaitedSeconds float64
	// Handled are the handle times of the ended ones, Ages how long those in progress have lasted.
	Handled, Ages []LastingFigures
}

// LastingFigures are so many conversations that lasted, or have lasted, about so many seconds.
type LastingFigures struct {
	Seconds float64
	Count   uint64
}

// WorkerFigures of one bot worker.
type WorkerFigures struct {
	ID string
	// Slots, and Busy ones.
	Slots, Busy int
	// Draining workers take nothing new; Drained ones have nothing left, and that is stored.
	Draining, Drained bool
}

// DrainFigures of one draining agent.
type DrainFigures struct {
	Agent string `json:"agent"`
	Pool  string `json:"pool,omitempty"`
	Busy  int    `json:"busy"`
}

// Counters of the desk since Figures.Since.
type Counters struct {
	Opened    uint64 `json:"opened"`
	Reopened  uint64 `json:"reopened"`
	HandOffs  uint64 `json:"handOffs"`
	Closed    uint64 `json:"closed"`
	Abandoned uint64 `json:"abandoned"`
	// BotClosed are the conversations that ended in the bot's hands: the bot's deflection.
	BotClosed     uint64 `json:"botClosed"`
	Offers        uint64 `json:"offers"`
	OffersExpired uint64 `json:"offersExpired"`
	AgentsLost    uint64 `json:"agentsLost"`
}
