package runtimeconfig

import (
	"github.com/deskfleet/deskfleet/internal/calendar"
	"github.com/deskfleet/deskfleet/internal/escalation"
)

// Routing holds the desk-wide rules of matching.
type Routing struct {
	// AgeingPerMinute is what one waiting minute adds to a conversation's score, in points, 1 to 100. It is one
	// number for the desk, so that the order of two waiting conversations never changes. 0 stands for 1.
	AgeingPerMinute int `json:"ageingPerMinute,omitempty"`
	// StickyForSeconds: a contact who returns within it is offered to the last agent first. 0 is off.
	StickyForSeconds int `json:"stickyForSeconds,omitempty"`
	// ReopenForSeconds: a conversation that a message reopens within it is offered to the same agent first. 0 is
	// ten minutes.
	ReopenForSeconds int `json:"reopenForSeconds,omitempty"`
	// Tiers of contacts, by the attribute "tier".
	Tiers []Tier `json:"tiers,omitempty"`
}

// Tier of contacts whose conversations go before others.
type Tier struct {
	Name string `json:"name"`
	// Priority that is added to that of the queue, 1 to 100.
	Priority int `json:"priority"`
}

// MaxICalendarBytes of the holiday feed in the document: it shares a ConfigMap with everything else.
const MaxICalendarBytes = 64 << 10

// Calendar is the declared opening hours of the desk, in the document's time zone. Package calendar
// compiles it where it is used.
type Calendar struct {
	// OpeningHours of the week. None: open round the clock, except for holidays.
	OpeningHours []OpeningHours `json:"openingHours,omitempty"`
	// Holidays that the author wrote.
	Holidays []Holiday `json:"holidays,omitempty"`
	// ICalendar is the text of the holiday feed, at most MaxICalendarBytes; empty for none.
	ICalendar string `json:"iCalendar,omitempty"`
	// Closed says what happens outside the hours.
	Closed Closed `json:"closed"`
}

// OpeningHours are the periods of one or several weekdays.
type OpeningHours struct {
	// Days are Monday to Sunday.
	Days    []string `json:"days"`
	Periods []Period `json:"periods"`
}

// Period of local time on a day; From is included, To is not.
type Period struct {
	// From is HH:MM, To as well; beyond 24:00 it is on the next day.
	From string `json:"from"`
	To   string `json:"to"`
}

// Holiday is a day, or several in a row, with no hours or with hours of its own.
type Holiday struct {
	// Name that customers are told.
	Name string `json:"name,omitempty"`
	// From and To are the first and the last day: YYYY-MM-DD, or MM-DD for each year. No To: one day.
	From string `json:"from"`
	To   string `json:"to,omitempty"`
	// Periods are the hours of each of these days; none: closed.
	Periods []Period `json:"periods,omitempty"`
}

// ClosedBehaviour says what a desk does outside its hours.
type ClosedBehaviour string

// Behaviours of a closed desk.
const (
	// ClosedMessage tells the customer and opens no new wait for people.
	ClosedMessage ClosedBehaviour = "Message"
	// ClosedBotOnly lets the bots answer and tells the customer when they would hand off.
	ClosedBotOnly ClosedBehaviour = "BotOnly"
	// ClosedCallback keeps the conversation until the desk opens.
	ClosedCallback ClosedBehaviour = "Callback"
)

// Closed says what happens outside the hours.
type Closed struct {
	// Behaviour; empty is Message.
	Behaviour ClosedBehaviour `json:"behaviour,omitempty"`
	// Say is told to the customer, one text a language.
	Say []escalation.LocalisedText `json:"say,omitempty"`
}

// Need says how much a queue needs a skill.
type Need string

// Needs of a skill.
const (
	// NeedRequired: only agents that have the skill at the level are asked.
	NeedRequired Need = "Required"
	// NeedPreferred: of those who can, agents that have it go first.
	NeedPreferred Need = "Preferred"
)

// QueueSkill is a skill that a queue asks for.
type QueueSkill struct {
	Name string `json:"name"`
	// Level from 1 to 10 that is asked for at least; 0 stands for 1.
	Level int `json:"level,omitempty"`
	// Need; empty is Required.
	Need Need `json:"need,omitempty"`
}

// AgentSkill is a skill that an agent has.
type AgentSkill struct {
	Name string `json:"name"`
	// Level from 1 to 10; 0 stands for 1.
	Level int `json:"level,omitempty"`
}

// ServiceLevel is what a queue promises.
type ServiceLevel struct {
	// Percent of conversations that are answered in time, 1 to 100; 0 where none is declared.
	Percent       int `json:"percent,omitempty"`
	WithinSeconds int `json:"withinSeconds"`
	// MaxAbandonmentPercent of conversations that may be given up while they wait.
	MaxAbandonmentPercent int `json:"maxAbandonmentPercent,omitempty"`
}

// Drop says which skills a ring no longer asks for.
type Drop string

// What a ring drops.
const (
	DropNone      Drop = "None"
	DropPreferred Drop = "Preferred"
	DropAll       Drop = "All"
)

// Relax is a ring: what a conversation that has waited so long asks for less. Rings add up in their order.
type Relax struct {
	// AfterSeconds of waiting; greater from ring to ring.
	AfterSeconds int `json:"afterSeconds"`
	// LowerLevelsBy is taken from all levels that are asked for; a level never falls below 1.
	LowerLevelsBy int `json:"lowerLevelsBy,omitempty"`
	// Drop; empty is None.
	Drop Drop `json:"drop,omitempty"`
	// AddPools may serve the conversation as well, by name.
	AddPools []string `json:"addPools,omitempty"`
}

// OverflowAction is what a step of the degradation ladder does.
type OverflowAction string

// Actions of overflow.
const (
	// OverflowPool lets a further pool serve the conversation.
	OverflowPool OverflowAction = "Pool"
	// OverflowQueue moves the conversation to another queue, once in its life.
	OverflowQueue OverflowAction = "Queue"
	// OverflowBot gives the conversation to the bots meanwhile, once in its life.
	OverflowBot OverflowAction = "Bot"
	// OverflowCallback offers the customer to be answered later.
	OverflowCallback OverflowAction = "Callback"
	// OverflowMessage tells the customer.
	OverflowMessage OverflowAction = "Message"
)

// Overflow is a step of the degradation ladder.
type Overflow struct {
	// PredictedWaitSeconds from which on the step applies; greater from step to step.
	PredictedWaitSeconds int            `json:"predictedWaitSeconds"`
	Action               OverflowAction `json:"action"`
	// Pool of action Pool, by name.
	Pool string `json:"pool,omitempty"`
	// Queue of action Queue, by name.
	Queue string `json:"queue,omitempty"`
	// Say of actions Message, Callback and Bot, one text a language.
	Say []escalation.LocalisedText `json:"say,omitempty"`
}

// Announce says what waiting customers are told.
type Announce string

// What waiting customers are told.
const (
	AnnouncePositionAndWait Announce = "PositionAndWait"
	AnnouncePosition        Announce = "Position"
	AnnounceNothing         Announce = "Nothing"
)

// AgentSettings override the pool's for a single member.
type AgentSettings struct {
	// Name is one of the pool's members.
	Name string `json:"name"`
	// Skills in addition to the pool's; the level given here counts.
	Skills []AgentSkill `json:"skills,omitempty"`
	// Concurrency of this agent; 0 for the pool's.
	Concurrency int `json:"concurrency,omitempty"`
}

// Reserved keeps slots of each agent of a pool for a queue.
type Reserved struct {
	Queue string `json:"queue"`
	Slots int    `json:"slots"`
}

// Weight is the number of slots that one conversation of a channel takes.
type Weight struct {
	// Channel is its type, such as WebChat or Webhook.
	Channel string `json:"channel"`
	Slots   int    `json:"slots"`
}

// Shift is when members work.
type Shift struct {
	Name string `json:"name"`
	// Days are Monday to Sunday; From and To as in Period.
	Days []string `json:"days"`
	From string   `json:"from"`
	To   string   `json:"to"`
	// Members who work it; empty for all of the pool.
	Members []string `json:"members,omitempty"`
	// TimeZone of From, To and Breaks; empty for the document's.
	TimeZone string `json:"timeZone,omitempty"`
	// Breaks in it; their times go on beyond midnight as To does.
	Breaks []Period `json:"breaks,omitempty"`
}

// Reserve is a tier of people who are called in when too few are there.
type Reserve struct {
	Name  string `json:"name"`
	Seats int    `json:"seats"`
	// Members who may take conversations only while the tier is called in; empty for nobody in particular.
	Members []string `json:"members,omitempty"`
}

// Declaration of the shift in the words of package calendar.
func (s *Shift) Declaration(timeZone string) calendar.Declaration {
	if s.TimeZone != "" {
		timeZone = s.TimeZone
	}
	if timeZone == "" {
		timeZone = "UTC"
	}
	return calendar.Declaration{TimeZone: timeZone, OpeningHours: calendar.Shift(s.Days, calendar.Period{From: s.From, To: s.To}, periods(s.Breaks))}
}
