package protocol

import (
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
)

// Bounds of reports.
const (
	// MaxReportRange between From and To.
	MaxReportRange = 92 * 24 * time.Hour
	// MaxReportRows of one reply; the rest follows with next.
	MaxReportRows = 200
	// MaxWithin of a service level.
	MaxWithin = 24 * time.Hour
	// FirstContactWindow in which a contact must not come back for a conversation to count as resolved.
	FirstContactWindow = 7 * 24 * time.Hour
)

// ReportBy says what the rows of a report are.
type ReportBy string

// Reports.
const (
	// ByAgent has a row for each person, and one for each pool of bots.
	ByAgent ReportBy = "agents"
	// ByQueue has a row for each queue; that of the bots is "bot".
	ByQueue ReportBy = "queues"
	// ByLoad has no rows, but the load of the desk. It takes no Tag, Disposition or WithinSeconds.
	ByLoad ReportBy = "load"
)

// ReportRequest asks for what agents or queues did with what came into their queues in a time.
type ReportRequest struct {
	V  int      `json:"v"`
	By ReportBy `json:"by"`
	// From and To bound the time at which a conversation came into a queue; From included, To not. Both are required,
	// MaxReportRange apart at most.
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// WithinSeconds of the service level; 0 for each queue's own, or 20 s where it has none.
	WithinSeconds int `json:"withinSeconds,omitempty"`
	// Tag and Disposition of the conversations that count; empty for all.
	Tag         string `json:"tag,omitempty"`
	Disposition string `json:"disposition,omitempty"`
	// After is the next of the reply before; empty for the beginning.
	After string `json:"after,omitempty"`
	// Limit of rows, at most MaxReportRows; 0 for that.
	Limit int `json:"limit,omitempty"`
}

// ReportReply is a part of a report, in the order of the rows' kinds and ids.
type ReportReply struct {
	V     int         `json:"v"`
	OK    bool        `json:"ok"`
	Error *Error      `json:"error,omitempty"`
	Rows  []ReportRow `json:"rows,omitempty"`
	// Next goes into After; empty at the end.
	Next string `json:"next,omitempty"`
	// Load of a report ByLoad.
	Load *Load `json:"load,omitempty"`
	// Missing are figures that nobody can give, and why.
	Missing []MissingFigure `json:"missing,omitempty"`
}

// MissingFigure is one for which there is no data.
type MissingFigure struct {
	Figure string `json:"figure"`
	Why    string `json:"why"`
}

// ReportRow is what one agent or queue did. A stay is the time of a conversation in one queue and with the agent who
// answered it from there; one that is handed off has several. Shares are from 0 to 1, and left out where there is
// nothing to take a share of.
type ReportRow struct {
	// ID of the agent, of a pool of bots, or of the queue; Kind is agent or bot, empty for a queue.
	ID   string            `json:"id"`
	Kind conversation.Kind `json:"kind,omitempty"`
	Name string            `json:"name,omitempty"`
	Pool string            `json:"pool,omitempty"`
	// Stays that began, and what became of them: Answered, Abandoned by the customer, Moved to another queue,
	// TurnedAway as the desk was closed or put off by the customer, and still Waiting.
	Stays      int64 `json:"stays"`
	Answered   int64 `json:"answered"`
	Abandoned  int64 `json:"abandoned"`
	Moved      int64 `json:"moved"`
	TurnedAway int64 `json:"turnedAway"`
	Waiting    int64 `json:"waiting"`
	// Conversations handled: those answered, each once.
	Conversations int64 `json:"conversations"`
	// AbandonmentShare is Abandoned of Answered and Abandoned.
	AbandonmentShare *float64 `json:"abandonmentShare,omitempty"`
	// AnsweredWithin the service level's time, and their share of Answered and Abandoned. WithinSeconds is that time;
	// 0 where the row has stays of several queues with times of their own.
	AnsweredWithin int64    `json:"answeredWithin"`
	ServiceLevel   *float64 `json:"serviceLevel,omitempty"`
	WithinSeconds  int      `json:"withinSeconds,omitempty"`
	// Wait of the answered ones, FirstResponse until the agent first said something, both since the customer began to
	// wait without a break; Handle from the answer to the end of the agent's part, wrap-up included.
	Wait          Spans `json:"wait"`
	FirstResponse Spans `json:"firstResponse"`
	Handle        Spans `json:"handle"`
	// Transfers are stays that the agent handed off, Lost those that were taken from an agent who was lost or left.
	Transfers int64 `json:"transfers"`
	Lost      int64 `json:"lost"`
	// Closed are conversations that ended there; Reopened those of them that were opened again, ResolvedFirst those
	// that were not, and whose contact had no new conversation within FirstContactWindow. Provisional are those whose
	// window is not over: they count as resolved so far.
	Closed                 int64    `json:"closed"`
	Reopened               int64    `json:"reopened"`
	ResolvedFirst          int64    `json:"resolvedFirst"`
	Provisional            int64    `json:"provisional"`
	FirstContactResolution *float64 `json:"firstContactResolution,omitempty"`
	// Deflected are conversations that a bot ended and that never were in a queue of people, of all that bots answered.
	Deflected       int64    `json:"deflected"`
	DeflectionShare *float64 `json:"deflectionShare,omitempty"`
	// Ratings by customers of conversations whose last stay was there, their mean score from 1 to 5, and CSAT: the share
	// of 4 and 5 among them.
	Ratings   int64    `json:"ratings"`
	ScoreMean *float64 `json:"scoreMean,omitempty"`
	CSAT      *float64 `json:"csat,omitempty"`
	// Complaints are the conversations with the tag conversation.TagComplaint whose last stay was there, and their share
	// of all of which it was.
	Complaints     int64    `json:"complaints"`
	ComplaintShare *float64 `json:"complaintShare,omitempty"`
	// Of people: how long they were online and away, and how long they had at least one conversation meanwhile, which
	// counts when it has ended. Occupancy is that of the time online or busy.
	OnlineSeconds float64  `json:"onlineSeconds,omitempty"`
	AwaySeconds   float64  `json:"awaySeconds,omitempty"`
	BusySeconds   float64  `json:"busySeconds,omitempty"`
	Occupancy     *float64 `json:"occupancy,omitempty"`
}

// Spans of time. Percentiles are by nearest rank.
type Spans struct {
	Count       int64   `json:"count"`
	MeanSeconds float64 `json:"meanSeconds"`
	P50Seconds  float64 `json:"p50Seconds"`
	P90Seconds  float64 `json:"p90Seconds"`
}
