package knowledge

import (
	"os"
	"strings"
	"testing"
)

// shopFloor is the confidence from which a bot would answer.
const shopFloor = 0.6

type shopQuery struct{ want, text string }

func shopBase(t testing.TB) []Entry {
	t.Helper()
	data, err := os.ReadFile("testdata/shop.yaml")
	if err != nil {
		t.Fatal(err)
	}
	entries, err := ParseEntries("shop.yaml", data)
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

func shopIndex(t testing.TB, opts Options) *Index {
	t.Helper()
	ix, err := Compile(shopBase(t), opts)
	if err != nil {
		t.Fatal(err)
	}
	return ix
}

func shopQueries(t testing.TB) (in, out []shopQuery) {
	t.Helper()
	data, err := os.ReadFile("testdata/shop-queries.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		want, text, ok := strings.Cut(strings.TrimSpace(line), " | ")
		switch {
		case !ok || strings.HasPrefix(line, "#"):
		case want == "-":
			out = append(out, shopQuery{"", text})
		default:
			in = append(in, shopQuery{want, text})
		}
	}
	return in, out
}

func TestShopGolden(t *testing.T) {
	ix := shopIndex(t, Options{Languages: []string{"zh", "en"}})
	in, out := shopQueries(t)
	if ix.Len() < 25 || len(in) < 60 || len(out) < 10 {
		t.Fatalf("the golden set shrank: %d entries, %d queries, %d out of scope", ix.Len(), len(in), len(out))
	}
	answered := 0
	for _, q := range in {
		hits := ix.Search(q.text, DetectLanguage(q.text), 3)
		if len(hits) == 0 || hits[0].Entry.ID != q.want {
			t.Errorf("%q: got %s, want %s", q.text, hitList(hits), q.want)
			continue
		}
		if hits[0].Confidence >= shopFloor {
			answered++
		} else {
			t.Logf("unsure: %q: %s", q.text, hitList(hits))
		}
	}
	if share := float64(answered) / float64(len(in)); share < 0.6 {
		t.Errorf("only %.2f of the answerable queries reach the floor of %g", share, shopFloor)
	}
	for _, q := range out {
		if hits := ix.Search(q.text, DetectLanguage(q.text), 3); len(hits) > 0 && hits[0].Confidence >= shopFloor {
			t.Errorf("out of scope %q is answered: %s", q.text, hitList(hits))
		}
	}
}

func hitList(hits []Hit) string {
	var b strings.Builder
	for _, h := range hits {
		b.WriteString(describeHit(h))
		b.WriteByte(' ')
	}
	return b.String()
}
