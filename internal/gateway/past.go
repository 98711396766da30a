package gateway

import (
	"context"
	"errors"
	"slices"

	archive "github.com/deskfleet/deskfleet/internal/archive/protocol"
	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/gateway/chatwire"
	"github.com/deskfleet/deskfleet/internal/router/intake"
)

// claimed is the contact's latest conversation by its claim; conv is empty for none.
type claimed struct {
	conv conversation.ID
	seq  uint64
	open bool
}

// latest conversation of the contact by its claim, and whether it is open.
func (l *link) latest(ctx context.Context, contact string) (claimed, error) {
	last, found, err := l.Log.Last(ctx, l.intake.Subjects.Claim(Channel, contact))
	if err != nil || !found {
		return claimed{}, err
	}
	claim, err := conversation.DecodeClaim(last.Data)
	if err != nil || claim.Contact != contact {
		return claimed{}, nil //nolint:nilerr // worth as little as none, see package intake
	}
	return claimed{conv: claim.Conversation, seq: last.Seq, open: !claim.Ended}, nil
}

// errForeign says that a conversation is not one of the contact. Clients are told what they are told of one
// that does not exist: nobody shall find ids by trying.
var errForeign = errors.New("no conversation of the contact")

// recorded reads a conversation of the contact from its beginning: from the log, or from the archive when
// the log has it no longer. claimed says that the contact's claim names it.
func (l *link) recorded(ctx context.Context, conv conversation.ID, contact string, claimed bool) ([]bus.Stored, error) {
	var stored []bus.Stored
	for m, err := range l.Log.Read(ctx, l.intake.Subjects.Conversation(string(conv)), 0) {
		if err != nil {
			return nil, err
		}
		stored = append(stored, m)
	}
	if onlyRatings(stored) {
		stored = nil // it was given after the archive had taken the conversation out of the log
	}
	switch {
	case claimed && len(stored) > 0, slices.ContainsFunc(stored, func(m bus.Stored) bool { return belongsTo(m, contact) }):
		return stored, nil
	case len(stored) > 0:
		return nil, errForeign
	}
	stored, err := l.archived(ctx, conv, contact)
	if claimed && errors.Is(err, errForeign) {
		return nil, nil // just opened: nothing was said yet
	}
	return stored, err
}

// archived reads an ended conversation of the contact from the archive. The archive may be away: an old
// conversation is then missing for a while, which must not keep its customer from opening a new one.
func (l *link) archived(ctx context.Context, conv conversation.ID, contact string) ([]bus.Stored, error) {
	var stored []bus.Stored
	request := archive.TranscriptRequest{Conversation: conv, Limit: archive.MaxItems, Ownership: true}
	for {
		reply, err := l.archive.Transcript(ctx, request)
		if err != nil || reply.Conversation == nil || reply.Conversation.Contact != contact || reply.Conversation.Channel != Channel {
			return nil, errors.Join(errForeign, err)
		}
		for _, item := range reply.Items {
			stored = append(stored, bus.Stored{Seq: item.Seq, Data: item.Event})
		}
		if reply.Next == "" {
			return stored, nil
		}
		request.After = reply.Next
	}
}

// before looks for a message in the conversation that its client names, which may have ended since the
// message was first sent: sent again it must not open another one. A conversation that is not the contact's
// is taken out of the frame; looking for the message there would tell what was sent in it.
func (l *link) before(ctx context.Context, contact string, f *chatwire.ClientFrame) (intake.Posted, bool, error) {
	stored, err := l.recorded(ctx, f.Conversation, contact, false)
	if errors.Is(err, errForeign) {
		f.Conversation = ""
		return intake.Posted{}, false, nil
	}
	if err != nil {
		return intake.Posted{}, false, err
	}
	for _, m := range stored {
		// By the event and not by the bus's message id: the archive keeps only the former.
		e, err := conversation.Decode(m.Data)
		if err != nil {
			continue
		}
		said, ok := e.Body.(*conversation.Message)
		if ok && said.From.Kind == conversation.KindCustomer && said.ClientID == f.ClientID {
			return intake.Posted{Conversation: f.Conversation, ID: e.ID, Seq: m.Seq, Duplicate: true}, true, nil
		}
	}
	return intake.Posted{}, false, nil
}
