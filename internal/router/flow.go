package router

import (
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/link"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
	"github.com/deskfleet/deskfleet/internal/scaling/survival"
)

// reportFlow tells the flow through the bots: as the pool's where there is one, which is exact. Several pools of bots serve
// one queue, and for which of them a conversation came nobody can say: then it is the desk's, for the managers to divide.
func (s *session) reportFlow(figures *protocol.Figures, now time.Time) {
	bots, several := -1, false
	for i := range figures.Pools {
		if figures.Pools[i].Type == string(conversation.KindBot) {
			several = bots >= 0
			bots = i
		}
		if several {
			break
		}
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
	if several {
		figures.BotFlow = f
		return
	}
	figures.Pools[bots].Flow = f
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
