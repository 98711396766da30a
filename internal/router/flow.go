package router

import (
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/link"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
	"github.com/deskfleet/deskfleet/internal/scaling/survival"
)

// reportFlow tells the flow through the bots. Several pools of bots serve one queue, and which of them a conversation
// came for nobody can say: then nothing is told.
func (s *session) reportFlow(pools []protocol.PoolFigures, now time.Time) {
	bots := -1
	for i := range pools {
		if pools[i].Type != string(conversation.KindBot) {
			continue
		}
		if bots >= 0 {
			return
		}
		bots = i
	}
	if bots < 0 {
		return
	}
	flow := s.desk.BotFlow()
	f := &protocol.FlowFigures{
		Arrived: flow.Arrived, Started: flow.Started, Left: flow.Left, Ended: flow.Ended, WaitedSeconds: flow.Waited.Seconds(),
	}
	for i, n := range flow.Handled {
		f.Handled = lasting(f.Handled, i, n)
	}
	for i, n := range flow.Ages(now) {
		f.Ages = lasting(f.Ages, i, uint64(max(0, n)))
	}
	pools[bots].Flow = f
}

// lasting adds a bucket that is not empty.
func lasting(to []protocol.LastingFigures, bucket int, count uint64) []protocol.LastingFigures {
	if count == 0 {
		return to
	}
	return append(to, protocol.LastingFigures{Seconds: survival.Bound(bucket), Count: count})
}

func flowOf(f *protocol.FlowFigures) *link.Flow {
	if f == nil {
		return nil
	}
	flow := &link.Flow{Arrived: f.Arrived, Started: f.Started, Left: f.Left, Ended: f.Ended, WaitedSeconds: f.WaitedSeconds}
	for _, l := range f.Handled {
		flow.Handled = append(flow.Handled, link.Lasting(l))
	}
	for _, l := range f.Ages {
		flow.Ages = append(flow.Ages, link.Lasting(l))
	}
	return flow
}
