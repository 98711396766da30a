package bot

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/deskfleet/deskfleet/internal/bot/dialogue"
	"github.com/deskfleet/deskfleet/internal/knowledge"
	"github.com/deskfleet/deskfleet/internal/knowledge/protocol"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

// hitsWanted of one search.
const hitsWanted = 5

// Pauses between tries to reach the knowledge role.
const (
	lookupFirst = 50 * time.Millisecond
	lookupMost  = time.Second
)

// lookup searches the pool's knowledge bases for a question.
func (w *worker) lookup(ctx context.Context, bases []string, query, language string) dialogue.Findings {
	if len(bases) == 0 {
		return dialogue.Findings{} // a pool without knowledge hands every question off
	}
	ctx, cancel := context.WithTimeout(ctx, w.opts.LookupTimeout)
	defer cancel()
	for pause := lookupFirst; ; pause = min(2*pause, lookupMost) {
		hits, err := w.searchAll(ctx, bases, query, language)
		if err == nil {
			result := "found"
			if len(hits) == 0 {
				result = "nothing"
			}
			w.metrics.lookups.WithLabelValues(result).Inc()
			return dialogue.Findings{Hits: hits}
		}
		if !wait(ctx, pause) {
			w.metrics.lookups.WithLabelValues("failed").Inc()
			w.log.Warn("bot cannot search the knowledge bases", "knowledge_bases", bases, "error", err)
			return dialogue.Findings{Failed: true}
		}
	}
}

// searchAll asks for all bases at once, and for each one alone when one of them is what cannot be asked: a base
// that is not there yet must not take the others' answers away.
func (w *worker) searchAll(ctx context.Context, bases []string, query, language string) ([]dialogue.Hit, error) {
	hits, err := w.search(ctx, bases, query, language)
	if _, refused := errors.AsType[*protocol.Error](err); !refused || len(bases) == 1 {
		return hits, err
	}
	served := false
	for _, base := range bases {
		some, err := w.search(ctx, []string{base}, query, language)
		if err != nil {
			continue
		}
		served = true
		hits = append(hits, some...)
	}
	if !served {
		return nil, err
	}
	slices.SortStableFunc(hits, func(a, b dialogue.Hit) int { return cmp.Compare(b.Confidence, a.Confidence) })
	return hits[:min(len(hits), hitsWanted)], nil
}

func (w *worker) search(ctx context.Context, bases []string, query, language string) ([]dialogue.Hit, error) {
	found, err := protocol.Search(ctx, w.conn, w.subjects, protocol.Request{
		Query: query, Language: language, KnowledgeBases: bases, K: hitsWanted,
	})
	if err != nil {
		return nil, err
	}
	hits := make([]dialogue.Hit, 0, len(found))
	for i := range found {
		h := &found[i]
		if h.Language == "" {
			h.Language = knowledge.DetectLanguage(h.Answer)
		}
		hits = append(hits, dialogue.Hit{
			KnowledgeBase: h.KnowledgeBase, ID: h.ID, Question: h.Question, Answer: h.Answer, Language: h.Language, Confidence: h.Confidence,
		})
	}
	return hits, nil
}

// plan is what the configuration says about a turn.
type plan struct {
	settings dialogue.Settings
	bases    []string
}

// planOf the pool as the document has it now. A pool that is no longer there answers nothing and hands off.
func planOf(doc *runtimeconfig.Document, pool string) plan {
	p := plan{settings: dialogue.Settings{Languages: doc.Languages, MinConfidence: 1}}
	i := slices.IndexFunc(doc.Pools, func(o runtimeconfig.Pool) bool { return o.Name == pool })
	if i < 0 || doc.Pools[i].Bot == nil {
		return p
	}
	b := doc.Pools[i].Bot
	p.settings.MinConfidence, p.settings.Greeting = b.MinConfidence, b.Greeting
	for _, name := range b.KnowledgeBases {
		// The document lists what the knowledge role serves; the pool may name one that is not ready.
		if slices.ContainsFunc(doc.Knowledge, func(k runtimeconfig.KnowledgeBase) bool { return k.Name == name }) {
			p.bases = append(p.bases, name)
		}
	}
	return p
}

// wait returns false when ctx ended first.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
