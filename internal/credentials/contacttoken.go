package credentials

import (
	"bytes"
	"crypto/rand"
	"maps"
	"time"
)

// Files of the keys that sign customers' tokens besides FileContactTokenKey. A token that was issued before a
// rotation must be good after it, and gateways do not see a changed Secret at the same moment: the new key is
// accepted everywhere before the first gateway signs with it, and the former one afterwards.
const (
	// FileContactTokenNext is the key that is about to sign, accepted already.
	FileContactTokenNext = "contact-token.next.key"
	// FileContactTokenPrevious is the key that signed before, accepted still.
	FileContactTokenPrevious = "contact-token.previous.key"
	// FileContactTokenDue is when the next step of the rotation is due, in RFC 3339.
	FileContactTokenDue = "contact-token.due"
)

const (
	// contactTokenLife is how long a key signs. It must be longer than a token is valid, 30 days: only one former
	// key is kept.
	contactTokenLife = 90 * 24 * time.Hour
	// contactTokenNotice is how long a key is accepted before it signs: the kubelet takes a minute or two to bring
	// a changed Secret to a pod, and longer when its node has trouble.
	contactTokenNotice = time.Hour
)

// contactTokenKeyBytes is the length of the key of an HMAC with SHA-256, the one that gateways take.
const contactTokenKeyBytes = 32

// isContactTokenKey refuses what gateways refuse: a key that was cut short could be guessed.
func isContactTokenKey(key []byte) bool {
	return len(key) == contactTokenKeyBytes && !bytes.Equal(key, make([]byte, contactTokenKeyBytes))
}

func newContactTokenKey() []byte {
	key := make([]byte, contactTokenKeyBytes)
	_, _ = rand.Read(key) // never fails: crypto/rand ends the program when the system has no randomness
	return key
}

// contactTokenKeys puts the keys into content, rotated where that is due, and reports whether they differ from
// what exists.
func (r *Result) contactTokenKeys(existing, content map[string][]byte, now time.Time) (changed bool) {
	keys := map[string][]byte{}
	for _, file := range []string{FileContactTokenKey, FileContactTokenNext, FileContactTokenPrevious} {
		if isContactTokenKey(existing[file]) {
			keys[file] = existing[file]
		}
	}
	due := rotate(keys, string(existing[FileContactTokenDue]), now)
	keys[FileContactTokenDue] = []byte(due.Format(time.RFC3339))
	for _, file := range []string{FileContactTokenKey, FileContactTokenNext, FileContactTokenPrevious, FileContactTokenDue} {
		_, is := keys[file]
		_, was := existing[file]
		changed = changed || is != was || !bytes.Equal(keys[file], existing[file])
	}
	maps.Copy(content, keys)
	r.renewBy(due)
	return changed
}

// rotate takes the step that is due and returns when the next one is.
func rotate(keys map[string][]byte, written string, now time.Time) time.Time {
	step := func(after time.Duration) time.Time { return now.Add(after).UTC().Truncate(time.Second) }
	due, err := time.Parse(time.RFC3339, written)
	next := keys[FileContactTokenNext]
	switch {
	case keys[FileContactTokenKey] == nil:
		// Nobody can sign: the new key signs at once, announced or not.
		keys[FileContactTokenKey] = newContactTokenKey()
		delete(keys, FileContactTokenNext)
		return step(contactTokenLife)
	case err != nil, due.After(now.Add(contactTokenLife)):
		// A Secret of a release that did not rotate, or a clock that was wrong: count from now.
		if next != nil {
			return step(contactTokenNotice)
		}
		return step(contactTokenLife)
	case now.Before(due):
		return due.UTC()
	case next == nil:
		keys[FileContactTokenNext] = newContactTokenKey()
		return step(contactTokenNotice)
	default:
		keys[FileContactTokenPrevious], keys[FileContactTokenKey] = keys[FileContactTokenKey], next
		delete(keys, FileContactTokenNext)
		return step(contactTokenLife)
	}
}
