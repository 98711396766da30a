package load

import (
	"testing"
	"time"
)

func TestCompareFindsWhatBecameOfEachMessage(t *testing.T) {
	for _, row := range []struct {
		name                 string
		acknowledged, stored []string
		want                 tracked
	}{
		{"all is well", []string{"a", "b"}, []string{"a", "b"}, tracked{}},
		{"more was stored than acknowledged", []string{"a"}, []string{"a", "b"}, tracked{}},
		{"one is missing", []string{"a", "b", "c"}, []string{"a", "c"}, tracked{lost: 1}},
		{"one is there three times", []string{"a", "b"}, []string{"a", "b", "a", "a"}, tracked{duplicated: 2}},
		{"two changed places", []string{"a", "b", "c"}, []string{"b", "a", "c"}, tracked{reordered: 1}},
		{"nothing is there", []string{"a", "b"}, nil, tracked{lost: 2}},
	} {
		var got tracked
		if got.compare(row.acknowledged, row.stored); got != row.want {
			t.Errorf("%s: %+v, expected %+v", row.name, got, row.want)
		}
	}
}

func TestHearingFindsWhatCameTwiceOrLate(t *testing.T) {
	h := hearing{order: map[string]int{}}
	for _, m := range []struct {
		id  string
		seq uint64
	}{{"a", 1}, {"b", 3}, {"c", 2}, {"b", 3}} {
		h.note(m.id, m.seq)
	}
	if h.duplicated != 1 || h.reordered != 1 {
		t.Errorf("%d came twice and %d late, expected 1 and 1", h.duplicated, h.reordered)
	}
}

func TestQuantileIsAValueThatWasMeasured(t *testing.T) {
	var times []time.Duration
	for i := range 100 {
		times = append(times, time.Duration(i+1)*time.Millisecond)
	}
	for q, want := range map[float64]float64{0: 1, 0.5: 50, 0.99: 99, 1: 100} {
		if got := quantile(times, q); got != want {
			t.Errorf("quantile %g is %g, expected %g", q, got, want)
		}
	}
	if got := quantile(nil, 0.5); got != 0 {
		t.Errorf("the quantile of nothing is %g", got)
	}
}

func TestLinesAreReadAsTheyWereWritten(t *testing.T) {
	began := time.Now()
	k, turn, at, ok := parse(line(answer, 7, began), began)
	if !ok || k != answer || turn != 7 || at.Before(began) || time.Since(at) < 0 {
		t.Errorf("%v %d %v %t", k, turn, at, ok)
	}
	for _, text := range []string{"", firstWords, "ask x 1 y", "ask 1 x y", "other 1 2 y"} {
		if _, _, _, ok := parse(text, began); ok {
			t.Errorf("%q is read as a line of the load", text)
		}
	}
}
