package protocol

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
)

// Version of what this release writes.
const Version = 1

// Times that both sides keep.
const (
	RequestTimeout = 2 * time.Second
	HeartbeatEvery = 2 * time.Second
	HeartbeatLost  = 6 * time.Second
	PositionEvery  = time.Second
	FiguresEvery   = time.Second
)

// MaxRequestBytes of a request; longer ones are refused unread.
const MaxRequestBytes = 64 << 10

// RequestType says what is asked of the router.
type RequestType string

// Types of requests, see the package's description.
const (
	SignOn   RequestType = "signOn"
	Presence RequestType = "presence"
	Drain    RequestType = "drain"
	SignOff  RequestType = "signOff"
	Sync     RequestType = "sync"
	Accept   RequestType = "accept"
	Decline  RequestType = "decline"
	HandOff  RequestType = "handOff"
	Close    RequestType = "close"
	Left     RequestType = "left"
	Back     RequestType = "back"
	Show     RequestType = "show"
	// Postpone and CallBack put a conversation aside until a time.
	Postpone RequestType = "postpone"
	CallBack RequestType = "callBack"
	// TakeOver is for consoles that know who may take over, such as supervisors.
	TakeOver RequestType = "takeOver"
	// Tag and Merge are for consoles that know who may.
	Tag   RequestType = "tag"
	Merge RequestType = "merge"
	// HoldStep and ReleaseStep are for consoles that know who may; Queues lists the queues of people with their ladders.
	HoldStep    RequestType = "holdStep"
	ReleaseStep RequestType = "releaseStep"
	Queues      RequestType = "queues"
	// Agents and Open list who is signed on, and what is open.
	Agents RequestType = "agents"
	Open   RequestType = "open"
	// Staffing asks for the plan of a pool of people.
	Staffing RequestType = "staffing"
	// CallReserve and ReleaseReserve are for consoles that know who may; Reserve lists the reserve tiers of all pools.
	CallReserve    RequestType = "callReserve"
	ReleaseReserve RequestType = "releaseReserve"
	Reserve        RequestType = "reserve"
)

// Bounds of lists.
const (
	// MaxOpen conversations of one reply.
	MaxOpen = 200
	// MaxListBytes of the conversations of one reply, far below what the bus carries.
	MaxListBytes = 400 << 10
)

// Request to the router.
type Request struct {
	V int `json:"v"`
	// ID of the request, a token unique for the sender, such as a ULID; the same when it is sent again.
	ID   string      `json:"id"`
	Type RequestType `json:"type"`
	// Conversation for all types that concern one.
	Conversation conversation.ID `json:"conversation,omitempty"`
	// Seq for close and left: the sequence of the last message that came before it. It is decided behind that message,
	// whichever of the two reaches the router first, and is to be sent again when the message is late; 0 for at once.
	Seq uint64 `json:"seq,omitempty"`
	// Agent and Presence for signOn, Presence for presence.
	Agent    *conversation.Agent   `json:"agent,omitempty"`
	Presence conversation.Presence `json:"presence,omitempty"`
	// Draining for drain.
	Draining bool `json:"draining,omitempty"`
	// HandOff for handOff.
	HandOff *conversation.HandOff `json:"handOff,omitempty"`
	// Until for postpone and callBack: when the conversation goes on. A callBack without it keeps its place in the queue.
	Until time.Time `json:"until,omitzero"`
	// Promised for postpone: the customer was told.
	Promised bool `json:"promised,omitempty"`
	// Tags for tag.
	Tags []string `json:"tags,omitempty"`
	// Into, Note and Say for merge.
	Into conversation.ID    `json:"into,omitempty"`
	Note string             `json:"note,omitempty"`
	Say  *conversation.Said `json:"say,omitempty"`
	// Queue and Step for holdStep and releaseStep, Until and Reason for holdStep.
	Queue  string `json:"queue,omitempty"`
	Step   int    `json:"step,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Filter for open.
	Filter *Filter `json:"filter,omitempty"`
	// Disposition and Comment for close.
	Disposition string `json:"disposition,omitempty"`
	Comment     string `json:"comment,omitempty"`
	// Pool for staffing, callReserve and releaseReserve; Tier for the latter two, Until and Reason for callReserve.
	Pool string `json:"pool,omitempty"`
	Tier string `json:"tier,omitempty"`
}

// Filter of open conversations; empty fields stand for any.
type Filter struct {
	Queue  string              `json:"queue,omitempty"`
	Agent  string              `json:"agent,omitempty"`
	Status conversation.Status `json:"status,omitempty"`
	// After is the id that the reply before ended with.
	After conversation.ID `json:"after,omitempty"`
	// Limit, at most MaxOpen; 0 for that.
	Limit int `json:"limit,omitempty"`
}

// Reply of the router.
type Reply struct {
	V     int    `json:"v"`
	OK    bool   `json:"ok"`
	Error *Error `json:"error,omitempty"`
	// Agent after the request.
	Agent *Agent `json:"agent,omitempty"`
	// Conversation after the request.
	Conversation *Conversation `json:"conversation,omitempty"`
	// Conversations that the agent owns or is asked for, by signOn and sync; those that open asks for.
	Conversations []Conversation `json:"conversations,omitempty"`
	// More is set when open has found more: ask again behind the last one.
	More bool `json:"more,omitempty"`
	// Agents who are signed on, by agents: people only.
	Agents []Agent `json:"agents,omitempty"`
	// Queues of people, by queues, holdStep and releaseStep.
	Queues []Queue `json:"queues,omitempty"`
	// Reserve tiers of all pools, by reserve, callReserve and releaseReserve.
	Reserve []PoolReserve `json:"reserve,omitempty"`
	// Staffing of the pool that staffing asks for.
	Staffing *Plan `json:"staffing,omitempty"`
}

// Code groups refusals for programs.
type Code string

// Codes of refusals.
const (
	// CodeMalformed: the request cannot be read or lacks a field. Sending it again is useless.
	CodeMalformed Code = "malformed"
	// CodeUnsupported: this release does not know the type, or the party may not ask for it.
	CodeUnsupported Code = "unsupported"
	// CodeNotFound: no open conversation of that id, or nothing is known of that pool.
	CodeNotFound Code = "notFound"
	// CodeNotOwner: another agent, or nobody, owns the conversation.
	CodeNotOwner Code = "notOwner"
	// CodeNotOffered: the conversation is not offered to this agent (any more).
	CodeNotOffered Code = "notOffered"
	// CodeNotSignedOn: sign on first.
	CodeNotSignedOn Code = "notSignedOn"
	// CodeUnknownPool: no pool of the configuration has the agent.
	CodeUnknownPool Code = "unknownPool"
	// CodeUnknownQueue: no such queue.
	CodeUnknownQueue Code = "unknownQueue"
	// CodeState: the conversation is in a state in which this cannot be done.
	CodeState Code = "state"
	// CodeUnavailable: the router could not store the decision. Ask again with the same id.
	CodeUnavailable Code = "unavailable"
)

// Error says what was refused, why, and what to do.
type Error struct {
	Code Code `json:"code"`
	// Field and Value that were refused, where it is one of the request.
	Field  string `json:"field,omitempty"`
	Value  string `json:"value,omitempty"`
	What   string `json:"what"`
	Why    string `json:"why"`
	Remedy string `json:"remedy"`
}

// Error implements error.
func (e *Error) Error() string {
	return fmt.Sprintf("%s: %s: %s", e.What, e.Why, e.Remedy)
}

// Agent as the router sees it.
type Agent struct {
	Kind     conversation.Kind     `json:"kind"`
	ID       string                `json:"id"`
	Name     string                `json:"name,omitempty"`
	SignedOn bool                  `json:"signedOn"`
	Presence conversation.Presence `json:"presence,omitempty"`
	Draining bool                  `json:"draining,omitempty"`
	// Pools that the agent serves in, and their queues in order; a bot serves queue "bot".
	Pools  []string `json:"pools,omitempty"`
	Queues []string `json:"queues,omitempty"`
	// Slots of the agent, and how many are taken, by open offers too.
	Slots int `json:"slots"`
	Busy  int `json:"busy"`
}

// Conversation as the router sees it.
type Conversation struct {
	ID          conversation.ID     `json:"id"`
	Status      conversation.Status `json:"status"`
	Channel     string              `json:"channel,omitempty"`
	Contact     string              `json:"contact,omitempty"`
	ContactName string              `json:"contactName,omitempty"`
	Language    string              `json:"language,omitempty"`
	Queue       string              `json:"queue,omitempty"`
	Priority    int                 `json:"priority,omitempty"`
	OpenedAt    time.Time           `json:"openedAt,omitzero"`
	// ArrivedAt in the queue; it stays when the conversation comes back.
	ArrivedAt time.Time           `json:"arrivedAt,omitzero"`
	Agent     *conversation.Agent `json:"agent,omitempty"`
	// OwnSeq fences the owner's messages.
	OwnSeq uint64 `json:"ownSeq,omitempty"`
	// MsgSeq is the sequence of the last message that the router has seen.
	MsgSeq uint64 `json:"msgSeq,omitempty"`
	// Deadline of an offer or of the wrap-up, or the time until which it is put aside.
	Deadline time.Time             `json:"deadline,omitzero"`
	HandOff  *conversation.HandOff `json:"handOff,omitempty"`
	// Why the agent has it or is asked, one line for each part of the decision; in pushes, why it was taken away.
	Why []string `json:"why,omitempty"`
	// Position in the queue from 1, and how many wait there; 0 when it does not wait.
	Position int `json:"position,omitempty"`
	Waiting  int `json:"waiting,omitempty"`
	// ExpectedWaitSeconds from now until an agent has it, rounded up; 0 when that is not known.
	ExpectedWaitSeconds int `json:"expectedWaitSeconds,omitempty"`
	// BotsFrom is set of a conversation that bots have while it waits for people: what was said up to that sequence is for
	// people, and the bots answer what comes behind it.
	BotsFrom uint64 `json:"botsFrom,omitempty"`
	// Ring is how far it has relaxed what it asks for.
	Ring   int `json:"ring,omitempty"`
	Turns  int `json:"turns,omitempty"`
	Misses int `json:"misses,omitempty"`
	// Tags of the conversation. Callback says that its customer waits for an answer without being connected.
	Tags     []string `json:"tags,omitempty"`
	Callback bool     `json:"callback,omitempty"`
}

// Bytes that the conversation takes at most in a reply, without its hand-off.
func (c *Conversation) Bytes() int {
	const others = 2 << 10 // what is bounded tightly
	n := others
	for _, texts := range [][]string{c.Why, c.Tags} {
		for _, text := range texts {
			n += len(text) + len(`"",`)
		}
	}
	return n
}

// PushType says what an agent is told.
type PushType string

// Types of pushes, see the package's description.
const (
	PushOffer      PushType = "offer"
	PushOfferEnded PushType = "offerEnded"
	PushAssigned   PushType = "assigned"
	PushReleased   PushType = "released"
	PushPresence   PushType = "presence"
	PushResync     PushType = "resync"
	PushSignOn     PushType = "signOn"
)

// Push to an agent.
type Push struct {
	V            int                   `json:"v"`
	Type         PushType              `json:"type"`
	Conversation *Conversation         `json:"conversation,omitempty"`
	Outcome      conversation.Outcome  `json:"outcome,omitempty"`
	Presence     conversation.Presence `json:"presence,omitempty"`
	Why          []string              `json:"why,omitempty"`
}

// Heartbeat of an agent or a bot worker.
type Heartbeat struct {
	V int `json:"v"`
	// Holding is how many conversations the agent believes to own. Nil when it does not count them.
	Holding *int `json:"holding,omitempty"`
}

// LivePosition is the type of a Position among what else is live.
const LivePosition = "position"

// Position of a waiting conversation.
type Position struct {
	V            int                 `json:"v"`
	Type         string              `json:"type"`
	Conversation conversation.ID     `json:"conversation"`
	Status       conversation.Status `json:"status"`
	Queue        string              `json:"queue,omitempty"`
	Position     int                 `json:"position"`
	Waiting      int                 `json:"waiting"`
	// ExpectedWaitSeconds from At on, rounded up; 0 when that is not known or the queue does not announce it.
	ExpectedWaitSeconds int       `json:"expectedWaitSeconds,omitempty"`
	At                  time.Time `json:"at"`
}

// ErrMalformed is wrapped by all errors of decoding.
var ErrMalformed = errors.New("malformed")

// Encode renders any of this package's messages.
func Encode(v any) ([]byte, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode %T: %w", v, err)
	}
	return data, nil
}

// DecodeRequest reads a request. Its error is what to reply.
func DecodeRequest(data []byte) (*Request, *Error) {
	refuse := func(why, remedy string) (*Request, *Error) {
		return nil, &Error{Code: CodeMalformed, What: "the request is refused", Why: why, Remedy: remedy}
	}
	if len(data) > MaxRequestBytes {
		return refuse(fmt.Sprintf("it has %d bytes", len(data)), fmt.Sprintf("send at most %d", MaxRequestBytes))
	}
	var r Request
	if err := json.Unmarshal(data, &r); err != nil {
		return refuse("it is not the JSON of a request: "+err.Error(), "send the fields of the protocol's description")
	}
	if r.V < 1 {
		return refuse("it has no version v", "send v: 1")
	}
	if !conversation.IsToken(r.ID) {
		return refuse(fmt.Sprintf("id %.80q is no token", r.ID), "send an id of 1 to 64 characters of A-Z, a-z, 0-9, _ and -, the same when you repeat")
	}
	return &r, nil
}

// DecodeReply reads a reply. A refusal is returned as an error of type *Error together with the reply.
func DecodeReply(data []byte) (*Reply, error) {
	r, err := decode[Reply](data)
	if err != nil {
		return nil, err
	}
	if !r.OK {
		if r.Error == nil {
			return nil, fmt.Errorf("%w reply: neither ok nor error", ErrMalformed)
		}
		return r, r.Error
	}
	return r, nil
}

// DecodePush reads a push.
func DecodePush(data []byte) (*Push, error) { return decode[Push](data) }

// DecodeHeartbeat reads a heartbeat.
func DecodeHeartbeat(data []byte) (*Heartbeat, error) { return decode[Heartbeat](data) }

// DecodePosition reads a position; ok is false for another type of live message.
func DecodePosition(data []byte) (p *Position, ok bool, err error) {
	p, err = decode[Position](data)
	if err != nil {
		return nil, false, err
	}
	return p, p.Type == LivePosition, nil
}

// DecodeFigures reads figures.
func DecodeFigures(data []byte) (*Figures, error) { return decode[Figures](data) }

func decode[T any](data []byte) (*T, error) {
	var v T
	if err := json.Unmarshal(data, &v); err != nil {
		return nil, fmt.Errorf("%w %T: %w", ErrMalformed, v, err)
	}
	return &v, nil
}
