package load

import (
	"context"
	"encoding/json"
	"log/slog"
	"math"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

// messenger keeps what is published.
type messenger struct {
	bus.Messenger
	subjects []string
	loads    []float64
}

func (m *messenger) Publish(_ context.Context, subject string, data []byte) error {
	var told Message
	if err := json.Unmarshal(data, &told); err != nil {
		return err
	}
	m.subjects, m.loads = append(m.subjects, subject), append(m.loads, told.Load)
	return nil
}

// source is a configuration that a test changes.
type source struct {
	runtimeconfig.Source
	document atomic.Pointer[runtimeconfig.Document]
}

func (s *source) Current() runtimeconfig.Snapshot {
	return runtimeconfig.Snapshot{Document: s.document.Load()}
}

func (s *source) scales(roles ...runtimeconfig.Role) {
	s.document.Store(&runtimeconfig.Document{Scaled: roles})
}

// A replica tells its load while the configuration says that its role scales, and nothing otherwise.
func TestReplicasTellTheirLoadWhereItCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		subjects, err := bus.NewSubjects("shop", "web")
		if err != nil {
			t.Fatal(err)
		}
		m, s, load := &messenger{}, &source{}, 0.0
		s.scales()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		teller := Teller{
			Bus: m, Subjects: subjects, Role: runtimeconfig.RoleGateway, Replica: "web-gateway-x.1", Source: s, Logger: slog.New(slog.DiscardHandler),
			Load: func(time.Time) float64 { load++; return load },
		}
		go teller.Run(ctx)
		<-time.After(5 * Every / 2)
		synctest.Wait()
		if len(m.loads) > 0 {
			t.Errorf("told %v, which nobody asked for", m.loads)
		}
		s.scales(runtimeconfig.RoleGateway)
		<-time.After(2 * Every)
		synctest.Wait()
		if len(m.loads) != 2 || m.loads[0] != 3 {
			t.Fatalf("told %v", m.loads)
		}
		role, replica, ok := subjects.LoadOf(m.subjects[0])
		if role != runtimeconfig.RoleGateway || replica != "web-gateway-x.1" || !ok {
			t.Errorf("%s is of %s %s", m.subjects[0], role, replica)
		}
		s.scales(runtimeconfig.RoleKnowledge)
		<-time.After(2 * Every)
		synctest.Wait()
		if len(m.loads) != 2 {
			t.Errorf("told %v, when another role scales", m.loads)
		}
	})
}

func TestRateOfTheLastMinute(t *testing.T) {
	var r Rate
	now, count := time.Unix(1e9, 0), uint64(1000)
	is := func(what string, want float64) {
		t.Helper()
		if got := r.Per(now, count); math.Abs(got-want) > 1e-9 {
			t.Errorf("%s: %g, expected %g", what, got, want)
		}
	}
	is("the first sample", 0)
	now, count = now.Add(2*time.Second), count+20
	is("the first seconds are taken over ten", 2)
	for range 40 {
		now, count = now.Add(2*time.Second), count+20
		r.Per(now, count)
	}
	is("steadily ten a second", 10)
	now = now.Add(time.Minute)
	is("nothing for a minute", 0)
	if len(r.samples) > 40 {
		t.Errorf("%d samples are kept", len(r.samples))
	}
}
