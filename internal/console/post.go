package console

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/console/agentwire"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/knowledge"
	"github.com/deskfleet/deskfleet/internal/router/intake"
)

// storeWithin bounds the storing of one message; the bus repeats by itself so long.
const storeWithin = 10 * time.Second

// storeTries bounds how often a message is stored again because the ownership's sequence moved while the
// owner stayed the same.
const storeTries = 4

// post is one message of an agent.
type post struct {
	link  *link
	user  user
	frame *agentwire.ClientFrame
}

// store appends the message, fenced by the sequence of the ownership: what a former owner says is refused by
// the log itself. It returns after the bus has it on disk.
func (p post) store(ctx context.Context, ownSeq uint64) (seq uint64, duplicate bool, err error) {
	conv := p.frame.Conversation
	data, err := p.event()
	if err != nil {
		return 0, false, err
	}
	ctx, cancel := context.WithTimeout(ctx, storeWithin)
	defer cancel()
	for range storeTries {
		seq, duplicate, err = p.append(ctx, data, ownSeq)
		if !errors.Is(err, bus.ErrFenced) {
			return seq, duplicate, err
		}
		stored, owns, readErr := p.look(ctx)
		switch {
		case readErr != nil:
			return 0, false, readErr
		case stored > 0:
			return stored, true, nil // an earlier try, whose answer was lost
		case owns == 0 || owns == ownSeq:
			return 0, false, fmt.Errorf("%w: %w", notOwner(conv), err)
		}
		ownSeq = owns
	}
	return 0, false, err
}

// event is the message as it is stored.
func (p post) event() ([]byte, error) {
	now := time.Now()
	return conversation.Encode(conversation.NewEvent(conversation.NewID(now), p.frame.Conversation, now, &conversation.Message{
		From: p.user.actor(), Text: p.frame.Text, Language: knowledge.DetectLanguage(p.frame.Text),
		ClientID: p.frame.ClientID, Note: p.frame.Note,
	}))
}

func (p post) append(ctx context.Context, data []byte, ownSeq uint64) (seq uint64, duplicate bool, err error) {
	conv := p.frame.Conversation
	return p.link.said.Append(ctx, p.link.subjects.Messages(string(conv)), data, bus.AppendOptions{
		MsgID:      intake.MsgID(conv, p.frame.ClientID),
		ExpectLast: bus.Expect(ownSeq), ExpectFilter: p.link.subjects.Ownership(string(conv)),
	})
}

// whisper appends a note to a conversation that is another's. It is fenced, too: a note that comes after the end
// would lie in the log of a conversation that the archive has taken out of it.
func (p post) whisper(ctx context.Context) (seq uint64, duplicate bool, err error) {
	data, err := p.event()
	if err != nil {
		return 0, false, err
	}
	ctx, cancel := context.WithTimeout(ctx, storeWithin)
	defer cancel()
	for range storeTries {
		stored, ownSeq, lookErr := p.lookFor(ctx, p.user.mayWhisper)
		switch {
		case lookErr != nil:
			return 0, false, lookErr
		case stored > 0:
			return stored, true, nil // an earlier try, whose answer was lost
		case ownSeq == 0:
			return 0, false, notOwner(p.frame.Conversation)
		}
		seq, duplicate, err = p.append(ctx, data, ownSeq)
		if !errors.Is(err, bus.ErrFenced) {
			return seq, duplicate, err
		}
	}
	return 0, false, err
}

// look reads whether the message is stored already, and with which sequence the agent owns the conversation;
// 0 for not.
func (p post) look(ctx context.Context) (stored, ownSeq uint64, err error) {
	return p.lookFor(ctx, func(v *view) bool { return v.relation() == agentwire.Owned })
}

// lookFor is look for who may by another reason.
func (p post) lookFor(ctx context.Context, may func(*view) bool) (stored, ownSeq uint64, err error) {
	v := newView(p.frame.Conversation, p.user.Name, 0)
	id := intake.MsgID(p.frame.Conversation, p.frame.ClientID)
	recorded, err := p.link.read(ctx, p.frame.Conversation)
	if err != nil {
		return 0, 0, err
	}
	for _, m := range recorded {
		if m.MsgID == id {
			return m.Seq, 0, nil
		}
		if v.fold(m) != nil {
			continue // what does not fit changes nothing
		}
	}
	if !may(v) {
		return 0, 0, nil
	}
	return 0, v.state.OwnSeq, nil
}
