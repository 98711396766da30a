package knowledge

import (
	"encoding/binary"
)

// BM25 parameters of the answer field, the usual ones.
const (
	answerK1 = 1.2
	answerB  = 0.75
)

// answerField is the inverted index over the answers. Its postings are bytes, gap to the previous entry as a varint and then the frequency,
// because passages bring hundreds of postings an entry and the gaps are small.
type answerField struct {
	terms   map[uint64]uint32
	entries int
	data    []byte
	start   []uint32  // postings of term t are data[start[t]:start[t+1]]
	df      []uint32  // by term: entries that hold it
	length  []float32 // by entry: the length part of BM25's denominator, answerK1*(1-b+b*length/average)
}

// answerTerm collects the postings of one term while the field is built.
type answerTerm struct {
	data []byte
	last uint32
	df   uint32
}

// newAnswerField indexes the answers.
func newAnswerField(x *extractor, entries []Entry) *answerField {
	f := &answerField{terms: map[uint64]uint32{}, entries: len(entries), length: make([]float32, len(entries))}
	var collected []answerTerm
	counts := map[uint64]uint32{}
	var total float32
	var buf [binary.MaxVarintLen32 + 1]byte
	for i := range entries {
		clear(counts)
		f.length[i] = x.countAnswer(entries[i].Answer, counts)
		total += f.length[i]
		for _, key := range x.order {
			t, ok := f.terms[key]
			if !ok {
				t = uint32(len(collected))
				f.terms[key] = t
				collected = append(collected, answerTerm{})
			}
			c := &collected[t]
			n := binary.PutUvarint(buf[:], uint64(uint32(i)-c.last))
			buf[n] = uint8(min(counts[key], 255))
			c.data = append(c.data, buf[:n+1]...)
			c.last = uint32(i)
			c.df++
		}
	}
	average := total / float32(max(len(entries), 1))
	for i, n := range f.length {
		f.length[i] = answerK1 * (1 - answerB + answerB*n/max(average, 1))
	}
	f.pack(collected)
	return f
}

// pack copies the postings into one block.
func (f *answerField) pack(collected []answerTerm) {
	size := 0
	for i := range collected {
		size += len(collected[i].data)
	}
	f.data = make([]byte, 0, size)
	f.start = make([]uint32, 1, len(collected)+1)
	f.df = make([]uint32, len(collected))
	for i := range collected {
		f.data = append(f.data, collected[i].data...)
		collected[i].data = nil
		f.start = append(f.start, uint32(len(f.data)))
		f.df[i] = collected[i].df
	}
}

// countAnswer counts the features of an answer into counts, leaves the distinct keys in x.order in order of appearance, and returns the
// length: words, and Han runes at half a word each.
func (x *extractor) countAnswer(answer string, counts map[uint64]uint32) float32 {
	x.order = x.order[:0]
	add := func(key uint64) {
		if counts[key]++; counts[key] == 1 {
			x.order = append(x.order, key)
		}
	}
	x.run(answer, maxIndexedUnits)
	x.keys = x.keys[:0]
	var length float32
	for i, u := range x.units {
		key := hashBytes(fnvOffset, x.text[u.start:u.end])
		x.keys = append(x.keys, key)
		add(key)
		if u.kind == unitHan {
			length += 0.5
		} else {
			length++
		}
		if i > 0 && u.joined && (x.units[i-1].kind == unitHan) == (u.kind == unitHan) {
			add(hashBytes(x.keys[i-1], x.text[u.start:u.end]))
		}
	}
	x.features = x.synonyms.appendGroups(x.features[:0], x.keys)
	for _, ft := range x.features {
		add(ft.key)
	}
	return length
}

// accumulate adds the score of a query term with the given weight to the entries that hold the term. factor holds each entry's own factor.
func (f *answerField) accumulate(t uint32, weight float32, factor, scores []float32) {
	w := weight * f.idf(t) * (answerK1 + 1)
	data := f.data[f.start[t]:f.start[t+1]]
	var e uint32
	for i := 0; i < len(data); {
		gap := uint32(data[i])
		i++
		if gap >= 0x80 {
			gap &= 0x7f
			for shift := 7; ; shift += 7 {
				b := data[i]
				i++
				gap |= uint32(b&0x7f) << shift
				if b < 0x80 {
					break
				}
			}
		}
		e += gap
		n := float32(data[i])
		i++
		scores[e] += factor[e] * w * n / (n + f.length[e])
	}
}

// idf returns the inverse document frequency of term t.
func (f *answerField) idf(t uint32) float32 {
	return idf(f.entries, int(f.df[t]))
}

// holds reports whether entry e holds term t.
func (f *answerField) holds(t, e uint32) bool {
	data := f.data[f.start[t]:f.start[t+1]]
	var at uint32
	for i := 0; i < len(data); {
		gap, n := binary.Uvarint(data[i:])
		at += uint32(gap)
		if at >= e {
			return at == e
		}
		i += n + 1
	}
	return false
}
