package knowledge

import (
	"math"
	"slices"
)

// BM25 parameters of the question field. k1 is higher than the usual 1.2, because the term frequency counts variants: three variants that share
// a word say more than one.
const (
	questionK1 = 2.0
	questionB  = 0.75
)

// questionField is the inverted index over the question variants, one document an entry, with the variants themselves beside it.
type questionField struct {
	terms   map[uint64]uint32 // feature key → term
	entries int

	// Postings of term t are [start[t], start[t+1]), ordered by entry.
	start  []uint32
	entry  []uint32
	weight []float32 // what the term adds to the entry's score for a query weight of 1
	idf    []float32 // by term
	boost  []float32 // by term: what learning found the term to be worth, 1 without learning

	// Variants of entry e are [variants[e], variants[e+1]); features of variant v are [vstart[v], vstart[v+1]), ordered by term.
	variants []uint32
	vstart   []uint32
	vterm    []uint32
	vclass   []class
	vnorm    []float32 // Euclidean norm of the weighted variant
	vkey     []uint64  // exactKey
	vtext    []string
	vmeaning []int8            // by variant: its meaning, of length meaningScale
	exact    map[uint64]uint32 // exactKey → first variant that has it
}

// fieldStats holds what only learning needs, so that it can be dropped after Compile.
type fieldStats struct {
	variants []uint8   // by posting: variants of the entry that hold the term
	length   []float32 // by entry: sum of the weights of all variants
	average  float32   // of length over entries that have variants
	vlength  []float32 // by variant
}

// newQuestionField indexes the variants. Variants of one entry that analyse alike count once.
func newQuestionField(x *extractor, entries []Entry) (*questionField, *fieldStats) {
	f := &questionField{terms: map[uint64]uint32{}, entries: len(entries), exact: map[uint64]uint32{}, vstart: []uint32{0}, variants: []uint32{0}}
	st := &fieldStats{}
	for i := range entries {
		first := len(f.vkey)
		for _, q := range entries[i].Questions {
			feats := x.extract(q, maxIndexedUnits)
			key := x.exactKey()
			if key == 0 || slices.Contains(f.vkey[first:], key) {
				continue
			}
			f.addVariant(feats, key, q, st)
			f.vmeaning = appendMeaning(f.vmeaning, x.meaning())
		}
		f.variants = append(f.variants, uint32(len(f.vkey)))
	}
	f.invert(st)
	f.normaliseVariants()
	return f, st
}

// addVariant appends one variant to the forward index.
func (f *questionField) addVariant(feats []feature, key uint64, text string, st *fieldStats) {
	from := len(f.vterm)
	var length float32
	for _, ft := range feats {
		t, ok := f.terms[ft.key]
		if !ok {
			t = uint32(len(f.terms))
			f.terms[ft.key] = t
		}
		f.vterm = append(f.vterm, t)
		f.vclass = append(f.vclass, ft.class)
		length += questionWeights[ft.class]
	}
	sortByTerm(f.vterm[from:], f.vclass[from:])
	v := uint32(len(f.vkey))
	if _, ok := f.exact[key]; !ok {
		f.exact[key] = v
	}
	f.vkey = append(f.vkey, key)
	f.vtext = append(f.vtext, text)
	f.vstart = append(f.vstart, uint32(len(f.vterm)))
	st.vlength = append(st.vlength, length)
}

// invert builds the postings from the forward index by counting.
func (f *questionField) invert(st *fieldStats) {
	terms := len(f.terms)
	st.length = make([]float32, f.entries)
	last := make([]uint32, terms) // entry+1 that counted the term last
	f.start = make([]uint32, terms+1)
	withVariants := 0
	f.eachVariant(func(e, v uint32) {
		if v == f.variants[e] {
			withVariants++
		}
		st.length[e] += st.vlength[v]
		st.average += st.vlength[v]
		for _, t := range f.vterm[f.vstart[v]:f.vstart[v+1]] {
			if last[t] != e+1 {
				last[t] = e + 1
				f.start[t+1]++
			}
		}
	})
	st.average /= float32(max(withVariants, 1))
	for t := range terms {
		f.start[t+1] += f.start[t]
	}
	n := f.start[terms]
	f.entry, st.variants = make([]uint32, n), make([]uint8, n)
	next := slices.Clone(f.start[:terms])
	clear(last)
	f.eachVariant(func(e, v uint32) {
		for _, t := range f.vterm[f.vstart[v]:f.vstart[v+1]] {
			if last[t] != e+1 {
				last[t] = e + 1
				f.entry[next[t]] = e
				next[t]++
			}
			st.variants[next[t]-1]++
		}
	})
	f.weigh(st)
}

// weigh sets the plain BM25 weights.
func (f *questionField) weigh(st *fieldStats) {
	f.idf = make([]float32, len(f.terms))
	f.boost = make([]float32, len(f.terms))
	f.weight = make([]float32, len(f.entry))
	for t := range f.idf {
		f.idf[t] = f.idfOf(int(f.start[t+1] - f.start[t]))
		f.boost[t] = 1
		for p := f.start[t]; p < f.start[t+1]; p++ {
			f.weight[p] = f.plain(st, uint32(t), p)
		}
	}
}

// plain is the weight of posting p of term t without learning.
func (f *questionField) plain(st *fieldStats, t, p uint32) float32 {
	return f.idf[t] * st.saturation(float32(st.variants[p]), st.length[f.entry[p]])
}

// without is the weight that posting p of term t would have if variant v, which belongs to its entry, were absent. What was learned for the
// posting stays, as long as another variant holds the term.
func (f *questionField) without(st *fieldStats, t, p, v uint32) float32 {
	n := float32(st.variants[p])
	if _, holds := slices.BinarySearch(f.vterm[f.vstart[v]:f.vstart[v+1]], t); holds {
		n--
	}
	if n <= 0 {
		return 0
	}
	return f.weight[p] - f.plain(st, t, p) + f.idf[t]*st.saturation(n, st.length[f.entry[p]]-st.vlength[v])
}

// normaliseVariants computes the norms that turn dot products into cosines.
func (f *questionField) normaliseVariants() {
	f.vnorm = make([]float32, len(f.vkey))
	for v := range f.vnorm {
		var sum float32
		for i := f.vstart[v]; i < f.vstart[v+1]; i++ {
			w := questionWeights[f.vclass[i]] * f.idf[f.vterm[i]]
			sum += w * w
		}
		f.vnorm[v] = float32(math.Sqrt(float64(sum)))
	}
}

// idfOf is the inverse document frequency of a term that df entries hold, in the form that is never negative. df 0 gives the weight of an
// unknown word.
func (f *questionField) idfOf(df int) float32 {
	return idf(f.entries, df)
}

func idf(n, df int) float32 {
	return float32(math.Log1p((float64(n-df) + 0.5) / (float64(df) + 0.5)))
}

// saturation is the term-frequency part of BM25.
func (st *fieldStats) saturation(variants, length float32) float32 {
	return variants * (questionK1 + 1) / (variants + questionK1*(1-questionB+questionB*length/st.average))
}

// eachVariant calls do for every variant with its entry, in order.
func (f *questionField) eachVariant(do func(entry, variant uint32)) {
	for e := range uint32(f.entries) {
		for v := f.variants[e]; v < f.variants[e+1]; v++ {
			do(e, v)
		}
	}
}

// entryOf returns the entry of a variant.
func (f *questionField) entryOf(v uint32) uint32 {
	e, found := slices.BinarySearch(f.variants, v)
	if !found {
		return uint32(e - 1)
	}
	for e+1 < len(f.variants) && f.variants[e+1] == v { // entries without variants share the bound
		e++
	}
	return uint32(e)
}

// posting returns the posting of term t in entry e, and whether there is one.
func (f *questionField) posting(t, e uint32) (uint32, bool) {
	i, ok := slices.BinarySearch(f.entry[f.start[t]:f.start[t+1]], e)
	return f.start[t] + uint32(i), ok
}

// cosine compares the query, ordered by term, with variant v; norm is the query's own norm.
func (f *questionField) cosine(query []queryTerm, norm float32, v uint32) float32 {
	if norm == 0 || f.vnorm[v] == 0 {
		return 0
	}
	var dot float32
	i, end := f.vstart[v], f.vstart[v+1]
	for k := range query {
		for i < end && f.vterm[i] < query[k].term {
			i++
		}
		if i == end {
			break
		}
		if f.vterm[i] == query[k].term {
			dot += query[k].weight * query[k].idf * questionWeights[f.vclass[i]] * f.idf[f.vterm[i]]
		}
	}
	return min(dot/(norm*f.vnorm[v]), 1)
}

// sortByTerm sorts the two parallel slices by term. Variants are short, so insertion is the fastest way.
func sortByTerm(terms []uint32, classes []class) {
	for i := 1; i < len(terms); i++ {
		for j := i; j > 0 && terms[j-1] > terms[j]; j-- {
			terms[j-1], terms[j] = terms[j], terms[j-1]
			classes[j-1], classes[j] = classes[j], classes[j-1]
		}
	}
}
