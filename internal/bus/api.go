package bus

import (
	"context"
	"iter"
	"log/slog"
	"time"
)

// Dialer makes connections. Roles are given one; [Endpoint] dials over the
// network and [Server] inside the process.
type Dialer interface {
	// Dial waits until the first connection stands or ctx ends. Afterwards the
	// connection heals by itself for ever. Errors in keys, certificates and
	// addresses are returned at once.
	Dial(ctx context.Context, opts ClientOptions) (Conn, error)
}

// ClientOptions are what a role decides about its connection.
type ClientOptions struct {
	// Name shown by the server, such as the pod name.
	Name string
	// Logger for connects and errors; [slog.Default] if nil.
	Logger *slog.Logger
	// OnDisconnect is called when the connection is lost, with the cause if
	// known, and OnReconnect when it stands again. They run one after the
	// other and must not block. A clean Close calls neither.
	OnDisconnect func(error)
	OnReconnect  func()
	// Metrics counts appends and disconnects; nil counts nothing.
	Metrics *Metrics
}

// Conn is a connection to the bus, safe for concurrent use.
type Conn interface {
	Messenger
	// EnsureStream makes the stream as described, or changes it to that, and
	// does nothing when it is so already. Roles of an embedded bus may not do
	// this, the bus role does it for them: they call WaitStream.
	EnsureStream(ctx context.Context, spec StreamSpec) error
	// WaitStream returns as soon as the stream exists.
	WaitStream(ctx context.Context, stream string) error
	// Log gives access to an existing stream.
	Log(stream string) Log
	// Connected says whether the connection stands at the moment.
	Connected() bool
	// Drain ends all subscriptions after their pending messages, sends what is
	// buffered and closes. When ctx ends first it closes at once.
	Drain(ctx context.Context) error
	// Close ends the connection at once. It may be called twice.
	Close()
}

// Messenger sends and receives core messages: at most once, not stored.
type Messenger interface {
	// Publish hands a message to the server. An error says that it was surely
	// not sent; without one it may still be lost on the way.
	Publish(ctx context.Context, subject string, data []byte) error
	// Request sends and waits for one reply. Errors: [ErrNoResponders], [ErrUnavailable], [ErrDenied].
	Request(ctx context.Context, subject string, data []byte) ([]byte, error)
	// Subscribe calls h for each message, one after the other, until ctx ends or
	// the subscription is stopped. It returns when the server knows about it.
	Subscribe(ctx context.Context, subject string, h Handler, opts ...SubscribeOption) (Subscription, error)
	// QueueSubscribe is Subscribe where one member of the group gets each message.
	QueueSubscribe(ctx context.Context, subject, group string, h Handler, opts ...SubscribeOption) (Subscription, error)
}

// Handler of core messages. It may keep the message.
type Handler func(*Message)

// Subscription of core messages.
type Subscription interface {
	// Stop ends the subscription and drops what is pending. No handler is
	// started afterwards. It may be called twice, also by the handler.
	Stop()
}

// AppendOptions guard an append.
type AppendOptions struct {
	// MsgID makes the append idempotent: the same id within two minutes is
	// stored once. Without it a lost answer cannot be told from a lost message
	// and Append does not repeat by itself.
	MsgID string
	// ExpectLast is the sequence that must be the last one of ExpectFilter, 0
	// for "no message". Nil expects nothing.
	ExpectLast *uint64
	// ExpectFilter is the subject that ExpectLast is checked on; empty for the
	// subject of the message itself.
	ExpectFilter string
}

// Expect is ExpectLast in one line.
func Expect(seq uint64) *uint64 { return &seq }

// Stored is a message of a log.
type Stored struct {
	Subject string
	// Seq is the message's sequence in the stream, from 1 on.
	Seq uint64
	// Time when the bus stored it, UTC.
	Time time.Time
	// MsgID given by the writer, may be empty.
	MsgID string
	Data  []byte
}

// TailHandler receives a tail. Its functions are called one after the other.
type TailHandler struct {
	// Message is called for each stored message in sequence order, exactly
	// once. An error ends the tail.
	Message func(Stored) error
	// CaughtUp is called once, when everything that was stored at the start of
	// the tail has been given to Message. Nil is allowed. An error ends the tail.
	CaughtUp func() error
}

// Log is a stored log: one stream with many subjects. Filters may hold
// wildcards, subjects may not.
type Log interface {
	// Append stores one message and returns its sequence. It returns only
	// after the bus has it on disk. With a MsgID it repeats by itself until
	// ctx ends and duplicate says that the message had been stored before.
	// A ctx without a deadline gets one of 10 s.
	// Errors: [FencedError], [ErrFull], [ErrUnavailable], [ErrDenied], [ErrTooLarge].
	Append(ctx context.Context, subject string, data []byte, opts AppendOptions) (seq uint64, duplicate bool, err error)
	// Read gives the messages that match the filter, from sequence from on up
	// to the last one stored when it begins, and ends. An error is the last pair.
	Read(ctx context.Context, filter string, from uint64) iter.Seq2[Stored, error]
	// Tail gives the messages that match one of the filters, from sequence from
	// on, without end, across reconnects and restarts of the server. It returns
	// the cause of ctx, the handler's error, [ErrLogReplaced] or [ErrDenied].
	Tail(ctx context.Context, filters []string, from uint64, h TailHandler) error
	// Last gives the newest message that matches the filter, read from the
	// leader of the log; ok is false when there is none.
	Last(ctx context.Context, filter string) (msg Stored, ok bool, err error)
	// LastSeq is the sequence of Last, 0 when there is none: what an append
	// may expect.
	LastSeq(ctx context.Context, filter string) (uint64, error)
	// PurgeUpTo removes the messages that match the filter up to and with the
	// sequence. Later ones stay, also one that arrives meanwhile. It works on a full log.
	PurgeUpTo(ctx context.Context, filter string, seq uint64) error
	// CompactUpTo is PurgeUpTo that keeps the last message of the subject:
	// without it the expected sequence starts at 0 again and fences nobody.
	CompactUpTo(ctx context.Context, subject string, seq uint64) error
	// Info about the whole log, read from its leader.
	Info(ctx context.Context) (LogInfo, error)
}

// LogInfo is the state of a log.
type LogInfo struct {
	// FirstSeq and LastSeq of the stream; FirstSeq is LastSeq+1 when it is empty.
	FirstSeq, LastSeq uint64
	Messages, Bytes   uint64
	// MaxBytes that the log may hold; it refuses appends beyond.
	MaxBytes int64
	// Subjects that hold at least one message; each costs the server about 1 kB of memory.
	Subjects uint64
	// Replicas that store the log.
	Replicas int
	// Now is the time by the clock of the log's leader, which all roles can agree on.
	Now time.Time
	// Created tells this log from one that was made anew under its name, whose
	// sequences mean other messages.
	Created time.Time
}

// StreamSpec describes a stream. Everything else about it is fixed by [StreamConfig].
type StreamSpec struct {
	Name     string
	Subjects []string
	// Replicas is 1 or 3; 0 stands for "as many as the system has, at most 3".
	Replicas int
	// MaxBytes of the stream, at least 1 MiB.
	MaxBytes int64
}
