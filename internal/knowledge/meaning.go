package knowledge

import (
	"bytes"
	"compress/gzip"
	_ "embed" // the table of words
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"sync"
)

// wordVectors are the most frequent English words with what they mean: GloVe (Pennington, Socher and Manning, 2014; Wikipedia 2014 and
// Gigaword 5; public domain by the PDDL 1.0), cut and rounded by hack/wordvectors, which tells the format.
//
//go:embed wordvectors.bin.gz
var wordVectors []byte

// The weights of closeness in meaning, as shares of the score of a perfect entry. They were set on public intent sets with 3 and 10
// variants and on question pairs; the result is flat around them.
const (
	closestMeaning = 0.15 // of the variant that is closest in meaning
	supportMeaning = 0.15 // of the three closest, on average
	centreMeaning  = 0.3  // of the middle of all variants
)

// mostMeaning is the share of an entry that means just what the query means.
const mostMeaning = closestMeaning + supportMeaning + centreMeaning

// meaningScale is the length of a vector of bytes.
const meaningScale = 127

// frequentWord is the share of text from which on a word says less than half of what a rare one does: the weights are those of Arora, Liang and
// Ma, "A Simple but Tough-to-Beat Baseline for Sentence Embeddings" (2017), with shares by Zipf's law from the ranks.
const frequentWord = 1e-3

// wordTable tells what English words mean.
type wordTable struct {
	ids        map[string]uint32
	vectors    []int8
	weights    []float32
	dimensions int
}

// words is read once, when the first index is made: a process that makes none pays nothing.
var words = sync.OnceValue(func() *wordTable {
	t, err := readWords(wordVectors)
	if err != nil {
		panic(fmt.Sprintf("the table of words that the program carries is broken: %v", err)) // a test reads it
	}
	return t
})

func readWords(packed []byte) (*wordTable, error) {
	reader, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(reader)
	if err != nil {
		return nil, err
	}
	if len(content) < 8 {
		return nil, io.ErrUnexpectedEOF
	}
	n, dimensions := int(binary.BigEndian.Uint32(content)), int(binary.BigEndian.Uint32(content[4:]))
	content = content[8:]
	t := &wordTable{ids: make(map[string]uint32, n), weights: make([]float32, n), dimensions: dimensions}
	for i := range n {
		if len(content) < 1 || len(content) < 1+int(content[0]) {
			return nil, io.ErrUnexpectedEOF
		}
		end := 1 + int(content[0])
		t.ids[string(content[1:end])] = uint32(i)
		share := 0.1 / float64(i+5)
		t.weights[i] = float32(frequentWord / (frequentWord + share))
		content = content[end:]
	}
	if len(content) != n*dimensions {
		return nil, fmt.Errorf("%d bytes of vectors, expected %d", len(content), n*dimensions)
	}
	t.vectors = make([]int8, len(content))
	for i, b := range content {
		t.vectors[i] = int8(b) //nolint:gosec // the byte holds the bits of a signed one
	}
	return t, nil
}

// english is the share of the units of the text that was analysed last of which it is known what they mean; a Han rune is half a word.
func (a *analyser) english() float32 {
	var all float32
	for _, u := range a.units {
		if u.kind == unitHan {
			all += 0.5
		} else {
			all++
		}
	}
	return float32(len(a.meant)) / max(all, 1)
}

// meaning of the text that was analysed last: a unit vector, or nil where no English word is known. It is valid until the next call.
func (a *analyser) meaning() []float32 {
	if len(a.meant) == 0 {
		return nil
	}
	t := words()
	if a.mean == nil {
		a.mean = make([]float32, t.dimensions)
	}
	clear(a.mean)
	for _, id := range a.meant {
		w := t.weights[id]
		for i, x := range t.vectors[int(id)*t.dimensions : (int(id)+1)*t.dimensions] {
			a.mean[i] += w * float32(x)
		}
	}
	if !normalise(a.mean) {
		return nil
	}
	return a.mean
}

// normalise gives a vector the length 1, unless it has none.
func normalise(v []float32) bool {
	var sum float32
	for _, x := range v {
		sum += x * x
	}
	if sum == 0 {
		return false
	}
	length := float32(math.Sqrt(float64(sum)))
	for i := range v {
		v[i] /= length
	}
	return true
}

// appendMeaning appends a unit vector, or nil as zeros, in bytes.
func appendMeaning(to []int8, v []float32) []int8 {
	if v == nil {
		return append(to, make([]int8, words().dimensions)...)
	}
	for _, x := range v {
		to = append(to, int8(math.Round(float64(meaningScale*x))))
	}
	return to
}

// closeness of meaning between a query and an entry, each as a cosine times the share of the query that is known English: one known word says
// little about the rest.
type closeness struct {
	closest, support, centre float32
}

func (c closeness) share() float32 {
	return max(0, closestMeaning*c.closest+supportMeaning*c.support+centreMeaning*c.centre)
}

// meaningOf compares the query with the variants of an entry, but for the one that is excluded.
func (f *questionField) meaningOf(q *query, e uint32) closeness {
	if q.meant == nil {
		return closeness{}
	}
	n := len(q.meant)
	var best [3]float32
	clear(q.centre)
	for v := f.variants[e]; v < f.variants[e+1]; v++ {
		if q.ex.kind == excludeVariant && q.ex.variant == v {
			continue
		}
		var cos float32
		for i, x := range f.vmeaning[int(v)*n : (int(v)+1)*n] {
			cos += q.meant[i] * float32(x)
			q.centre[i] += float32(x)
		}
		cos /= meaningScale
		for i := range best {
			if cos > best[i] {
				best[i], cos = cos, best[i]
			}
		}
	}
	out := closeness{closest: best[0], support: (best[0] + best[1] + best[2]) / 3}
	if normalise(q.centre) {
		for i, x := range q.centre {
			out.centre += x * q.meant[i]
		}
	}
	out.closest, out.support, out.centre = q.english*out.closest, q.english*out.support, q.english*out.centre
	return out
}
