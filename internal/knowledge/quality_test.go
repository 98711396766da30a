package knowledge

import (
	"cmp"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// sharedData is the development data beside the repository, relative to this package.
const sharedData = "../../../shared/data"

// judged is a query with the entries that answer it; none where the base has no answer.
type judged struct {
	text string
	want []string
}

// quality holds the figures of one set.
type quality struct {
	top1, top5, mrr     float64 // over the queries that have an answer
	ece                 float64 // expected calibration error, ten bins, all queries
	coverage, precision float64 // at shopFloor: share answered, and how many of those rightly
	auroc               float64 // of the confidence: answerable against out of scope; NaN without both
}

func (q quality) String() string {
	return fmt.Sprintf("top1 %.3f top5 %.3f MRR %.3f ECE %.3f, at confidence %.1f: coverage %.3f precision %.3f; out-of-scope AUROC %.3f",
		q.top1, q.top5, q.mrr, q.ece, shopFloor, q.coverage, q.precision, q.auroc)
}

type outcome struct {
	confidence        float64
	correct, answered bool // answered: the base has an answer
}

func measure(ix *Index, queries []judged) quality {
	var q quality
	var outcomes []outcome
	answerable := 0.0
	for _, j := range queries {
		hits := ix.Search(j.text, "", 20)
		o := outcome{answered: len(j.want) > 0}
		rank := slices.IndexFunc(hits, func(h Hit) bool { return slices.Contains(j.want, h.Entry.ID) })
		if len(hits) > 0 {
			o.confidence = hits[0].Confidence
		}
		if o.answered {
			answerable++
		}
		if rank >= 0 {
			q.mrr += 1 / float64(rank+1)
			q.top5 += indicator(rank < 5)
			q.top1 += indicator(rank == 0)
			o.correct = rank == 0
		}
		outcomes = append(outcomes, o)
	}
	q.top1, q.top5, q.mrr = q.top1/answerable, q.top5/answerable, q.mrr/answerable
	q.ece = expectedCalibrationError(outcomes)
	right, given := 0.0, 0.0
	for _, o := range outcomes {
		if o.confidence >= shopFloor {
			given++
			right += indicator(o.correct)
		}
	}
	q.coverage, q.precision = given/float64(len(outcomes)), right/given
	q.auroc = auroc(outcomes)
	return q
}

func indicator(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func expectedCalibrationError(outcomes []outcome) float64 {
	var gap [10]float64
	for _, o := range outcomes {
		gap[min(int(o.confidence*10), 9)] += o.confidence - indicator(o.correct)
	}
	sum := 0.0
	for _, g := range gap {
		sum += math.Abs(g)
	}
	return sum / float64(len(outcomes))
}

// auroc is the probability that an answerable query has a higher confidence than one out of scope, by ranks.
func auroc(outcomes []outcome) float64 {
	sorted := slices.Clone(outcomes)
	slices.SortFunc(sorted, func(a, b outcome) int { return cmp.Compare(a.confidence, b.confidence) })
	var in, ranks float64
	for i, o := range sorted {
		if o.answered {
			in++
			ranks += float64(i + 1)
		}
	}
	return (ranks - in*(in+1)/2) / (in * (float64(len(sorted)) - in))
}

func sharedFile(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(sharedData, name))
	if err != nil {
		t.Skipf("the development data is not beside the repository: %v", err)
	}
	return data
}

func lines(data []byte) []string {
	return strings.Split(strings.TrimRight(string(data), "\n"), "\n")
}

// intents loads HWU64 with n variants an intent, drawn by seed, and the intents from hold on left out of the base.
func intents(t testing.TB, n, hold int, seed uint64) ([]Entry, []judged) {
	t.Helper()
	texts, labels := lines(sharedFile(t, "faq-en/hwu64_train.seq.in")), lines(sharedFile(t, "faq-en/hwu64_train.label"))
	byLabel := map[string][]string{}
	for i, l := range labels {
		byLabel[l] = append(byLabel[l], texts[i])
	}
	names := make([]string, 0, len(byLabel))
	for l := range byLabel {
		names = append(names, l)
	}
	slices.Sort(names)
	rng := rand.New(rand.NewPCG(seed, 0))
	rng.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	var entries []Entry
	for _, l := range names[:len(names)-hold] {
		v := byLabel[l]
		rng.Shuffle(len(v), func(i, j int) { v[i], v[j] = v[j], v[i] })
		entries = append(entries, Entry{ID: l, Questions: v[:min(n, len(v))], Answer: "x"})
	}
	tests, answers := lines(sharedFile(t, "faq-en/hwu64_test.seq.in")), lines(sharedFile(t, "faq-en/hwu64_test.label"))
	queries := make([]judged, len(tests))
	for i := range tests {
		queries[i].text = tests[i]
		if slices.Index(names, answers[i]) < len(names)-hold {
			queries[i].want = []string{answers[i]}
		}
	}
	return entries, queries
}

// passages loads CMRC 2018, and leaves one passage in hold out of the base.
func passages(t testing.TB, hold int) (entries []Entry, queries []judged) {
	t.Helper()
	var file struct {
		Data []struct {
			Paragraphs []struct {
				ID, Context string
				QAs         []struct{ Question string } `json:"qas"`
			}
		}
	}
	if err := json.Unmarshal(sharedFile(t, "faq-zh/cmrc2018_dev.json"), &file); err != nil {
		t.Fatal(err)
	}
	i := 0
	for _, d := range file.Data {
		for _, p := range d.Paragraphs {
			i++
			var want []string
			if i%hold != 0 {
				entries = append(entries, Entry{ID: p.ID, Answer: p.Context})
				want = []string{p.ID}
			}
			for _, q := range p.QAs {
				queries = append(queries, judged{q.Question, want})
			}
		}
	}
	return entries, queries
}

// pairs loads the COVID questions and the questions that people judged the same.
func pairs(t testing.TB) (entries []Entry, queries []judged) {
	t.Helper()
	read := func(name string) [][]string {
		rows, err := csv.NewReader(strings.NewReader(string(sharedFile(t, name)))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		return rows[1:]
	}
	ids := map[string][]string{}
	for i, row := range read("faq-en/covid_faq_covidbert.csv") {
		q, id := strings.TrimSpace(row[0]), fmt.Sprint("covid-", i)
		ids[q] = append(ids[q], id)
		entries = append(entries, Entry{ID: id, Questions: []string{q}, Answer: row[1]})
	}
	for _, row := range read("faq-en/covid_eval_question_similarity_en.csv") {
		if want := ids[strings.TrimSpace(row[0])]; row[2] == "1" && want != nil {
			queries = append(queries, judged{row[1], want})
		}
	}
	return entries, queries
}

// TestQualityOnSharedData guards against a change that ruins retrieval: the floors lie well below what is measured, and the log has the figures.
func TestQualityOnSharedData(t *testing.T) {
	type floors struct{ top1, top5, precision, auroc, ece float64 }
	check := func(t *testing.T, entries []Entry, queries []judged, f floors) {
		t.Helper()
		ix := compile(t, Options{}, entries...)
		q := measure(ix, queries)
		t.Logf("%d entries, %d queries: %v", len(entries), len(queries), q)
		if q.top1 < f.top1 || q.top5 < f.top5 || !(q.precision >= f.precision) || f.auroc > 0 && !(q.auroc >= f.auroc) || q.ece > f.ece {
			t.Errorf("below the floors %+v", f)
		}
	}
	for _, seed := range []uint64{1, 2} {
		t.Run(fmt.Sprintf("intents, 10 variants, draw %d", seed), func(t *testing.T) {
			entries, queries := intents(t, 10, 0, seed)
			check(t, entries, queries, floors{top1: 0.70, top5: 0.85, precision: 0.85, ece: 0.12})
		})
	}
	t.Run("intents, 10 variants, a fifth out of scope", func(t *testing.T) {
		entries, queries := intents(t, 10, 13, 4)
		check(t, entries, queries, floors{top1: 0.65, top5: 0.85, precision: 0.7, auroc: 0.65, ece: 0.12})
	})
	t.Run("intents, 3 variants", func(t *testing.T) {
		entries, queries := intents(t, 3, 0, 5)
		check(t, entries, queries, floors{top1: 0.48, top5: 0.7, precision: 0.7, ece: 0.12})
	})
	t.Run("intents, 50 variants", func(t *testing.T) {
		entries, queries := intents(t, MaxQuestions, 0, 6)
		queries = queries[:len(queries)/2]
		check(t, entries, queries, floors{top1: 0.78, top5: 0.92, precision: 0.85, ece: 0.12})
	})
	t.Run("questions with one variant", func(t *testing.T) {
		entries, queries := pairs(t)
		check(t, entries, queries, floors{top1: 0.48, top5: 0.75, precision: 0.7, ece: 0.15})
	})
	t.Run("Chinese passages", func(t *testing.T) {
		entries, queries := passages(t, 6)
		check(t, entries, queries, floors{top1: 0.94, top5: 0.98, precision: 0.9, auroc: 0.9, ece: 0.1})
	})
}
