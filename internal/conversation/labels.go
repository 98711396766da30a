package conversation

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Bounds of what people call a conversation. Reports and searches have one line for each word: they must stay few
// and readable.
const (
	// MaxTags of one conversation.
	MaxTags = 20
	// MaxLabelRunes of a tag and of a disposition, in characters.
	MaxLabelRunes = 32
)

// TagComplaint is the tag that counts a conversation as a complaint in reports.
const TagComplaint = "complaint"

// Tagged replaces the tags of a conversation, by whoever may: the same tags again change nothing.
type Tagged struct {
	By Actor `json:"by"`
	// Tags in alphabetical order, each once; empty takes all away.
	Tags []string `json:"tags"`
}

// Bounds of a rating.
const (
	MinScore = 1
	MaxScore = 5
)

// Rating is what the customer says of a conversation that has ended.
type Rating struct {
	// Score from MinScore (bad) to MaxScore (good).
	Score   int    `json:"score"`
	Comment string `json:"comment,omitempty"`
}

// Rated is stored on .msg by the gateway. The last one of a conversation counts.
type Rated struct {
	// By is the contact.
	By Actor `json:"by"`
	Rating
}

// EventType implements Body.
func (*Tagged) EventType() Type { return TypeTagged }

// EventType implements Body.
func (*Rated) EventType() Type { return TypeRated }

// Validate implements Body.
func (t *Tagged) Validate() error { return firstError(t.By.validate("by"), CheckTags(t.Tags)) }

// Validate implements Body.
func (r *Rated) Validate() error { return firstError(r.By.validate("by"), r.Rating.Validate()) }

// Validate refuses a rating out of bounds with a *FieldError.
func (r *Rating) Validate() error {
	if r.Score < MinScore || r.Score > MaxScore {
		return fieldError("score", fmt.Sprint(r.Score), fmt.Sprintf("use %d (bad) to %d (good)", MinScore, MaxScore))
	}
	return checkText("comment", r.Comment, MaxWhyBytes)
}

// CheckTags refuses tags that are too many, twice there or no words, with a *FieldError.
func CheckTags(tags []string) error {
	if len(tags) > MaxTags {
		return fieldError("tags", fmt.Sprint(len(tags), " tags"), fmt.Sprintf("use at most %d", MaxTags))
	}
	for i, tag := range tags {
		if err := checkLabel("tags", tag); err != nil {
			return err
		}
		if slices.Contains(tags[:i], tag) {
			return fieldError("tags", tag, "give each tag once")
		}
	}
	return nil
}

// CheckDisposition refuses a disposition that is no word, with a *FieldError. Empty stands for none.
func CheckDisposition(disposition string) error {
	if disposition == "" {
		return nil
	}
	return checkLabel("disposition", disposition)
}

const labelRemedy = "use 1 to 32 letters, digits, - and _ of any script, without blanks"

func checkLabel(field, label string) error {
	n := utf8.RuneCountInString(label)
	strange := func(r rune) bool {
		return r == unicode.ReplacementChar || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.Is(unicode.M, r) && r != '-' && r != '_'
	}
	if n == 0 || n > MaxLabelRunes || strings.ContainsFunc(label, strange) {
		return fieldError(field, label, labelRemedy)
	}
	return nil
}

// clearLabels forgets what ended with the conversation that is opened again. Its tags stay: they tell what it is about.
func (s *State) clearLabels() {
	s.LeftAt, s.Disposition, s.HandOff, s.Overflow, s.FollowUp = time.Time{}, "", nil, false, false
	s.CallbackOffered, s.PlaceKept, s.BotsFrom = false, Arrival{}, 0
	s.MergedInto, s.Promised = "", false
}
