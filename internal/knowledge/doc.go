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
// For English the candidates are ordered anew with what words mean (meaning.go): "my money back" is close to "refund" without a letter in common.
//
// Confidence is a logistic model over a handful of features of the result (calibrate.go). It starts from coefficients fitted on public
// question sets of several domains, and moves towards the base's own leave-one-out results the more variants it has.
//
// # Why not bleve
//
// Bleve was the default choice; an index of our own was allowed only where it clearly wins on the same data. It does. Against bleve 2.6.0 with
// BM25 and its default analyser, one document an entry, the first hit is right 8 to 10 points more often on three intent sets with ten
// variants, 8 points on question pairs, 11 on two sets of Chinese passages (2 and 1 where bleve has its CJK analyser), and 2 on short Chinese
// questions; indexing passages takes a tenth of the time and memory. What makes the difference has no place behind bleve's interface: one
// document of many variants with term weights learned from them, and scoring a variant as if it were absent, which the confidence needs.
package knowledge
