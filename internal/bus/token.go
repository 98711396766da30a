package bus

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"strings"
)

// MaxID is the longest conversation, agent or contact id in bytes. Subjects
// live in the memory of the server, so an id must not grow without bound.
const MaxID = 128

// contactHash marks a contact token that is a hash. A raw id that begins with
// it is hashed as well, so that no raw id can pose as the hash of another.
const contactHash = "_"

// escapeToken maps any id to one subject token of [A-Za-z0-9_-]: letters,
// digits and "-" stand for themselves, every other byte is "_" and two
// hexadecimal digits. Different ids give different tokens.
func escapeToken(id string) string {
	var b strings.Builder
	b.Grow(len(id))
	for i := range len(id) {
		if c := id[i]; plain(c) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "_%02x", c)
		}
	}
	return b.String()
}

// unescapeToken is the inverse of escapeToken. It refuses every token that
// escapeToken does not make, so that one id has exactly one subject.
func unescapeToken(token string) (string, error) {
	var b strings.Builder
	b.Grow(len(token))
	for i := 0; i < len(token); i++ {
		if token[i] != '_' {
			b.WriteByte(token[i])
			continue
		}
		if i+2 >= len(token) {
			return "", fmt.Errorf("token %q ends inside an escape", token)
		}
		raw, err := hex.DecodeString(token[i+1 : i+3])
		if err != nil {
			return "", fmt.Errorf("token %q has a bad escape: %w", token, err)
		}
		b.Write(raw)
		i += 2
	}
	id := b.String()
	if escapeToken(id) != token {
		return "", fmt.Errorf("token %q is not in its only form %q", token, escapeToken(id))
	}
	return id, nil
}

// ContactToken is the subject token of a contact's raw id on a channel. A raw
// id that is plain stands for itself; any other, such as an e-mail address, is
// replaced by a hash, because subjects appear in logs and metrics.
func ContactToken(raw string) string {
	if safe(raw) && len(raw) <= 64 && !strings.HasPrefix(raw, contactHash) {
		return raw
	}
	sum := sha256.Sum256([]byte(raw))
	return contactHash + strings.ToLower(base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:]))
}

func plain(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-'
}

// safe says whether s is one subject token as it stands.
func safe(s string) bool {
	for i := range len(s) {
		if !plain(s[i]) && s[i] != '_' {
			return false
		}
	}
	return s != ""
}
