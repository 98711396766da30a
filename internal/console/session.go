package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/deskfleet/deskfleet/internal/archive/audit"
	archive "github.com/deskfleet/deskfleet/internal/archive/protocol"
	"github.com/deskfleet/deskfleet/internal/console/agentwire"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
	"github.com/deskfleet/deskfleet/internal/web/feed"
	"github.com/deskfleet/deskfleet/internal/web/problem"
	"github.com/deskfleet/deskfleet/internal/web/socket"
)

// Bounds of one socket's frames.
const (
	framesPerSecond = 50
	framesBurst     = 200
)

// session is one WebSocket of an agent. Its Receive runs on the socket's reader, what it serves in the lanes
// of the conversations, its Deliver on the writer, and the feed calls its Stored and Live; what they share is
// guarded by mu.
type session struct {
	c    *Console
	link *link
	sock *socket.Socket
	addr netip.Addr
	// token of the request's header, empty for none.
	token string

	// Of the reader.
	frames   *rate.Limiter
	signedIn bool

	// Set by signIn, then constant.
	user user

	// Of the writer.
	views map[conversation.ID]*view
	// watched are the conversations that the agent wants to see besides.
	watched map[conversation.ID]struct{}

	mu sync.Mutex
	// agent that the session is one of, nil before signIn.
	agent *agent
	// holds are the conversations that the agent owns, as the writer knows them.
	holds map[conversation.ID]hold
}

// hold is what is needed to speak in an owned conversation.
type hold struct {
	ownSeq, msgSeq uint64
	language       string
	handOff        *conversation.HandOff
}

// begin is pushed to the writer by signIn.
type begin struct{ frame *agentwire.ClientFrame }

// watching is pushed when the agent may see a conversation, or no longer wants to.
type watching struct {
	conv conversation.ID
	on   bool
}

// reset is pushed when the log was replaced.
type reset struct{}

// Receive implements socket.Session.
func (s *session) Receive(ctx context.Context, data []byte) error {
	if !s.frames.Allow() {
		return &socket.Closing{Code: socket.CodePolicy, Reason: "too many frames"}
	}
	f, err := agentwire.DecodeClient(data)
	if err != nil {
		return s.refuse(f, err)
	}
	if !s.signedIn {
		return s.signIn(ctx, f)
	}
	switch f.Type {
	case agentwire.TypeSignIn:
		return &socket.Closing{Code: socket.CodePolicy, Reason: "a second signIn"}
	case agentwire.TypePresence:
		s.sock.Settle()          // who leaves has said before what was said before
		s.agent.want(f.Presence) // written by this goroutine only
		return s.done(f, nil)
	case agentwire.TypeTyping:
		s.typing(ctx, f)
		return nil
	default:
		// Each takes a way to the disk and back: an agent with many conversations must not wait for it in one of
		// them because of another.
		s.sock.InOrder(ctx, string(f.Conversation), func() { s.serve(ctx, f) })
		return nil
	}
}

// serve handles a frame about one conversation.
func (s *session) serve(ctx context.Context, f *agentwire.ClientFrame) {
	switch f.Type {
	case agentwire.TypeMessage:
		s.say(ctx, f)
	case agentwire.TypeWatch:
		_ = s.done(f, s.askWatch(ctx, f)) // only who has not signed in is closed by it
	default:
		s.request(ctx, f)
	}
}

// refuse tells the client; a client that did not sign in is closed.
func (s *session) refuse(f *agentwire.ClientFrame, err error) error {
	e := agentwire.Error{Type: agentwire.TypeError, Problem: problem.From(err)}
	if f != nil {
		e.ID, e.ClientID, e.Conversation = f.ID, f.ClientID, f.Conversation
	}
	s.sock.Push(e)
	switch {
	case s.signedIn:
		return nil
	case e.Problem.Code() == problem.CodeToken || e.Problem.Code() == problem.CodeUnauthorised:
		return &socket.Closing{Code: socket.CodeUnauthorised, Reason: "the token is not accepted"}
	case e.Problem.RetryAfterSeconds > 0:
		return &socket.Closing{Code: socket.CodeSlow, Reason: "not now"}
	default:
		return &socket.Closing{Code: socket.CodePolicy, Reason: "no valid signIn"}
	}
}

// done answers a request.
func (s *session) done(f *agentwire.ClientFrame, err error) error {
	if err != nil {
		return s.refuse(f, err)
	}
	if f.ID != "" {
		s.sock.Push(agentwire.Done{Type: agentwire.TypeDone, ID: f.ID})
	}
	return nil
}

func (s *session) signIn(ctx context.Context, f *agentwire.ClientFrame) error {
	if f.Type != agentwire.TypeSignIn {
		return s.refuse(f, problem.Field(http.StatusBadRequest, problem.CodeProtocol, "type", f.Type, "the first frame is not signIn", "sign in first"))
	}
	token := f.Token
	if token == "" {
		token = s.token
	}
	if token == "" {
		return s.refuse(f, problem.New(http.StatusUnauthorized, problem.CodeUnauthorised, "", "send the token in signIn or in the header Authorization"))
	}
	found, err := s.c.signIn(token, s.addr, time.Now())
	if err != nil {
		return s.refuse(f, err)
	}
	if err := s.link.report(ctx, "agent.signedIn", found, "", nil); err != nil {
		return s.refuse(f, err)
	}
	s.user, s.signedIn, s.token, f.Token = found, true, "", ""
	s.sock.Push(begin{frame: f}) // before what the agent and the figures push
	entered := s.link.agents.enter(s, f.Presence)
	s.mu.Lock()
	s.agent = entered
	s.mu.Unlock()
	s.link.figures.enter(s)
	return nil
}

// report stores an audit event.
func (l *link) report(ctx context.Context, action string, u user, conv conversation.ID, details []byte) error {
	now := time.Now()
	e := audit.NewEvent(conversation.NewID(now), now, "console", action, u.actor())
	e.Conversation, e.Details = conv, details
	return archive.Report(ctx, l.Log, l.subjects, e)
}

// actor is the user as the author of something.
func (u user) actor() conversation.Actor {
	return conversation.Actor{Kind: conversation.KindAgent, ID: u.Name, Name: u.Name}
}

// request passes on what the router decides.
func (s *session) request(ctx context.Context, f *agentwire.ClientFrame) {
	req, err := s.asked(ctx, f)
	if err == nil && req.Type == "" {
		return // of a later release
	}
	if err == nil {
		_, err = s.link.router.Ask(ctx, s.user.Name, req)
	}
	if err == nil {
		s.sock.Push(look{conv: f.Conversation}) // the router's push may be lost
	}
	_ = s.done(f, err) // only who has not signed in is closed by it
}

// asked is the router's request for a frame; its type is empty for a frame of a later release. An error says that the
// agent may not.
func (s *session) asked(ctx context.Context, f *agentwire.ClientFrame) (req protocol.Request, err error) {
	req.Conversation = f.Conversation
	switch f.Type {
	case agentwire.TypeAccept:
		req.Type = protocol.Accept
	case agentwire.TypeDecline:
		req.Type = protocol.Decline
	case agentwire.TypeClose:
		req.Type, req.Disposition, req.Comment = protocol.Close, f.Disposition, f.Comment
		if h, ok := s.held(f.Conversation); ok {
			req.Seq = h.msgSeq // behind what the agent has read
		}
	case agentwire.TypeHandOff:
		req.Type = protocol.HandOff
		req.HandOff, err = s.handOff(ctx, f)
	case agentwire.TypePostpone:
		req.Type, req.Until, req.Promised = protocol.Postpone, f.Until, f.CallBack
	case agentwire.TypeTakeOver:
		req.Type = protocol.TakeOver
		err = s.mayTakeOver(ctx, f)
	case agentwire.TypeTag:
		req.Type, req.Tags = protocol.Tag, f.Tags
		err = s.mayTag(ctx, f)
	case agentwire.TypeMerge:
		req, err = s.merge(ctx, f)
	}
	return req, err
}

// handOff carries on what the conversation came with: what was tried once must not be tried again.
func (s *session) handOff(ctx context.Context, f *agentwire.ClientFrame) (*conversation.HandOff, error) {
	h, err := s.holding(ctx, f.Conversation)
	if err != nil {
		return nil, err
	}
	out := &conversation.HandOff{
		TranscriptSeq: h.msgSeq, Language: h.language, Verification: conversation.VerificationNone,
		Reason: conversation.Reason{Code: conversation.ReasonTransfer, Words: f.Reason}, Summary: f.Summary, Queue: f.Queue, Agent: f.Agent,
	}
	if out.Language == "" {
		out.Language = s.c.document().Languages[0]
	}
	if before := h.handOff; before != nil {
		out.Intents, out.Tried, out.Verification = before.Intents, before.Tried, before.Verification
	}
	return out, out.Validate()
}

func notOwner(conv conversation.ID) *problem.Problem {
	return problem.Field(http.StatusConflict, problem.CodeNotOwner, "conversation", string(conv),
		"you do not own it, or no longer", "only its owner may do this; accept an offer first")
}

func (s *session) held(conv conversation.ID) (hold, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h, ok := s.holds[conv]
	return h, ok
}

// holding is what is needed to speak in a conversation that the agent owns. What the writer has read so far
// is only a shortcut: an agent who comes back speaks before everything has been read again, and must not be
// told that its own conversation is not its own. The log decides.
func (s *session) holding(ctx context.Context, conv conversation.ID) (hold, error) {
	if h, ok := s.held(conv); ok {
		return h, nil
	}
	v, _, err := s.link.logged(ctx, conv, s.user.Name)
	if err != nil {
		return hold{}, err
	}
	if v.relation() != agentwire.Owned {
		return hold{}, notOwner(conv)
	}
	return holdOf(v), nil
}

func holdOf(v *view) hold {
	return hold{ownSeq: v.state.OwnSeq, msgSeq: v.state.MsgSeq, language: v.state.Language, handOff: v.state.HandOff}
}

func (s *session) typing(ctx context.Context, f *agentwire.ClientFrame) {
	if _, ok := s.held(f.Conversation); !ok {
		return
	}
	data, err := feed.EncodeTyping(f.Conversation, s.user.actor(), f.On)
	if err == nil {
		err = s.link.Conn.Publish(ctx, s.link.subjects.Live(string(f.Conversation)), data)
	}
	if err != nil {
		s.c.log.DebugContext(ctx, "typing not passed on", "error", err)
	}
}

// say stores a message and acknowledges it.
func (s *session) say(ctx context.Context, f *agentwire.ClientFrame) {
	seq, duplicate, err := s.store(ctx, f)
	s.c.metrics.messages.WithLabelValues(result(duplicate, err)).Inc()
	if err != nil {
		_ = s.refuse(f, err)
		return
	}
	s.sock.Push(agentwire.Ack{
		Type: agentwire.TypeAck, Conversation: f.Conversation, ClientID: f.ClientID, Seq: seq, Duplicate: duplicate,
	})
}

func (s *session) store(ctx context.Context, f *agentwire.ClientFrame) (seq uint64, duplicate bool, err error) {
	p := post{link: s.link, user: s.user, frame: f}
	h, err := s.holding(ctx, f.Conversation)
	if err == nil {
		return p.store(ctx, h.ownSeq)
	}
	if f.Note {
		return p.whisper(ctx)
	}
	// Stored while the agent owned the conversation, and sent again because the ack was lost.
	if stored, _, readErr := p.look(ctx); readErr == nil && stored > 0 {
		return stored, true, nil
	}
	return 0, false, err
}

func result(duplicate bool, err error) string {
	var p *problem.Problem
	switch {
	case err == nil && duplicate:
		return "duplicate"
	case err == nil:
		return "stored"
	case errors.As(err, &p) && p.Code() == problem.CodeNotOwner:
		return "fenced"
	case problem.From(err).Status < http.StatusInternalServerError:
		return "refused"
	default:
		return "unavailable"
	}
}

// Stored implements feed.Sink.
func (s *session) Stored(m feed.Stored) { s.sock.Push(m) }

// Live implements feed.Sink.
func (s *session) Live(l feed.Live) { s.sock.Push(l) }

// Reset implements feed.Sink.
func (s *session) Reset() { s.sock.Push(reset{}) }

// end undoes what the session joined.
func (s *session) end() {
	s.link.Feed.LeaveAll(s)
	s.link.figures.leave(s)
	if s.agent != nil {
		s.link.agents.leave(s, s.agent)
	}
}

// String names the session in logs.
func (s *session) String() string { return fmt.Sprintf("agent %s", s.user.Name) }
