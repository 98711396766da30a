package gateway

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/gateway/chatwire"
	"github.com/deskfleet/deskfleet/internal/router/intake"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
	"github.com/deskfleet/deskfleet/internal/web/feed"
	"github.com/deskfleet/deskfleet/internal/web/problem"
	"github.com/deskfleet/deskfleet/internal/web/socket"
)

// Bounds of one socket's frames; a person types far less.
const (
	framesPerSecond = 20
	framesBurst     = 60
	typingEvery     = time.Second
)

// session is one customer's WebSocket. Its Receive runs on the socket's reader, its Deliver on the writer,
// and the feed calls its Stored and Live; what they share is guarded by mu.
type session struct {
	g    *Gateway
	link *link
	sock *socket.Socket
	addr netip.Addr

	// Of the reader.
	frames  *rate.Limiter
	greeted bool
	typed   time.Time

	// Set by hello, then constant.
	contact  contact
	language string

	// Of the writer.
	views map[conversation.ID]*view

	mu sync.Mutex
	// follows are the conversations that the session is joined to, in the order of their claims.
	follows []followed
	// attends is the conversation for which the session counts as the customer's presence.
	attends conversation.ID
}

// followed is a conversation and the sequence of the contact's claim that names it.
type followed struct {
	conv  conversation.ID
	claim uint64
	// ended says that the claim is over: the next message opens another conversation.
	ended bool
}

// hello is pushed to the writer by the first frame.
type hello struct{ frame *chatwire.ClientFrame }

// reset is pushed when the log was replaced.
type reset struct{}

// Receive implements socket.Session.
func (s *session) Receive(ctx context.Context, data []byte) error {
	if !s.frames.Allow() {
		return &socket.Closing{Code: socket.CodePolicy, Reason: "too many frames"}
	}
	f, err := chatwire.DecodeClient(data)
	if err != nil {
		return s.refuse(f, err)
	}
	if !s.greeted {
		return s.greet(f)
	}
	switch f.Type {
	case chatwire.TypeMessage:
		return s.say(ctx, f)
	case chatwire.TypeTyping:
		s.typing(ctx, f.On)
	case chatwire.TypeCallBack:
		return s.refused(s.callBack(ctx, f))
	case chatwire.TypeRate:
		return s.refused(s.link.rate(ctx, s.g, s.contact.ID, f.Conversation, conversation.Rating{Score: f.Score, Comment: f.Comment}))
	case chatwire.TypeClose:
		return s.close(ctx)
	case chatwire.TypeHello:
		return &socket.Closing{Code: socket.CodePolicy, Reason: "a second hello"}
	}
	return nil
}

// refuse tells the client; a client that cannot even say hello is closed.
func (s *session) refuse(f *chatwire.ClientFrame, err error) error {
	e := chatwire.Error{Type: chatwire.TypeError, Problem: problem.From(err)}
	if f != nil && f.Type == chatwire.TypeMessage {
		e.ClientID = f.ClientID
	}
	s.sock.Push(e)
	switch {
	case s.greeted:
		return nil
	case e.Problem.Code() == problem.CodeToken:
		return &socket.Closing{Code: socket.CodeUnauthorised, Reason: "the token is not accepted"}
	case e.Problem.RetryAfterSeconds > 0:
		return &socket.Closing{Code: socket.CodeSlow, Reason: "not now"}
	default:
		return &socket.Closing{Code: socket.CodePolicy, Reason: "no valid hello"}
	}
}

func (s *session) greet(f *chatwire.ClientFrame) error {
	if f.Type != chatwire.TypeHello {
		return s.refuse(f, problem.Field(http.StatusBadRequest, problem.CodeProtocol, "type", f.Type, "the first frame is not hello", "say hello first"))
	}
	name := ""
	if f.Contact != nil {
		name = f.Contact.Name
	}
	c, err := s.g.identify(f.Token, name, s.addr, time.Now())
	if err != nil {
		return s.refuse(f, err)
	}
	if err := s.g.checkReads(c.ID, time.Now()); err != nil {
		return s.refuse(f, err)
	}
	s.contact, s.language, s.greeted = c, f.Language, true
	s.sock.Push(hello{frame: f})
	return nil
}

func (s *session) say(ctx context.Context, f *chatwire.ClientFrame) error {
	posted, found, err := intake.Posted{}, false, error(nil)
	if f.Conversation != "" && !s.isOpen(f.Conversation) {
		if err = s.g.checkReads(s.contact.ID, time.Now()); err == nil {
			posted, found, err = s.link.before(ctx, s.contact.ID, f)
		}
	}
	if err == nil && !found {
		posted, err = s.link.post(ctx, s.g, s.contact, s.joined(), s.language, f)
	}
	if err != nil {
		return s.refuse(f, err)
	}
	s.sock.Push(chatwire.Ack{
		Type: chatwire.TypeAck, ClientID: f.ClientID,
		Conversation: posted.Conversation, Seq: posted.Seq, Duplicate: posted.Duplicate,
	})
	return nil
}

// typing is passed on at most once a second; the end of it always.
func (s *session) typing(ctx context.Context, on bool) {
	conv := s.open()
	now := time.Now()
	if conv == "" || on && now.Sub(s.typed) < typingEvery {
		return
	}
	s.typed = now
	from := conversation.Actor{Kind: conversation.KindCustomer, ID: s.contact.ID, Name: s.contact.Name}
	data, err := feed.EncodeTyping(conv, from, on)
	if err == nil {
		err = s.link.Conn.Publish(ctx, s.g.subjects.Live(string(conv)), data)
	}
	if err != nil {
		s.g.log.DebugContext(ctx, "typing not passed on", "error", err)
	}
}

func (s *session) close(ctx context.Context) error {
	conv := s.open()
	if conv == "" {
		return s.refuse(nil, problem.New(http.StatusConflict, problem.CodeConflict, "no conversation is open", "nothing needs to be done"))
	}
	if _, err := s.link.end(ctx, s.g.subjects, s.contact.ID, conv); err != nil {
		return s.refuse(nil, err)
	}
	return nil
}

// end asks the router to end a conversation behind all that was said in it.
func (l *link) end(ctx context.Context, subjects bus.Subjects, contact string, conv conversation.ID) (*protocol.Reply, error) {
	last, err := l.Log.LastSeq(ctx, subjects.Messages(string(conv)))
	if err != nil {
		return nil, err
	}
	return l.router.Ask(ctx, contact, protocol.Request{Type: protocol.Close, Conversation: conv, Seq: last})
}

// open is the conversation that was last known to be open; empty for none.
func (s *session) open() conversation.ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.follows) == 0 {
		return ""
	}
	return s.follows[len(s.follows)-1].conv
}

// joined is the contact's open conversation as far as the feed has told of it; zero for none.
func (s *session) joined() intake.Joined {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.follows); n > 0 && !s.follows[n-1].ended {
		return intake.Joined{Conversation: s.follows[n-1].conv, Seq: s.follows[n-1].claim}
	}
	return intake.Joined{}
}

// isOpen says whether the conversation is known to be the contact's open one.
func (s *session) isOpen(conv conversation.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.follows, func(f followed) bool { return f.conv == conv && !f.ended })
}

// Stored implements feed.Sink. A claim that opens a conversation is followed at once, here on the feed's
// goroutine: the conversation's first event comes right behind it.
func (s *session) Stored(m feed.Stored) {
	if m.Subject.Kind == bus.KindClaim {
		claim, err := conversation.DecodeClaim(m.Data)
		if err == nil && claim.Contact == s.contact.ID {
			s.follow(followed{conv: claim.Conversation, claim: m.Seq, ended: claim.Ended})
		}
		return
	}
	s.sock.Push(m)
}

// Live implements feed.Sink.
func (s *session) Live(l feed.Live) { s.sock.Push(l) }

// Reset implements feed.Sink.
func (s *session) Reset() { s.sock.Push(reset{}) }

// mostFollowed conversations of one socket: the open one and the one before, whose last events may still come.
const mostFollowed = 2

// follow joins a conversation. The one with the latest claim is the open one, in whatever order the feed
// and the reading of the log come to know of them.
func (s *session) follow(f followed) {
	s.link.Feed.Join(s, feed.OfConversation(string(f.conv)))
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.ContainsFunc(s.follows, func(known followed) bool { return known.conv == f.conv && known.claim > f.claim }) {
		return // a later claim of it is known
	}
	s.follows = slices.DeleteFunc(s.follows, func(known followed) bool { return known.conv == f.conv })
	at, _ := slices.BinarySearchFunc(s.follows, f.claim, func(known followed, claim uint64) int { return cmp.Compare(known.claim, claim) })
	s.follows = slices.Insert(s.follows, at, f)
	if len(s.follows) > mostFollowed {
		s.link.Feed.Leave(s, feed.OfConversation(string(s.follows[0].conv)))
		s.follows = slices.Delete(s.follows, 0, 1)
	}
}

// attend counts the session as the customer's presence in the conversation, and no longer in another one.
// again says that the conversation was there before, so that the router may believe that the customer left.
func (s *session) attend(conv conversation.ID, again bool) {
	s.mu.Lock()
	before := s.attends
	s.attends = conv
	s.mu.Unlock()
	if before == conv {
		return
	}
	if conv != "" {
		s.link.attend.enter(conv, s.contact.ID, again)
	}
	if before != "" {
		s.link.attend.leave(before)
	}
}

// end undoes what the session joined.
func (s *session) end() {
	s.link.Feed.LeaveAll(s)
	s.attend("", false)
}

func isRefusal(err error) bool {
	var refused *protocol.Error
	return errors.As(err, &refused)
}
