package router

import (
	"fmt"
	"time"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
)

// parkedFor is how long a request waits for what it follows: less than whoever asked waits for the answer.
const parkedFor = protocol.RequestTimeout / 2

// mostParked requests wait; more are to be sent again.
const mostParked = 4096

// parked is a request that came before the messages that it follows. Requests and messages take different ways
// to the router: under load a customer's end of a conversation overtakes the last message before it, which then
// would open the ended conversation again, for a customer who is gone.
type parked struct {
	message *bus.Message
	request *protocol.Request
	until   time.Time
}

// early says whether the log is not read so far that a request may be decided. What was read and is not there, such
// as a message that the archive has purged, holds nothing up.
func (s *session) early(req *protocol.Request) bool { return s.seq < req.Seq }

// park keeps an early request; false when it is to be decided now.
func (s *session) park(m *bus.Message, req *protocol.Request) bool {
	if !s.early(req) {
		return false
	}
	if len(s.parked) < mostParked {
		s.parked = append(s.parked, parked{message: m, request: req, until: time.Now().Add(parkedFor)})
	} else {
		s.notYet(m, req)
	}
	return true
}

// takeParked decides on the requests whose messages have come. Those that have waited long enough are to be sent
// again, and are not decided: when the bus loses the server that feeds the tail, the messages are late by seconds.
func (s *session) takeParked() {
	waiting := s.parked
	s.parked = nil
	now := time.Now()
	for _, p := range waiting {
		switch {
		case !s.leading: // the leader is asked again
		case !s.early(p.request):
			s.decideRequest(p.message, p.request)
		case now.Before(p.until):
			s.parked = append(s.parked, p)
		default:
			s.notYet(p.message, p.request)
		}
	}
}

// notYet answers that the request is to be sent again.
func (s *session) notYet(m *bus.Message, req *protocol.Request) {
	s.replyLater(m, refusal(unavailable(fmt.Errorf("the log is read up to %d, and it follows message %d", s.seq, req.Seq))))
}
