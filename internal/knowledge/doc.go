// Package knowledge holds what the bot knows and finds it again: entries (question variants, one answer), their strict parser, an immutable
// in-memory index over Chinese, English and mixed text, and a confidence that is meant as a probability.
//
// The package is pure: no clock, no I/O, no goroutines. The role knowledge reads the sources and swaps indexes; the bot decides what a
// confidence is good for.
//
// # How a query is answered
//
// Analysis ([analyser]) folds text to one form (full-width, case, accents, traditional Han), cuts it into words, numbers and single Han
// runes, and stems English. Features are words, pairs of neighbours (Han pairs carry Chinese; "wi fi" and "wifi" meet in one pair), single
// Han runes at a low weight, character trigrams of words (typos), and synonym groups.
//
// Scoring is BM25 over entries, not over single variants: the variants of an entry form one document, whose term frequency counts the
// variants that hold the term. Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009) is the source of the
// formula. Where a base has several variants an entry, term weights and small term-entry corrections are learned from it by ranking each
// variant against the base without it (train.go). The answer text is a second, weaker field. The best few entries are then compared with
// the query variant by variant, which names the variant that matched and feeds the confidence.
//
// Confidence is a logistic model over a handful of features of the result (calibrate.go). It starts from coefficients fitted on public
// question sets of several domains, and moves towards the base's own leave-one-out results the more variants it has.
//
// # Why not bleve
//
// Bleve was the default choice; an index of our own was allowed only where it clearly wins on quality, speed and memory on the same data.
// It does: entry-level scoring with learned weights has no place in bleve's per-document scoring, and leave-one-out calibration needs to score
// a query as if one variant were absent, which an inverted index behind an interface cannot do without re-indexing.
package knowledge
