package knowledge

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
)

const (
	defaultTopK = 5
	maxTopK     = 50
)

// Options tune Compile. The zero value is good.
type Options struct {
	// Languages are the tags of the languages the desk offers, such as "zh-Hans" and "en". An entry without a language gets the detected one
	// only if it is among them. Empty: any.
	Languages []string
	// Synonyms are groups of words or phrases that mean the same to this business, in any language.
	Synonyms [][]string
	// TopK is the number of hits that Search returns when asked for none, 1 to 50. Zero: 5.
	TopK int
}

// Index finds entries. It is immutable: Search is safe for concurrent use.
type Index struct {
	entries      []Entry  // by id
	language     []string // by entry: primary tag, empty where unknown
	synonyms     *synonyms
	questions    *questionField
	answers      *answerField
	answerFactor []float32 // by entry
	topK         int
	calibration  calibration
	revision     string
	scratch      sync.Pool
}

// Hit is an entry found for a query.
type Hit struct {
	// Entry is the entry. It belongs to the index: do not change it.
	Entry *Entry
	// Question is the variant closest to the query; empty for an entry without variants.
	Question string
	// Score orders the hits of one query. Scores of different queries do not compare.
	Score float64
	// Confidence, 0 to 1, is for the first hit the probability that the entry answers the query. For the others it is a rough share of the rest.
	Confidence float64
}

// Compile builds the index. The order of entries does not matter. Entries need an id that no other has, and a question or an answer with a
// letter or digit; the other bounds of an entry are ParseEntries' business, because passages without questions can be searched too.
func Compile(entries []Entry, opts Options) (*Index, error) {
	syn, err := newSynonyms(opts.Synonyms)
	if err != nil {
		return nil, err
	}
	if opts.TopK < 0 || opts.TopK > maxTopK {
		return nil, fmt.Errorf("topK %d: choose 1 to %d, or 0 for %d", opts.TopK, maxTopK, defaultTopK)
	}
	ix := &Index{entries: slices.Clone(entries), synonyms: syn, topK: opts.TopK, revision: Revision(entries)}
	if ix.topK == 0 {
		ix.topK = defaultTopK
	}
	slices.SortFunc(ix.entries, func(a, b Entry) int { return strings.Compare(a.ID, b.ID) })
	if err := ix.describe(opts.Languages); err != nil {
		return nil, err
	}
	x := &extractor{synonyms: syn}
	var stats *fieldStats
	ix.questions, stats = newQuestionField(x, ix.entries)
	ix.answers = newAnswerField(x, ix.entries)
	ix.answerFactor = make([]float32, len(ix.entries))
	for e := range ix.entries {
		ix.answerFactor[e] = 1
		if ix.questions.variants[e] < ix.questions.variants[e+1] {
			ix.answerFactor[e] = answerFactor
		}
	}
	ix.scratch.New = func() any { return new(scratch) }
	ix.learn(stats)
	return ix, nil
}

// describe checks the entries and notes their languages.
func (ix *Index) describe(languages []string) error {
	var errs []error
	ix.language = make([]string, len(ix.entries))
	for i := range ix.entries {
		e := &ix.entries[i]
		if i > 0 && ix.entries[i-1].ID == e.ID {
			errs = append(errs, fmt.Errorf("id %q stands at %s and again at %s: rename or remove one of them", e.ID, place(ix.entries[i-1].Origin), place(e.Origin)))
		}
		if e.ID == "" || strings.TrimSpace(e.Answer) == "" && len(e.Questions) == 0 {
			errs = append(errs, fmt.Errorf("entry %q at %s: give it an id, and a question or an answer", e.ID, place(e.Origin)))
		}
		if e.Language == "" {
			detected := DetectLanguage(strings.Join(e.Questions, "\n") + "\n" + e.Answer)
			if len(languages) == 0 || slices.ContainsFunc(languages, func(l string) bool { return primaryTag(l) == detected }) {
				e.Language = detected
			}
		}
		ix.language[i] = primaryTag(e.Language)
	}
	return errors.Join(errs...)
}

// primaryTag returns the language of a tag without script and region.
func primaryTag(tag string) string {
	primary, _, _ := strings.Cut(tag, "-")
	return strings.ToLower(primary)
}

// Len returns the number of entries.
func (ix *Index) Len() int { return len(ix.entries) }

// Revision returns the content hash of the entries that were compiled.
func (ix *Index) Revision() string { return ix.revision }

// Search returns at most k entries for the query, best first; k of zero or less means Options.TopK. language, a tag or empty, is the customer's:
// entries in another language rank behind equally good ones in it. A query that shares nothing with the base gives no hits.
func (ix *Index) Search(query, language string, k int) []Hit {
	if k <= 0 {
		k = ix.topK
	}
	k = min(k, maxTopK)
	s := ix.scratch.Get().(*scratch) //nolint:forcetypeassert // the pool makes nothing else
	defer ix.scratch.Put(s)
	s.query.prepare(ix, query, exclusion{})
	ix.score(s)
	ix.choose(s, primaryTag(language), k)
	if len(s.candidates) == 0 {
		return nil
	}
	hits := make([]Hit, min(k, len(s.candidates)))
	for i := range hits {
		c := &s.candidates[i]
		hits[i] = Hit{Entry: &ix.entries[c.entry], Score: float64(c.rank)}
		if c.variant != unknownTerm {
			hits[i].Question = ix.questions.vtext[c.variant]
		}
	}
	ix.calibration.apply(ix.signals(s), s.candidates, hits)
	return hits
}
