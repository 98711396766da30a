package router

import (
	"context"
	"errors"
	"fmt"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/routing"
)

// claimFor makes sure that the claim of the message's contact names the message's conversation, before
// that is opened or reopened. It is false when the contact has another open conversation: the message
// slipped into one that was just ending, and the customer is served in the other.
func (s *session) claimFor(ctx context.Context, in *routing.Wrote) (bool, error) {
	subject := s.subjects.Claim(in.Channel, in.Contact)
	if s.pipe.releasing[subject] > 0 {
		// Its end is being written: taken up now, the conversation would be open with an ended claim.
		if err := s.drain(ctx); err != nil {
			return false, err
		}
	}
	c, known := s.claims[subject]
	in.LastAgent, in.LastAgentAt, in.Attributes = c.LastAgent, c.LastAgentAt, c.Attributes
	if known && !c.Ended {
		if c.Conversation == in.Conversation {
			if in.ContactName == "" {
				in.ContactName = c.ContactName
			}
			if in.Language == "" {
				in.Language = c.Language
			}
			return true, nil
		}
		return false, nil
	}
	next := conversation.Claim{
		V: conversation.Version, Conversation: in.Conversation, Channel: in.Channel, Contact: in.Contact,
		ContactName: in.ContactName, Language: in.Language, At: s.now().UTC(),
		LastAgent: c.LastAgent, LastAgentAt: c.LastAgentAt, Attributes: c.Attributes,
	}
	err := s.writeClaim(ctx, subject, next, c.seq)
	if errors.Is(err, bus.ErrFenced) {
		// A gateway was faster, and has taken the same conversation up again if it has seen this very message.
		names, err := s.claimNames(ctx, subject, in.Conversation)
		in.Attributes = s.claims[subject].Attributes
		return names, err
	}
	return err == nil, err
}

// claimNames reads the claim, which the tail has not brought yet, and says whether it names the conversation.
func (s *session) claimNames(ctx context.Context, subject string, conv conversation.ID) (bool, error) {
	last, found, err := s.bus.Last(ctx, subject)
	if err != nil || !found {
		return false, err
	}
	c, err := conversation.DecodeClaim(last.Data)
	if err != nil {
		return false, nil //nolint:nilerr // worth as little as an ended one, as for gateways
	}
	if s.claims[subject].seq < last.Seq {
		s.claims[subject] = claim{Claim: c, seq: last.Seq}
	}
	return !c.Ended && c.Conversation == conv, nil
}

// release is the end of a conversation's claim: the contact's next message opens another conversation.
type release struct {
	conversation conversation.ID
	subject      string
	next         conversation.Claim
	// last is the sequence that it follows, and seq its own once it is stored.
	last, seq uint64
}

// releaseAfter is the end of the claim of the conversation that has ended with a decision and was not taken up
// since; nil for none. Messages up to cursor were acted on by then.
func (s *session) releaseAfter(d *decided, cursor uint64) *release {
	if !d.After.Status.Ended() || d.Before.Status.Ended() {
		return nil
	}
	for i := range s.decided {
		if next := &s.decided[i]; next.Conversation == d.Conversation && next.Before.Status.Ended() && !next.After.Status.Ended() {
			return nil // taken up again by what is not stored yet, and ended again: that end releases the claim
		}
	}
	return s.releaseOf(d.Conversation, cursor)
}

// releaseOf is the end of an ended conversation's claim; nil when it has none that is open.
func (s *session) releaseOf(id conversation.ID, cursor uint64) *release {
	state, ok := s.desk.State(id)
	if !ok || !state.Status.Ended() || state.Channel == "" {
		return nil
	}
	subject := s.subjects.Claim(state.Channel, state.Contact)
	c, known := s.claims[subject]
	if !known || c.Conversation != id || c.Ended {
		return nil
	}
	r := &release{conversation: id, subject: subject, next: c.Claim, last: c.seq}
	r.next.Ended, r.next.Acted, r.next.At = true, cursor, s.now().UTC()
	if state.LastAgent != "" {
		r.next.LastAgent, r.next.LastAgentAt = state.LastAgent, state.LastAgentAt
	}
	return r
}

// releaseEnded marks the claims of all that have ended: the router before may have died in between.
func (s *session) releaseEnded(ctx context.Context) error {
	for _, id := range s.desk.Conversations() {
		r := s.releaseOf(id, s.cursor)
		if r == nil {
			continue
		}
		if err := s.writeRelease(ctx, r); err != nil {
			return err
		}
		if r.seq > 0 {
			s.claims[r.subject] = claim{Claim: r.next, seq: r.seq}
		}
	}
	return nil
}

// writeRelease stores the end of a claim. A claim that somebody has written meanwhile stays. It changes nothing
// but r.
func (s *session) writeRelease(ctx context.Context, r *release) error {
	seq, err := s.appendClaim(ctx, r.subject, r.next, r.last)
	if err != nil && !errors.Is(err, bus.ErrFenced) {
		return fmt.Errorf("release the claim of %s: %w", r.conversation, err)
	}
	r.seq = seq
	return nil
}

func (s *session) writeClaim(ctx context.Context, subject string, c conversation.Claim, last uint64) error {
	seq, err := s.appendClaim(ctx, subject, c, last)
	if err == nil {
		s.claims[subject] = claim{Claim: c, seq: seq}
	}
	return err
}

func (s *session) appendClaim(ctx context.Context, subject string, c conversation.Claim, last uint64) (uint64, error) {
	data, err := conversation.EncodeClaim(c)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, appendTimeout)
	defer cancel()
	seq, _, err := s.bus.Append(ctx, subject, data, bus.AppendOptions{
		MsgID: string(conversation.NewID(c.At)), ExpectLast: new(last),
	})
	return seq, err
}

// forgetPurged drops ended conversations that the archive has purged from the stream, with their claims.
// It looks at a few at a time, the longest ended first, and goes on while it finds some.
func (s *session) forgetPurged(ctx context.Context) error {
	const most = 200
	misses := 0
	for i, id := range s.endedOldestFirst() {
		if i >= most || misses >= 8 {
			return nil
		}
		if s.pipe.copying[id] != nil {
			continue // the stream does not have it yet
		}
		last, err := s.bus.LastSeq(ctx, s.subjects.Conversation(string(id)))
		if err != nil {
			s.log.DebugContext(ctx, "cannot look for purged conversations", "error", err)
			return nil // next time
		}
		if last > 0 {
			misses++
			s.lookedAt[id] = s.ticks
			continue
		}
		if err := s.forget(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) forget(ctx context.Context, id conversation.ID) error {
	state, _ := s.desk.State(id)
	if err := s.must(routing.Forget{Conversation: id, Seq: max(state.MsgSeq, state.OwnSeq)}); err != nil {
		return err
	}
	delete(s.lookedAt, id)
	if state.Channel == "" {
		return nil
	}
	subject := s.subjects.Claim(state.Channel, state.Contact)
	c, known := s.claims[subject]
	if !known || c.Conversation != id || !c.Ended || s.sticks(&c) {
		return nil
	}
	// A claim that is written meanwhile is later and stays.
	if err := s.bus.PurgeUpTo(ctx, subject, c.seq); err != nil {
		s.log.WarnContext(ctx, "claim of a forgotten conversation was not purged", "conversation", id, "error", err)
		return nil
	}
	delete(s.claims, subject)
	return nil
}

// sticks says whether a claim still tells whom its contact goes to first.
func (s *session) sticks(c *claim) bool {
	window := s.settings.routing.StickyFor
	return c.LastAgent != "" && window > 0 && s.now().Sub(c.LastAgentAt) <= window
}

// sweepEvery so many seconds claims are looked at that outlived their conversations, for the sake of the last agent.
const sweepEvery = 60

// sweepClaims purges the claims of forgotten conversations that tell nothing any more, a few at a time.
func (s *session) sweepClaims(ctx context.Context) {
	most := 200
	for subject, c := range s.claims {
		if _, known := s.desk.State(c.Conversation); known || !c.Ended || s.sticks(&c) {
			continue
		}
		if most--; most < 0 {
			return
		}
		if err := s.bus.PurgeUpTo(ctx, subject, c.seq); err != nil {
			s.log.WarnContext(ctx, "claim was not purged", "conversation", c.Conversation, "error", err)
			return // next time
		}
		delete(s.claims, subject)
	}
}
