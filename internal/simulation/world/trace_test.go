package world_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/deskfleet/deskfleet/internal/simulation/world"
)

func parse(content string, how world.Reading) (*world.Trace, []world.Conversation, error) {
	trace, err := world.ParseTrace(strings.NewReader(content), how)
	if err != nil {
		return nil, nil, err
	}
	return trace, trace.Arrivals(world.NewDraws(1)), nil
}

// Recorded traces come with their own habits.
func TestTracesAsTheyCome(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	noon := time.Date(2026, 11, 18, 12, 0, 0, 0, time.UTC)
	for name, row := range map[string]struct {
		content  string
		how      world.Reading
		arrivals int
		start    time.Time
		seconds  float64
	}{
		"as documented":        {"interval_start,count\n0,2\n300,0\n600,1\n", world.Reading{}, 3, time.Time{}, 900},
		"mark, CRLF, spaces":   {"\ufeffInterval Start , Count \r\n0, 2\r\n300 ,1\r\n", world.Reading{}, 3, time.Time{}, 600},
		"quoted, other order":  {"\"count\",\"note\",\"interval_start\"\n2,\"a, b\",0\n1,,300\n", world.Reading{}, 3, time.Time{}, 600},
		"semicolons":           {"interval_start;count\n0;2\n300;1\n", world.Reading{}, 3, time.Time{}, 600},
		"tabs and a comment":   {"# of the switch\ninterval_start\tcount\n0\t2\n300\t1\n", world.Reading{}, 3, time.Time{}, 600},
		"as monitoring has it": {"timestamp,value\n2026-11-18 12:00:00,2\n2026-11-18 12:15:00,1\n", world.Reading{}, 3, noon, 1800},
		"of a zone":            {"timestamp,value\n2026-11-18 13:00,2\n2026-11-18 13:15,1\n", world.Reading{Location: berlin}, 3, noon, 1800},
		"Unix times":           {fmt.Sprintf("time,calls\n%d,2\n%d,1\n", noon.Unix(), noon.Unix()+900), world.Reading{}, 3, noon, 1800},
		"milliseconds":         {fmt.Sprintf("time,calls\n%d,2\n%d,1\n", noon.UnixMilli(), noon.UnixMilli()+900_000), world.Reading{}, 3, noon, 1800},
		"RFC 3339":             {"start,arrivals\n2026-11-18T13:00:00+01:00,2\n2026-11-18T12:15:00Z,1\n", world.Reading{}, 3, noon, 1800},
		"rows in any order":    {"interval_start,count\n600,1\n0,2\n300,3\n", world.Reading{}, 6, time.Time{}, 900},
		"a hole":               {"interval_start,count\n0,1\n300,1\n3000,1\n3300,1\n", world.Reading{}, 4, time.Time{}, 3600},
		"a single interval":    {"interval_start,count\n0,7\n", world.Reading{}, 7, time.Time{}, 300},
		"an hour that comes twice": {
			"start,count\n2026-10-25T02:00:00+02:00,1\n2026-10-25T02:30:00+02:00,1\n2026-10-25T02:00:00+01:00,1\n2026-10-25T02:30:00+01:00,1\n",
			world.Reading{Location: berlin}, 4, time.Date(2026, 10, 25, 0, 0, 0, 0, time.UTC), 7200,
		},
		"conversations":            {"arrival_s,service_s,patience_s,priority\n7,30,,2\n1.5,,60,\n", world.Reading{}, 2, time.Time{}, 8},
		"a header that is cut":     {"arrival_s\n1,30\n2\n", world.Reading{}, 2, time.Time{}, 3},
		"conversations with dates": {"arrival_time,handle_time\n2026-11-18 12:20:00,30\n2026-11-18 12:16:00,40\n", world.Reading{}, 2, noon.Add(15 * time.Minute), 301},
		"a log":                    {"TIMESTAMP,tokens\n2026-11-18 12:15:46.6805900,374\n2026-11-18 12:15:50.9951690,396\n", world.Reading{}, 2, noon.Add(15 * time.Minute), 51.995169},
		"twice as many":            {"interval_start,count\n0,50\n300,50\n", world.Reading{Scale: 2}, 200, time.Time{}, 600},
		"twice as many customers":  {"arrival_s,service_s\n1,30\n2,40\n300,50\n", world.Reading{Scale: 2}, 6, time.Time{}, 301},
	} {
		t.Run(name, func(t *testing.T) {
			trace, arrivals, err := parse(row.content, row.how)
			if err != nil {
				t.Fatal(err)
			}
			if len(arrivals) != row.arrivals || !trace.Start.Equal(row.start) || math.Abs(trace.Seconds-row.seconds) > 1e-6 {
				t.Errorf("%d arrivals from %s for %g s", len(arrivals), trace.Start, trace.Seconds)
			}
		})
	}
}

func TestTracesThatAreRefused(t *testing.T) {
	for content, want := range map[string]string{
		"":                             "it is empty",
		"0,3\n300,4\n":                 `the first line begins with "0": begin it with arrival_s or interval_start`,
		"arrival_s,service_s\n\n":      "it has no arrivals",
		"interval_start,other\n0,1\n":  "no column count",
		"interval_start,count\n0,-1\n": `line 2: "-1" is no number of 0 or more`,
		"interval_start,count\n0,1\n\n# x\n300,NaN\n":                     `line 5: "NaN" is no number of 0 or more`,
		"interval_start,count\n0,Inf\n":                                   `line 2: "Inf" is no number`,
		"interval_start,count\n0\n":                                       "line 2: it has no count: write 0 for none",
		"interval_start,count\n-300,1\n":                                  `line 2: "-300" is no number of 0 or more`,
		"interval_start,count\nyesterday,1\n":                             `line 2: "yesterday" is no time`,
		"interval_start,count\n0,1\n2026-11-18 12:00:00,1\n":              "some of its times are dates",
		"timestamp,value\n2026-10-25 02:00:00,1\n2026-10-25 02:00:00,1\n": "line 3: its interval begins when that of line 2 does",
		"arrival_s,service_s,patience_s,priority\n1,2,3,-1\n":             `line 2: "-1" is no number`,
		"arrival_s,service_s,patience_s,priority\n1,2,3,1.5\n":            `line 2: "1.5" is no priority`,
		"arrival_s\n1\n1e300\n":                                           "is no number of 0 or more",
		"arrival_s\n1\n99999999\n":                                        "it covers 1157 days, and at most 400 are simulated",
		"interval_start,count\n0,9000000\n":                               "give a part of it, or a smaller scale",
		"arrival_s\n\"1\n":                                                "line 2",
	} {
		if _, _, err := parse(content, world.Reading{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", content, err, want)
		}
	}
	for _, scale := range []float64{-1, math.NaN(), math.Inf(1), 5000} {
		if _, _, err := parse("arrival_s\n1\n", world.Reading{Scale: scale}); err == nil || !strings.Contains(err.Error(), "the scale is") {
			t.Errorf("scale %g: %v", scale, err)
		}
	}
}

// A huge trace runs in part, of whichever kind it is: as many as asked for, and by chance.
func TestScale(t *testing.T) {
	var conversations, counts strings.Builder
	conversations.WriteString("arrival_s\n")
	counts.WriteString("interval_start,count\n")
	for i := range 20000 {
		fmt.Fprintln(&conversations, i)
	}
	for i := range 200 {
		fmt.Fprintf(&counts, "%d,100\n", i*100)
	}
	for _, content := range []string{conversations.String(), counts.String()} {
		for _, scale := range []float64{0.05, 0.3, 1, 2.5} {
			_, arrivals, err := parse(content, world.Reading{Scale: scale})
			if want := scale * 20000; err != nil || math.Abs(float64(len(arrivals))-want) > 5*math.Sqrt(want) {
				t.Errorf("%d arrivals at a scale of %g, %v", len(arrivals), scale, err)
			}
		}
	}
	if _, arrivals, err := parse("interval_start,count\n0,9000000\n", world.Reading{Scale: 0.01}); err != nil || len(arrivals) != 90000 {
		t.Errorf("%d arrivals, %v", len(arrivals), err)
	}
}

// However the same counts are written down, they are the same arrivals.
func TestTheSameTraceInAnotherForm(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		counts := rapid.SliceOfN(rapid.IntRange(0, 20), 2, 40).Draw(t, "counts")
		counts[0] = max(1, counts[0])
		step := rapid.SampledFrom([]int{60, 300, 900, 1800}).Draw(t, "step")
		begin := time.Date(2026, 11, 18, rapid.IntRange(0, 23).Draw(t, "hour"), 0, 0, 0, time.UTC)
		write := func(header, end, separator string, order []int, at func(time.Time) string) string {
			var b bytes.Buffer
			b.WriteString(header + separator + "count" + end)
			for _, i := range order {
				b.WriteString(at(begin.Add(time.Duration(i*step)*time.Second)) + separator + fmt.Sprint(counts[i]) + end)
			}
			return b.String()
		}
		order := make([]int, len(counts))
		for i := range order {
			order[i] = i
		}
		plain := write("interval_start", "\n", ",", order, func(at time.Time) string { return at.Format(time.RFC3339) })
		other := write(rapid.SampledFrom([]string{"interval_start", "\ufeffInterval_Start", "timestamp", "\"start\""}).Draw(t, "header"),
			rapid.SampledFrom([]string{"\n", "\r\n"}).Draw(t, "end"), rapid.SampledFrom([]string{",", ";", "\t", ", "}).Draw(t, "separator"),
			rapid.Permutation(order).Draw(t, "order"), rapid.SampledFrom([]func(time.Time) string{
				func(at time.Time) string { return at.Format(time.DateTime) },
				func(at time.Time) string { return at.Format("2006-01-02T15:04:05") },
				func(at time.Time) string { return fmt.Sprint(at.Unix()) },
				func(at time.Time) string { return fmt.Sprint(at.UnixMilli()) },
				func(at time.Time) string { return at.In(time.FixedZone("", 8*3600)).Format(time.RFC3339) },
			}).Draw(t, "form"))
		first, arrivals, err := parse(plain, world.Reading{})
		if err != nil {
			t.Fatal(err)
		}
		second, same, err := parse(other, world.Reading{})
		if err != nil {
			t.Fatalf("%q: %v", other, err)
		}
		if !first.Start.Equal(second.Start) || first.Seconds != second.Seconds || !cmp.Equal(arrivals, same) {
			t.Errorf("%q\n%q", plain, other)
		}
	})
}

func FuzzTrace(f *testing.F) {
	for _, seed := range []string{
		"arrival_s,service_s,patience_s,priority\n7,30,,2\n1.5,,60,\n", "interval_start,count\n0,2\n300,0\n600,1\n", "\ufefftimestamp;value\r\n2026-11-18 12:00:00;3\r\n",
		"arrival_s\n\"1\n", "interval_start,count\n1e8,1\n1e11,1\n", "a,b\n", "",
	} {
		f.Add(seed, 1.0)
		f.Add(seed, 0.5)
	}
	f.Fuzz(func(t *testing.T, content string, scale float64) {
		if scale > 3 {
			t.Skip() // many arrivals say no more than few
		}
		trace, err := world.ParseTrace(strings.NewReader(content), world.Reading{Scale: scale})
		if err != nil {
			if trace != nil || err.Error() == "" {
				t.Errorf("%v with %v", trace, err)
			}
			return
		}
		if !(trace.Seconds > 0) || trace.Seconds > 400*86400 {
			t.Fatalf("it covers %g s", trace.Seconds)
		}
		if trace.Expected() > 1e4 {
			return // one count of many digits takes long to draw
		}
		before := 0.0
		for _, c := range trace.Arrivals(world.NewDraws(1)) {
			if !(c.Arrival >= before && c.Arrival <= trace.Seconds) || !(c.Service >= 0) || !(c.Patience >= 0) || c.Priority < 0 {
				t.Fatalf("%+v of %g s after %g s", c, trace.Seconds, before)
			}
			before = c.Arrival
		}
	})
}

// Traces of strangers, as they were published.
func TestPublishedTraces(t *testing.T) {
	for name, want := range map[string]int{"azure-llm-conv-2023.csv": 19366, "nab_twitter_volume_UPS.csv": 0, "nab_nyc_taxi.csv": 0} {
		file, err := os.Open(filepath.Join("..", "..", "..", "..", "shared", "data", "arrivals", name))
		if err != nil {
			t.Skipf("the published traces are not here: %v", err)
		}
		trace, err := world.ParseTrace(file, world.Reading{Scale: 0.02})
		if err := errors.Join(err, file.Close()); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if n := trace.Expected() / 0.02; trace.Start.IsZero() || want > 0 && math.Abs(n-float64(want)) > 0.3*float64(want) || n < 1000 {
			t.Errorf("%s: about %.0f arrivals from %s for %g s", name, n, trace.Start, trace.Seconds)
		}
	}
}
