package knowledge

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func describeHit(h Hit) string {
	return fmt.Sprintf("%s(%.2f, %.2f, %q)", h.Entry.ID, h.Score, h.Confidence, h.Question)
}

func compile(t testing.TB, opts Options, entries ...Entry) *Index {
	t.Helper()
	ix, err := Compile(entries, opts)
	if err != nil {
		t.Fatal(err)
	}
	return ix
}

func TestSearchMatchesForms(t *testing.T) {
	ix := compile(t, Options{},
		Entry{ID: "iphone-15", Questions: []string{"Does the case fit the iPhone 15?"}, Answer: "Yes."},
		Entry{ID: "iphone-14", Questions: []string{"Does the case fit the iPhone 14?"}, Answer: "Yes."},
		Entry{ID: "wifi", Questions: []string{"How do I set up wi-fi?"}, Answer: "Press the button."},
		Entry{ID: "cafe", Questions: []string{"When does the café open?"}, Answer: "At nine."},
		Entry{ID: "cancellation", Questions: []string{"Order cancellation"}, Answer: "Under My orders."},
		Entry{ID: "invoice", Questions: []string{"怎么开发票"}, Answer: "在我的订单里。"},
		Entry{ID: "logistics", Questions: []string{"查询物流"}, Answer: "在我的订单里。"},
		Entry{ID: "manual", Questions: []string{"Where are the papers?"}, Answer: "The warranty certificate lies in the box."},
	)
	for _, tc := range []struct{ name, query, want string }{
		{"letters and digits part", "iphone15 case", "iphone-15"},
		{"full-width", "ｉＰｈｏｎｅ　１５", "iphone-15"},
		{"digits decide", "fits iPhone14?", "iphone-14"},
		{"upper case", "WIFI SETUP", "wifi"},
		{"joined and parted words", "wi fi", "wifi"},
		{"accent", "cafe opening", "cafe"},
		{"stem", "cancelled orders", "cancellation"},
		{"typo", "cancelation of oder", "cancellation"},
		{"traditional", "怎麼開發票", "invoice"},
		{"one Han pair", "发票", "invoice"},
		{"mixed", "please 物流 info", "logistics"},
		{"answer text", "warranty certificate", "manual"},
	} {
		hits := ix.Search(tc.query, "", 1)
		if len(hits) != 1 || hits[0].Entry.ID != tc.want {
			t.Errorf("%s: %q gives %s, want %s", tc.name, tc.query, hitList(hits), tc.want)
		}
	}
}

func TestSearchNamesClosestVariant(t *testing.T) {
	ix := shopIndex(t, Options{})
	hits := ix.Search("do you accept apple pay", "en", 1)
	if got, want := hits[0].Question, "Do you take Apple Pay?"; got != want {
		t.Errorf("closest variant %q, want %q", got, want)
	}
}

func TestSearchNothingInCommon(t *testing.T) {
	ix := shopIndex(t, Options{})
	for _, q := range []string{"", "???", "😀😀", "\xff\xfe", "жжжж"} {
		if hits := ix.Search(q, "", 5); len(hits) != 0 {
			t.Errorf("%q gives %s, want nothing", q, hitList(hits))
		}
	}
	if hits := compile(t, Options{}).Search("anything", "", 5); len(hits) != 0 {
		t.Errorf("the empty base gives %s", hitList(hits))
	}
}

func TestSearchPrefersLanguage(t *testing.T) {
	ix := compile(t, Options{},
		Entry{ID: "a", Questions: []string{"iPhone 15 Pro Max"}, Answer: "the answer", Language: "en"},
		Entry{ID: "b", Questions: []string{"iPhone 15 Pro Max!"}, Answer: "答案", Language: "zh-Hant"},
	)
	if hits := ix.Search("iphone 15 pro", "zh-CN", 2); hits[0].Entry.ID != "b" {
		t.Errorf("for zh: %s", hitList(hits))
	}
	if hits := ix.Search("iphone 15 pro", "en", 2); hits[0].Entry.ID != "a" || len(hits) != 2 {
		t.Errorf("for en: %s", hitList(hits))
	}
}

func TestSynonyms(t *testing.T) {
	entries := []Entry{
		{ID: "sofa", Questions: []string{"Do you deliver sofas upstairs?"}, Answer: "Yes."},
		{ID: "lamp", Questions: []string{"Do you deliver lamps upstairs?"}, Answer: "Yes."},
		{ID: "refund", Questions: []string{"退款多久到账"}, Answer: "三天。"},
	}
	ix := compile(t, Options{Synonyms: [][]string{{"sofa", "three seater", "couch"}, {"退款", "money back"}}}, entries...)
	for query, want := range map[string]string{"deliver my couch": "sofa", "deliver a three seater": "sofa", "money back": "refund", "a lamp": "lamp"} {
		if hits := ix.Search(query, "", 1); len(hits) == 0 || hits[0].Entry.ID != want {
			t.Errorf("%q gives %s, want %s", query, hitList(hits), want)
		}
	}
	if hits := compile(t, Options{}, entries...).Search("money back", "", 1); len(hits) != 0 {
		t.Errorf("without synonyms %s is found: the test proves nothing", hitList(hits))
	}
}

func TestCompileRefuses(t *testing.T) {
	ok := Entry{ID: "a", Questions: []string{"q"}, Answer: "a", Origin: "one.yaml:3"}
	again := ok
	again.Origin = "two.yaml:9"
	for name, tc := range map[string]struct {
		entries []Entry
		opts    Options
		want    []string
	}{
		"duplicate id":        {[]Entry{ok, again}, Options{}, []string{`"a"`, "one.yaml:3", "two.yaml:9", "rename"}},
		"nothing to find":     {[]Entry{{ID: "a"}}, Options{}, []string{`"a"`, "question or an answer"}},
		"no id":               {[]Entry{{Answer: "x"}}, Options{}, []string{"give it an id"}},
		"lonely synonym":      {[]Entry{ok}, Options{Synonyms: [][]string{{"x"}}}, []string{"synonyms[0]", "1 member"}},
		"synonym of no words": {[]Entry{ok}, Options{Synonyms: [][]string{{"x", "--"}}}, []string{"synonyms[0][1]", "--"}},
		"topK":                {[]Entry{ok}, Options{TopK: 51}, []string{"topK 51", "50"}},
	} {
		_, err := Compile(tc.entries, tc.opts)
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		for _, want := range tc.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q does not say %q", name, err, want)
			}
		}
	}
}

func TestDetectedLanguageWithinOptions(t *testing.T) {
	e := Entry{ID: "a", Questions: []string{"Wo ist meine Bestellung und wann kommt sie?"}, Answer: "Bald."}
	if got := compile(t, Options{}, e).Search("bestellung", "", 1)[0].Entry.Language; got != "de" {
		t.Errorf("language %q, want de", got)
	}
	if got := compile(t, Options{Languages: []string{"zh-Hans", "en"}}, e).Search("bestellung", "", 1)[0].Entry.Language; got != "" {
		t.Errorf("language %q, want none: the desk does not offer German", got)
	}
	if got := compile(t, Options{Languages: []string{"de-AT"}}, e).Search("bestellung", "", 1)[0].Entry.Language; got != "de" {
		t.Errorf("language %q, want de: a region does not matter", got)
	}
}

// anyText draws strings that a hostile or careless customer may send.
func anyText() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.String(),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 300), func(b []byte) string { return string(b) }),
		rapid.StringOfN(rapid.RuneFrom([]rune("退货款订单的了a e1５ｐ'’-.\u0301麼")), 0, 2000, -1),
		rapid.SampledFrom([]string{"return return return", "怎么怎么", "i", "15", "the the"}),
	)
}

func TestSearchAnyString(t *testing.T) {
	ix := shopIndex(t, Options{Synonyms: [][]string{{"退货", "return"}}})
	rapid.Check(t, func(t *rapid.T) {
		query, k := anyText().Draw(t, "query"), rapid.IntRange(-1, 80).Draw(t, "k")
		language := rapid.SampledFrom([]string{"", "zh", "en-US", "xx"}).Draw(t, "language")
		hits := ix.Search(query, language, k)
		var sum float64
		for i, h := range hits {
			if !(h.Confidence >= 0 && h.Confidence <= 1) || !(h.Score > 0) {
				t.Fatalf("hit %s", describeHit(h))
			}
			if i > 0 && (h.Score > hits[i-1].Score || h.Confidence > hits[i-1].Confidence) {
				t.Fatalf("hits out of order: %s", hitList(hits))
			}
			sum += h.Confidence
		}
		if sum > 1+1e-9 {
			t.Fatalf("confidences of exclusive answers sum to %g", sum)
		}
		if limit := k; limit > 0 && len(hits) > limit || len(hits) > maxTopK {
			t.Fatalf("%d hits for k=%d", len(hits), k)
		}
		DetectLanguage(query)
		AsksForPerson(query)
	})
}

func TestOrderOfEntriesDoesNotMatter(t *testing.T) {
	entries := shopBase(t)
	in, out := shopQueries(t)
	want := compile(t, Options{}, entries...)
	rapid.Check(t, func(t *rapid.T) {
		shuffled := slices.Clone(entries)
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		rng.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		got, err := Compile(shuffled, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got.Revision() != want.Revision() {
			t.Fatal("the revision depends on the order")
		}
		for _, q := range append(in, out...) {
			if diff := cmp.Diff(want.Search(q.text, "", 5), got.Search(q.text, "", 5)); diff != "" {
				t.Fatalf("%q: %s", q.text, diff)
			}
		}
	})
}

// TestOwnVariantFirst draws bases of short, similar variants, where the score alone would often prefer another entry.
func TestOwnVariantFirst(t *testing.T) {
	words := []string{"return", "refund", "order", "the", "my", "i", "15", "iphone", "退货", "订单", "怎么", "的", "cancel"}
	question := rapid.Map(rapid.SliceOfN(rapid.SampledFrom(words), 1, 5), func(w []string) string { return strings.Join(w, " ") })
	rapid.Check(t, func(t *rapid.T) {
		var entries []Entry
		owners := map[uint64]map[string]bool{}
		x := &extractor{}
		for i := range rapid.IntRange(1, 40).Draw(t, "entries") {
			e := Entry{ID: fmt.Sprintf("e%d", i), Questions: rapid.SliceOfN(question, 1, 6).Draw(t, "questions"), Answer: "answer"}
			for _, q := range e.Questions {
				x.extract(q, maxQueryUnits)
				if owners[x.exactKey()] == nil {
					owners[x.exactKey()] = map[string]bool{}
				}
				owners[x.exactKey()][e.ID] = true
			}
			entries = append(entries, e)
		}
		ix, err := Compile(entries, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			for _, q := range e.Questions {
				hits := ix.Search(q, "", 3)
				x.extract(q, maxQueryUnits)
				if len(hits) == 0 || !owners[x.exactKey()][hits[0].Entry.ID] {
					t.Fatalf("variant %q of %s finds %s", q, e.ID, hitList(hits))
				}
			}
		}
	})
}

func TestSearchConcurrently(t *testing.T) {
	ix := shopIndex(t, Options{})
	in, _ := shopQueries(t)
	want := make([]string, len(in))
	for i, q := range in {
		want[i] = hitList(ix.Search(q.text, "", 5))
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i, q := range in {
				if got := hitList(ix.Search(q.text, "", 5)); got != want[i] {
					t.Errorf("%q: %s, alone %s", q.text, got, want[i])
				}
			}
		})
	}
	wg.Wait()
}

// What the table of words is for: a question that shares no content word with any variant finds the one that means the same.
func TestMeaningFindsWhatSpellingDoesNot(t *testing.T) {
	ix := compile(t, Options{},
		Entry{ID: "refund", Questions: []string{"How do I get a refund?", "I want to be reimbursed"}, Answer: "x"},
		Entry{ID: "parcel", Questions: []string{"How do I track a parcel?", "I want to see where the shipment is"}, Answer: "x"},
		Entry{ID: "password", Questions: []string{"How do I change my password?", "I want to be logged in again"}, Answer: "x"},
	)
	for query, want := range map[string]string{"how do i get cash back": "refund", "how do i follow a delivery": "parcel", "how do i reset a login": "password"} {
		if hits := ix.Search(query, "", 3); len(hits) == 0 || hits[0].Entry.ID != want {
			t.Errorf("%q finds %v, expected %s", query, hits, want)
		}
	}
}

func TestBrokenTableOfWords(t *testing.T) {
	for _, packed := range [][]byte{nil, []byte("no gzip"), wordVectors[:len(wordVectors)/2]} {
		if _, err := readWords(packed); err == nil {
			t.Errorf("a table of %d bytes is taken", len(packed))
		}
	}
	if table := words(); table.dimensions < 1 || len(table.ids) != len(table.weights) || len(table.vectors) != len(table.weights)*table.dimensions {
		t.Errorf("%d words, %d weights, %d bytes of %d dimensions", len(table.ids), len(table.weights), len(table.vectors), table.dimensions)
	}
}
