package capacity_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/deskfleet/deskfleet/internal/capacity"
	"github.com/deskfleet/deskfleet/internal/link"
	"github.com/deskfleet/deskfleet/internal/scaling"
	"github.com/deskfleet/deskfleet/internal/scaling/forecast"
)

// weeks are what somebody learned who watched a desk with as many arrivals a second as given.
func (w *world) weeks(perSecond float64) []byte {
	w.t.Helper()
	k := scaling.NewKnowledge()
	for at := w.now.AddDate(0, 0, -14); at.Before(w.now); at = at.Add(forecast.BinLength) {
		k.History().Add(at, at.Add(forecast.BinLength), 300*perSecond)
	}
	encoded, err := k.MarshalBinary()
	if err != nil {
		w.t.Fatal(err)
	}
	return encoded
}

func forecasting(live int) capacity.Pool {
	p := bots(live)
	p.Scaling.Forecast = scaling.ForecastRaise
	return p
}

func TestLearnedFitsIntoTheLink(t *testing.T) {
	if scaling.MaxEncodedKnowledge > link.MaxLearnedBytes {
		t.Errorf("what is learned of a pool takes up to %d bytes, a desk keeps %d", scaling.MaxEncodedKnowledge, link.MaxLearnedBytes)
	}
}

// A desk is asked until it answers, gets nothing to keep before that, and then what has changed, each five minutes.
func TestHistoryIsRecalledAndHandedOver(t *testing.T) {
	s := &stream{world: newWorld(t), term: 1}
	look := func() *scaling.Decision { return s.loop.Look(forecasting(13)).Decision }
	look()
	s.minutes(10, 13)
	if learned, recall := s.loop.History("shop", "web"); learned != nil || !slices.Equal(recall, []string{"bots"}) {
		t.Fatalf("before the desk has answered it is to keep %d pools, and asked for %v", len(learned), recall)
	}
	if f := term(look(), scaling.TermForecast); f != nil {
		t.Fatalf("%+v is expected of nothing", f)
	}
	former := s.weeks(3)
	s.loop.Recalled("shop", "web", map[string][]byte{"bots": former, "another": former})
	s.loop.Recalled("shop", "other", map[string][]byte{"bots": s.weeks(50)})
	s.loop.Recalled("shop", "web", map[string][]byte{"bots": s.weeks(50)}) // was not asked for any more
	s.second(1)
	s.tell(13)
	d := look()
	// The median of comparable days says 3 a second; today's level says it is a third of that.
	if f := term(d, scaling.TermForecast); f == nil || f.Rate < 1 || f.Rate > 3.1 {
		t.Fatalf("%+v is expected, of three a second for two weeks", f)
	}
	if l := term(d, scaling.TermLoad); l == nil || l.Rate < 0.9 || l.Rate > 1.1 {
		t.Errorf("what was measured before is gone: %+v", l)
	}
	if _, recall := s.loop.History("shop", "web"); recall != nil {
		t.Errorf("it asks again for %v", recall)
	}
	var handed []time.Time
	var last []byte
	for range 1200 {
		s.second(1)
		s.tell(13)
		learned, _ := s.loop.History("shop", "web")
		if data, given := learned["bots"]; given {
			if bytes.Equal(data, last) {
				t.Error("the same was handed over twice")
			}
			handed, last = append(handed, s.now), data
		}
	}
	if len(handed) < 3 || len(handed) > 5 {
		t.Errorf("handed over at %v in twenty minutes", handed)
	}
	// The next leader begins with all of it.
	s.restart()
	look()
	s.loop.Recalled("shop", "web", map[string][]byte{"bots": last})
	for range 2 {
		s.second(1)
		s.tell(13)
	}
	if f := term(look(), scaling.TermForecast); f == nil {
		t.Error("a new leader that got it back expects nothing")
	}
}

// What cannot be read costs a forecast, not a decision; a pool of which nothing is kept begins at once.
func TestHistoryThatCannotBeRead(t *testing.T) {
	for name, stored := range map[string][]byte{"nothing": {}, "noise": []byte("noise"), "cut off": newWorld(t).weeks(1)[:2000]} {
		s := &stream{world: newWorld(t), term: 1}
		s.loop.Look(forecasting(13))
		s.minutes(1, 13)
		s.loop.Recalled("shop", "web", map[string][]byte{"bots": stored})
		s.minutes(11, 13)
		if load := term(s.loop.Look(forecasting(13)).Decision, scaling.TermLoad); load == nil || load.Rate < 0.9 {
			t.Errorf("%s: the load is %+v", name, load)
		}
		learned, recall := s.loop.History("shop", "web")
		if len(learned) != 1 || recall != nil {
			t.Errorf("%s: %d pools are handed over, %v recalled", name, len(learned), recall)
		}
	}
}

// A report and a reply carry few pools at a time; all have their turn.
func TestHistoryOfManyPools(t *testing.T) {
	w := newWorld(t)
	pools := map[string]bool{}
	for i := range 7 {
		p := forecasting(1)
		p.Name = fmt.Sprintf("bots-%d", i)
		pools[p.Name] = true
		w.loop.Look(p)
	}
	for range 4 {
		_, recall := w.loop.History("shop", "web")
		if len(recall) > link.MaxLearnedPools {
			t.Fatalf("%v are recalled at once", recall)
		}
		given := map[string][]byte{}
		for _, name := range recall {
			given[name] = w.weeks(1)
			delete(pools, name)
		}
		w.loop.Recalled("shop", "web", given)
	}
	if _, recall := w.loop.History("shop", "web"); len(pools) > 0 || recall != nil {
		t.Errorf("%v were never asked for, %v are again", pools, recall)
	}
}

// A desk does not say what it could not store: what is the same is handed over again after an hour.
func TestUnchangedHistoryIsHandedOverAgain(t *testing.T) {
	s := &stream{world: newWorld(t), term: 1}
	s.loop.Look(forecasting(13))
	former := s.weeks(3)
	s.loop.Recalled("shop", "web", map[string][]byte{"bots": former})
	given := func() bool {
		learned, _ := s.loop.History("shop", "web")
		return learned["bots"] != nil
	}
	for minutes := 0; minutes < 55; minutes += 5 {
		s.now = s.now.Add(5 * time.Minute)
		if given() {
			t.Fatalf("handed over %d minutes after it came, unchanged", minutes+5)
		}
	}
	s.now = s.now.Add(10 * time.Minute)
	if !given() {
		t.Error("not handed over after an hour")
	}
}
