package knowledge

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of an entry. Lengths count runes.
const (
	MaxQuestions      = 50   // question variants of an entry
	MaxQuestionLength = 500  // of one variant
	MaxAnswerLength   = 8000 // of the answer
	MaxLabels         = 16   // labels of an entry
	MaxLabelLength    = 63   // of one label
)

var (
	idPattern       = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)
	languagePattern = regexp.MustCompile(`^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$`)
)

// Entry is one piece of knowledge: the ways customers ask for it, and the answer.
type Entry struct {
	// ID names the entry within the knowledge base; answers cite it. It matches ^[a-z0-9][a-z0-9._-]{0,62}$.
	ID string `json:"id" yaml:"id"`
	// Questions are variants of the question, 1 to MaxQuestions. The first is the one to show. Several variants make answers better and
	// their confidence truer.
	Questions []string `json:"questions" yaml:"questions"`
	// Answer is what the customer reads, in Markdown.
	Answer string `json:"answer" yaml:"answer"`
	// Language is the BCP 47 tag of questions and answer, such as "en" or "zh-Hant". Empty: detected.
	Language string `json:"language,omitempty" yaml:"language,omitempty"`
	// Labels are free topics, up to MaxLabels.
	Labels []string `json:"labels,omitempty" yaml:"labels,omitempty"`
	// Origin tells where the entry was read, as file:line, for messages. It is no part of the content.
	Origin string `json:"-" yaml:"-"`
}

// Validate reports every bound that the entry breaks, each with field, value and remedy.
func (e *Entry) Validate() error {
	var errs []error
	if !idPattern.MatchString(e.ID) {
		errs = append(errs, fieldError("id", e.ID, "use 1 to 63 of a-z, 0-9, '.', '_' and '-', beginning with a letter or digit"))
	}
	if n := len(e.Questions); n < 1 || n > MaxQuestions {
		errs = append(errs, fmt.Errorf("questions has %d items: give 1 to %d variants of the question", n, MaxQuestions))
	}
	for i, q := range e.Questions {
		errs = append(errs, checkQuestion(fmt.Sprintf("questions[%d]", i), q))
	}
	errs = append(errs, checkText("answer", e.Answer, MaxAnswerLength))
	if e.Language != "" && !languagePattern.MatchString(e.Language) {
		errs = append(errs, fieldError("language", e.Language, `write a language tag such as "en" or "zh-Hant", or leave it out to have it detected`))
	}
	if n := len(e.Labels); n > MaxLabels {
		errs = append(errs, fmt.Errorf("labels has %d items: keep at most %d", n, MaxLabels))
	}
	for i, l := range e.Labels {
		errs = append(errs, checkText(fmt.Sprintf("labels[%d]", i), l, MaxLabelLength))
	}
	return errors.Join(errs...)
}

func checkQuestion(field, q string) error {
	if err := checkText(field, q, MaxQuestionLength); err != nil {
		return err
	}
	if strings.IndexFunc(q, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) < 0 {
		return fieldError(field, q, "a question without a letter or digit is never found: write words")
	}
	return nil
}

func checkText(field, text string, limit int) error {
	switch n := utf8.RuneCountInString(text); {
	case !utf8.ValidString(text):
		return fieldError(field, text, "save the text as UTF-8")
	case strings.TrimSpace(text) == "":
		return fmt.Errorf("%s is empty: write 1 to %d characters", field, limit)
	case n > limit:
		return fieldError(field, text, fmt.Sprintf("it has %d characters: shorten it to at most %d", n, limit))
	}
	if i := strings.IndexFunc(text, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' && r != '\r' }); i >= 0 {
		r, _ := utf8.DecodeRuneInString(text[i:])
		return fieldError(field, text, fmt.Sprintf("it holds the control character %U: remove it", r))
	}
	return nil
}

// fieldError names field, value (cut short) and remedy.
func fieldError(field, value, remedy string) error {
	const shown = 60
	if utf8.RuneCountInString(value) > shown {
		value = string([]rune(value)[:shown]) + "…"
	}
	return fmt.Errorf("%s %q: %s", field, value, remedy)
}

// Merge joins the entries of several sources. An id may occur once over all of them; the error names both places of each that does not.
func Merge(sources ...[]Entry) ([]Entry, error) {
	var merged []Entry
	var errs []error
	seen := map[string]string{}
	for _, entries := range sources {
		for _, e := range entries {
			if first, ok := seen[e.ID]; ok {
				errs = append(errs, fmt.Errorf("id %q stands at %s and again at %s: rename or remove one of them", e.ID, first, place(e.Origin)))
				continue
			}
			seen[e.ID] = place(e.Origin)
			merged = append(merged, e)
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return merged, nil
}

func place(origin string) string {
	if origin == "" {
		return "an unnamed source"
	}
	return origin
}

// Revision returns a hash of the content of the entries as 32 hexadecimal digits. It does not depend on their order nor on where they were
// read, so that two replicas, or a restart, agree on whether they serve the same.
func Revision(entries []Entry) string {
	sums := make([][]byte, 0, len(entries))
	for i := range entries {
		e := &entries[i]
		h := sha256.New()
		writeStrings(h, e.ID, e.Answer, e.Language)
		writeStrings(h, e.Questions...)
		writeStrings(h, e.Labels...)
		sums = append(sums, h.Sum(nil))
	}
	slices.SortFunc(sums, slices.Compare)
	all := sha256.New()
	for _, s := range sums {
		all.Write(s)
	}
	return hex.EncodeToString(all.Sum(nil)[:16])
}

// writeStrings writes the count and each string behind its length, so that no two lists write the same bytes.
func writeStrings(h hash.Hash, ss ...string) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(len(ss)))
	h.Write(b[:])
	for _, s := range ss {
		binary.BigEndian.PutUint64(b[:], uint64(len(s)))
		h.Write(b[:])
		h.Write([]byte(s))
	}
}
