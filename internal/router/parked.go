package router

import (
	"time"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
)

// parkedFor is how long a request waits for what it follows: less than whoever asked waits for the answer.
const parkedFor = protocol.RequestTimeout / 2

// mostParked requests wait; more are decided at once.
const mostParked = 4096

// parked is a request that came before the messages that it follows. Requests and messages take different ways
// to the router: under load a customer's end of a conversation overtakes the last message before it, which then
// would open the ended conversation again.
type parked struct {
	message *bus.Message
	request *protocol.Request
	until   time.Time
}

// early says whether a request follows messages of its conversation that were not acted on yet.
func (s *session) early(req *protocol.Request) bool {
	if req.Seq == 0 {
		return false
	}
	state, _ := s.desk.State(req.Conversation)
	return state.MsgSeq < req.Seq
}

// park keeps an early request; false when it is to be decided now.
func (s *session) park(m *bus.Message, req *protocol.Request) bool {
	if !s.early(req) || len(s.parked) >= mostParked {
		return false
	}
	s.parked = append(s.parked, parked{message: m, request: req, until: time.Now().Add(parkedFor)})
	return true
}

// takeParked decides on the requests whose messages have come, or that have waited long enough: those of a
// conversation that is forgotten wait in vain.
func (s *session) takeParked() {
	waiting := s.parked
	s.parked = nil
	now := time.Now()
	for _, p := range waiting {
		switch {
		case !s.leading: // the leader is asked again
		case s.early(p.request) && now.Before(p.until):
			s.parked = append(s.parked, p)
		default:
			s.decideRequest(p.message, p.request)
		}
	}
}
