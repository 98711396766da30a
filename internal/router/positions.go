package router

import (
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
	"github.com/deskfleet/deskfleet/internal/routing"
)

// place is what a waiting customer was told.
type place struct {
	position int
	// seconds that the wait is expected to last; 0 when that is not known or not told.
	seconds int
}

// positions are the places that customers were last told.
type positions struct {
	told     map[conversation.ID]place
	versions map[string]uint64
	// since is when this router began to tell them: what waited before may have been told a place by another.
	since time.Time
}

func newPositions() positions {
	return positions{told: map[conversation.ID]place{}, versions: map[string]uint64{}}
}

// placeOf a conversation by what its queue announces; the zero place when it does not wait or nothing is announced.
func (s *session) placeOf(state *conversation.State, position int, now time.Time) place {
	announce := s.desk.Announces(state.Queue)
	if position == 0 || announce == routing.AnnounceNothing {
		return place{}
	}
	p := place{position: position}
	if wait, known := s.desk.ExpectedWait(state.ID, now); known && announce == routing.AnnouncePositionAndWait {
		p.seconds = rounded(wait)
	}
	return p
}

// rounded seconds of an expected wait: what is told must not change with every breath, and is no exact science.
func rounded(wait time.Duration) int {
	step := 5 * time.Second
	switch {
	case wait > 10*time.Minute:
		step = time.Minute
	case wait > 2*time.Minute:
		step = 30 * time.Second
	}
	return int((wait + step - 1).Truncate(step).Seconds())
}

// showPosition tells a conversation's place at once.
func (s *session) showPosition(state *conversation.State, now time.Time) {
	position, waiting := s.desk.Position(state.ID)
	p := s.placeOf(state, position, now)
	_, told := s.positions.told[state.ID]
	if p.position > 0 {
		s.positions.told[state.ID] = p
	} else {
		delete(s.positions.told, state.ID)
		if !told && (position > 0 || !state.Arrival.At.Before(s.positions.since)) {
			return // an agent was free: the wait has no end for those who never were told of one
		}
	}
	s.sendPosition(state, p, waiting, now)
}

func (s *session) sendPosition(state *conversation.State, p place, waiting int, now time.Time) {
	if p.position == 0 {
		waiting = 0
	}
	s.send(s.subjects.Live(string(state.ID)), protocol.Position{
		V: protocol.Version, Type: protocol.LivePosition, Conversation: state.ID, Status: state.Status,
		Queue: state.Queue, Position: p.position, Waiting: waiting, ExpectedWaitSeconds: p.seconds, At: now.UTC(),
	})
}

// frontOfQueue are the places that are told each second; those further back every fifth.
const frontOfQueue = 200

// showPositions tells the places that have changed in the queues that have changed, and every fifth second the
// expected waits that have.
func (s *session) showPositions(now time.Time) {
	all := s.ticks%5 == 0
	at := s.now()
	for _, q := range s.desk.Queues() {
		moved := s.positions.versions[q.Name] != q.Version
		if q.Waiting == 0 || !moved && !all || s.desk.Announces(q.Name) == routing.AnnounceNothing {
			continue
		}
		if all || q.Waiting <= frontOfQueue {
			s.positions.versions[q.Name] = q.Version
		}
		s.desk.Walk(q.Name, func(position int, state *conversation.State) bool {
			told := s.positions.told[state.ID]
			if told.position == position && !all {
				return position < frontOfQueue
			}
			if p := s.placeOf(state, position, at); p != told {
				s.positions.told[state.ID] = p
				s.sendPosition(state, p, q.Waiting, now)
			}
			return all || position < frontOfQueue
		})
	}
}
