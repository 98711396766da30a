package archive

import (
	"errors"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/deskfleet/deskfleet/internal/archive/protocol"
	"github.com/deskfleet/deskfleet/internal/conversation"
)

// The load of this test was added up by hand.
func TestLoadOfKnownConversations(t *testing.T) {
	onEach(t, func(t *testing.T, d database) {
		s, db := newScript(t), d.store()
		// 1: the bot answers after 1 s and ends it after 59 s.
		c := s.opens("c-1", "bot", 0)
		c.assigned(1, robot)
		c.closed(60, robot)
		// 2: the bot hands off after 30 s; Mei accepts after 10 s and has it for 100 s.
		c = s.opens("c-2", "bot", 899)
		c.assigned(899, robot)
		c.queued(929, "refunds", conversation.CauseHandOff)
		c.accepted(939, mei)
		c.closed(1039, mei)
		// 3: comes to people at once, waits 60 s in one queue and 30 s in the next, is transferred after 200 s, and taken after 20 s for 300 s.
		c = s.opens("c-3", "refunds", 900)
		c.queued(960, "general", conversation.CauseOverflow)
		c.accepted(990, ann)
		c.queued(1190, "refunds", conversation.CauseHandOff)
		c.accepted(1210, mei)
		c.closed(1510, mei)
		// 4: leaves the bots' queue after 45 s, in the last step, which is cut.
		c = s.opens("c-4", "bot", 3600)
		c.s.at(3645).event(c.id, &conversation.Abandoned{WaitedMillis: 45000})
		// 5: after the time that is asked about.
		c = s.opens("c-5", "bot", 3700)
		c.assigned(3700, robot)
		c.closed(3701, robot)
		s.store(db)
		db.tell(t)

		reply, err := db.Report(t.Context(), protocol.ReportRequest{By: protocol.ByLoad, From: start, To: start.Add(3650 * time.Second)}, nil, start.Add(24*time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		// Of two the greater is the median's upper half: each quantile is one of the values.
		low := func(values []float64) []float64 {
			list := make([]float64, 21)
			for i := range list {
				list[i] = values[(len(values)-1)*i/20]
			}
			return list
		}
		want := &protocol.Load{
			Arrivals: []int64{2, 1, 0, 0, 1},
			Bots:     protocol.Served{Answered: 2, Abandoned: 1, HandedOff: 1, WaitedSeconds: 46, HandleMeanSeconds: 44.5, HandleQuantilesSeconds: low([]float64{30, 59})},
			People:   protocol.Served{Answered: 3, HandedOff: 1, WaitedSeconds: 10 + 90 + 20, HandleMeanSeconds: 200, HandleQuantilesSeconds: low([]float64{100, 200, 300})},
		}
		if diff := gocmp.Diff(want, reply.Load, cmpopts.EquateApprox(0, 1e-9)); diff != "" || !reply.OK || len(reply.Rows) != 0 {
			t.Errorf("load (-want +got):\n%s", diff)
		}
		// Of a time in which nothing was, it is all zero, and as long.
		reply, err = db.Report(t.Context(), protocol.ReportRequest{By: protocol.ByLoad, From: start.Add(-time.Hour), To: start}, nil, start)
		nothing := protocol.Served{HandleQuantilesSeconds: []float64{}}
		if diff := gocmp.Diff(&protocol.Load{Arrivals: make([]int64, 4), Bots: nothing, People: nothing}, reply.Load); err != nil || diff != "" {
			t.Errorf("%v %s", err, diff)
		}
	})
}

func TestLoadIsBounded(t *testing.T) {
	db := newSQLite(t).store()
	for want, change := range map[string]func(*protocol.ReportRequest){
		"leave out tag":  func(r *protocol.ReportRequest) { r.Tag = "x" },
		"disposition":    func(r *protocol.ReportRequest) { r.Disposition = "x" },
		"from":           func(r *protocol.ReportRequest) { r.From = time.Time{} },
		"92 days":        func(r *protocol.ReportRequest) { r.To = r.From.Add(protocol.MaxReportRange + 1) },
		"withinSeconds ": func(r *protocol.ReportRequest) { r.WithinSeconds = 5 },
	} {
		r := hour
		r.By = protocol.ByLoad
		change(&r)
		if _, err := db.Report(t.Context(), r, nil, start); !errors.Is(err, ErrBadRequest) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
