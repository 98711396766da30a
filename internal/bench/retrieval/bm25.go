package retrieval

import (
	"errors"
	"fmt"
	"strings"

	"github.com/blevesearch/bleve/v2"
	index "github.com/blevesearch/bleve_index_api"

	"github.com/deskfleet/deskfleet/internal/knowledge"
)

// bm25 is the peer: bleve with its defaults but for BM25 in the place of TF-IDF, one document an entry with all its
// variants and the answer.
func bm25(entries []knowledge.Entry, queries []Query) (_ *Figures, err error) {
	mapping := bleve.NewIndexMapping()
	mapping.ScoringModel = index.BM25Scoring
	var ix bleve.Index
	defer func() {
		if ix != nil {
			err = errors.Join(err, ix.Close())
		}
	}()
	seconds, heap, err := build(func() (err error) {
		if ix, err = bleve.NewMemOnly(mapping); err != nil {
			return err
		}
		return fill(ix, entries)
	})
	if err != nil {
		return nil, fmt.Errorf("bm25: %w", err)
	}
	highest := 0.0
	f, outcomes, err := score(queries, 0, func(text string) (ranked, error) {
		request := bleve.NewSearchRequestOptions(bleve.NewMatchQuery(text), depth, 0, false)
		result, err := ix.Search(request)
		if err != nil {
			return ranked{}, fmt.Errorf("bm25: %w", err)
		}
		found := ranked{ids: make([]string, 0, len(result.Hits))}
		for _, hit := range result.Hits {
			found.ids = append(found.ids, hit.ID)
		}
		if len(result.Hits) > 0 {
			found.confidence = result.Hits[0].Score
			highest = max(highest, found.confidence)
		}
		return found, nil
	})
	if err != nil {
		return nil, err
	}
	for i := range outcomes {
		outcomes[i].confidence /= max(highest, 1e-9)
	}
	_, threshold := bestThreshold(outcomes, 0.9)
	f.judge(outcomes, threshold)
	f.IndexSeconds, f.HeapMiB = seconds, heap
	return f, nil
}

func fill(ix bleve.Index, entries []knowledge.Entry) error {
	const most = 500 // documents of a batch
	batch := ix.NewBatch()
	for i := range entries {
		e := &entries[i]
		text := strings.Join(append(append([]string{}, e.Questions...), e.Answer), "\n")
		if err := batch.Index(e.ID, map[string]string{"text": text}); err != nil {
			return err
		}
		if batch.Size() < most && i+1 < len(entries) {
			continue
		}
		if err := ix.Batch(batch); err != nil {
			return err
		}
		batch.Reset()
	}
	return nil
}
