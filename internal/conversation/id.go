package conversation

import (
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
)

// MaxTokenLength is the greatest length of an identifier that stands in a subject.
const MaxTokenLength = 64

// ID is the identifier of a conversation or an event: a ULID in its canonical form, 26 characters.
// Conversations' ids are shown to customers, so they must not be guessable.
type ID string

// NewID makes an identifier whose order follows at. The random part comes from the system's secure
// source and not from a seeded generator: two pods started in the same instant must not agree.
func NewID(at time.Time) ID {
	return ID(ulid.MustNew(ulid.Timestamp(at), rand.Reader).String())
}

// ParseID checks that s is an identifier in canonical form.
func ParseID(s string) (ID, error) {
	id, err := ulid.ParseStrict(s)
	if err != nil {
		return "", fmt.Errorf("id %q is not a ULID (26 characters of Crockford's base 32): %w", clip(s), err)
	}
	if id.String() != s {
		return "", fmt.Errorf("id %q is not in canonical form: write %s", s, id)
	}
	return ID(s), nil
}

// IsToken says whether s may stand in a subject: 1 to [MaxTokenLength] characters of A-Z, a-z, 0-9, "_" and "-".
func IsToken(s string) bool {
	if s == "" || len(s) > MaxTokenLength {
		return false
	}
	for i := range len(s) {
		if !isTokenByte(s[i]) {
			return false
		}
	}
	return true
}

func isTokenByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-'
}

// clip shortens a refused value for a message.
func clip(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
