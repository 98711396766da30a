package retrieval

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/deskfleet/deskfleet/internal/knowledge"
)

const entriesFile = `{"id":"returns","questions":["How do I return an item?","I want to send something back"],"answer":"Within 30 days.","lang":"en"}

{"id":"hours","questions":["When are you open?"],"answer":"From nine to six."}
{"id":"passage","questions":[],"answer":"Lanterns are made of paper and bamboo."}
`

func TestRunComparesWithBM25(t *testing.T) {
	entries, err := ReadEntries("entries", strings.NewReader("\ufeff"+strings.ReplaceAll(entriesFile, "\n", "\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	queries, err := ReadQueries("queries", strings.NewReader(`{"text":"how can I return an item","expected":["returns"]}
{"text":"paper lanterns of bamboo","expected":["passage"]}
{"text":"when do you open","expected":["hours"]}
{"text":"quantum chromodynamics lecture","expected":[]}`), entries)
	if err != nil {
		t.Fatal(err)
	}
	report, err := Run(entries, queries, 0.6)
	if err != nil {
		t.Fatal(err)
	}
	if report.Top1 != 1 || report.OOSAUROC == nil || *report.OOSAUROC != 1 {
		t.Errorf("top 1 is %v, AUROC %v: three plain questions and one that shares no word", report.Top1, report.OOSAUROC)
	}
	var out bytes.Buffer
	if err := report.Write(&out, "json"); err != nil {
		t.Fatal(err)
	}
	var keys map[string]any
	if err := json.Unmarshal(out.Bytes(), &keys); err != nil {
		t.Fatal(err)
	}
	peers, _ := keys["peers"].(map[string]any)
	peer, _ := peers["bm25"].(map[string]any)
	for _, key := range []string{"top1", "top5", "mrr", "coverage", "precision", "oosAUROC", "ece", "indexSeconds", "queryP50Millis", "queryP99Millis", "heapMiB"} {
		for name, object := range map[string]map[string]any{"the report": keys, "peers.bm25": peer} {
			if _, ok := object[key]; !ok {
				t.Errorf("%s has no %s", name, key)
			}
		}
	}
	out.Reset()
	if err := report.Write(&out, "table"); err != nil || !strings.Contains(out.String(), "coverage at 90 % precision") {
		t.Errorf("%v:\n%s", err, out.String())
	}
}

func TestRefused(t *testing.T) {
	entries := []knowledge.Entry{{ID: "a"}}
	for _, row := range []struct{ entries, queries, want string }{
		{entries: "{", want: "e:1: "},
		{entries: "\n{\"questions\":[\"x\"]}", want: "e:2: id is missing"},
		{entries: "{\"id\":\"a\",\"answer\":\"x\"}\n{\"id\":\"a\",\"answer\":\"y\"}", want: `e:2: id "a" stands in line 1 already`},
		{entries: "{\"id\":\"a\"}", want: "neither questions nor an answer"},
		{entries: "\n", want: "e: no entry"},
		{queries: "{\"expected\":[]}", want: "q:1: text is missing"},
		{queries: "{\"text\":\"x\",\"expected\":[\"b\"]}", want: `q:1: expected has "b"`},
		{queries: "", want: "q: no query"},
	} {
		var err error
		if row.entries != "" {
			_, err = ReadEntries("e", strings.NewReader(row.entries))
		} else {
			_, err = ReadQueries("q", strings.NewReader(row.queries), entries)
		}
		if err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%q %q: %v, expected %q", row.entries, row.queries, err, row.want)
		}
	}
}

// The figures of outcomes that can be worked out by hand.
func TestFigures(t *testing.T) {
	outcomes := []outcome{{0.95, true, true}, {0.85, true, true}, {0.65, false, true}, {0.35, false, false}}
	f := &Figures{}
	f.judge(outcomes, 0.6)
	if f.Coverage != 0.75 || f.Precision == nil || math.Abs(*f.Precision-2.0/3) > 1e-9 {
		t.Errorf("at the floor: coverage %v, precision %v", f.Coverage, f.Precision)
	}
	if f.CoverageAt90 != 0.5 {
		t.Errorf("coverage at 90 %% precision is %v, expected the two surest of four", f.CoverageAt90)
	}
	if want := (0.05 + 0.15 + 0.65 + 0.35) / 4; math.Abs(f.ECE-want) > 1e-9 {
		t.Errorf("calibration error is %v, expected %v", f.ECE, want)
	}
	if f.OOSAUROC == nil || *f.OOSAUROC != 1 {
		t.Errorf("AUROC is %v", f.OOSAUROC)
	}
	if equal := auroc([]outcome{{0.5, true, true}, {0.5, false, false}}); equal == nil || *equal != 0.5 {
		t.Errorf("AUROC of equals is %v, expected 0.5", equal)
	}
	if auroc(outcomes[:3]) != nil {
		t.Error("an AUROC without a query out of scope")
	}
}
