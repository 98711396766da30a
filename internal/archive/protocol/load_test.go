package protocol

import (
	"math"
	"slices"
	"testing"
)

func evenly(from, to float64) []float64 {
	list := make([]float64, 21)
	for i := range list {
		list[i] = from + (to-from)*float64(i)/20
	}
	return list
}

func TestLoadsAddUp(t *testing.T) {
	first := &Load{Arrivals: []int64{1, 2}, Bots: Served{Answered: 300, Abandoned: 1, HandedOff: 30, WaitedSeconds: 10, HandleMeanSeconds: 50, HandleQuantilesSeconds: evenly(0, 100)}}
	second := &Load{
		Arrivals: []int64{3}, Bots: Served{Answered: 100, Abandoned: 2, HandedOff: 5, WaitedSeconds: 20, HandleMeanSeconds: 250, HandleQuantilesSeconds: evenly(200, 300)},
		People: Served{Answered: 4, HandleMeanSeconds: 7, HandleQuantilesSeconds: evenly(5, 9)},
	}
	sum := first.Plus(second)
	b := sum.Bots
	if !slices.Equal(sum.Arrivals, []int64{1, 2, 3}) || b.Answered != 400 || b.Abandoned != 3 || b.HandedOff != 35 || b.WaitedSeconds != 30 || b.HandleMeanSeconds != 100 {
		t.Errorf("%+v", sum)
	}
	// Three quarters of them are of the first, none from 100 to 200.
	q := b.HandleQuantilesSeconds
	if len(q) != 21 || q[0] != 0 || q[20] != 300 || math.Abs(q[10]-66) > 8 || q[14] > 100 || q[16] < 200 || !slices.IsSorted(q) {
		t.Errorf("quantiles %v", q)
	}
	if p := sum.People; p.Answered != 4 || p.HandleMeanSeconds != 7 || !slices.Equal(p.HandleQuantilesSeconds, evenly(5, 9)) {
		t.Errorf("%+v", p)
	}
}
