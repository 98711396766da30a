package knowledge

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
)

// syntheticBase makes n entries of two to four variants, half of them Chinese, with answers of a paragraph, out of a vocabulary with the
// skewed frequencies of language. It returns queries beside: variants with a word replaced or misspelt.
func syntheticBase(n int) (entries []Entry, queries []string) {
	rng := rand.New(rand.NewPCG(1, 2))
	english := make([]string, 20_000)
	for i := range english {
		var b strings.Builder
		for range 1 + rng.IntN(3) {
			b.WriteByte("bcdfghklmnprstvw"[rng.IntN(16)])
			b.WriteByte("aeiou"[rng.IntN(5)])
		}
		b.WriteByte("lnrst"[rng.IntN(5)])
		english[i] = b.String()
	}
	chinese := make([]string, 20_000)
	for i := range chinese {
		chinese[i] = string([]rune{rune(0x4E00 + rng.IntN(3500)), rune(0x4E00 + rng.IntN(3500))})
	}
	zipf := rand.NewZipf(rng, 1.1, 4, uint64(len(english)-1))
	sentence := func(words []string, sep string, k int) string {
		out := make([]string, k)
		for i := range out {
			out[i] = words[zipf.Uint64()]
		}
		return strings.Join(out, sep)
	}
	for i := range n {
		words, sep, lang := english, " ", "en"
		if i%2 == 1 {
			words, sep, lang = chinese, "", "zh"
		}
		e := Entry{ID: fmt.Sprintf("e%05d", i), Language: lang, Answer: sentence(words, sep, 60)}
		for range 2 + rng.IntN(3) {
			e.Questions = append(e.Questions, sentence(words, sep, 5+rng.IntN(6)))
		}
		entries = append(entries, e)
		if i%20 == 0 {
			queries = append(queries, e.Questions[0][:len(e.Questions[0])*2/3]+" "+sentence(words, sep, 3))
		}
	}
	return entries, queries
}

func BenchmarkCompile20k(b *testing.B) {
	entries, _ := syntheticBase(20_000)
	b.ReportAllocs()
	var ix *Index
	for b.Loop() {
		var err error
		if ix, err = Compile(entries, Options{}); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	b.ReportMetric(float64(heapOf(ix))/(1<<20), "MiB-index")
}

// heapOf returns the heap that only ix holds, roughly: what is free once it is gone.
func heapOf(ix *Index) uint64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	runtime.KeepAlive(ix)
	*ix = Index{}
	runtime.GC()
	runtime.ReadMemStats(&after)
	return before.HeapAlloc - min(after.HeapAlloc, before.HeapAlloc)
}

func BenchmarkSearch20k(b *testing.B) {
	entries, queries := syntheticBase(20_000)
	ix, err := Compile(entries, Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		ix.Search(queries[i%len(queries)], "", 5)
		i++
	}
}
