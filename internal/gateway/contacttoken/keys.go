package contacttoken

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Files of the signing keys in the secrets folder.
const (
	FileCurrent = "contact-token.key"
	// FileNext is accepted while it exists. To rotate, write a new key here; when all gateways have it, move
	// FileCurrent to FilePrevious and this file to FileCurrent: tokens are signed with a key only after every
	// gateway accepts it. The operator does so by itself.
	FileNext = "contact-token.next.key"
	// FilePrevious is accepted while it exists. It can go [Validity] after the rotation.
	FilePrevious = "contact-token.previous.key"
)

// Keys of tokens. Current signs, all are accepted. Next and Previous may be missing.
type Keys struct{ Current, Next, Previous []byte }

// Folder reads the keys from a mounted folder and reads them again when they may have changed.
type Folder struct {
	dir   string
	every time.Duration

	mu   sync.Mutex
	keys Keys
	err  error
	at   time.Time
}

// NewFolder reads at most once in the given time.
func NewFolder(dir string, every time.Duration) *Folder { return &Folder{dir: dir, every: every} }

// Keys gives the keys as of now. The error says which file is missing or wrong and what to do; the keys
// of the last good reading are given as long as the file exists but is wrong, so that a mistake in a
// rotation does not sign everybody off.
func (f *Folder) Keys(now time.Time) (Keys, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.at.IsZero() && now.Sub(f.at) < f.every {
		return f.keys, f.err
	}
	f.at = now
	keys, err := f.read()
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		f.keys = keys
	}
	f.err = err
	return f.keys, f.err
}

func (f *Folder) read() (Keys, error) {
	// In this order: whatever moves on between two readings, from next to current to previous, is read at least
	// once.
	var keys Keys
	for _, k := range []struct {
		name     string
		into     *[]byte
		required bool
	}{{FileNext, &keys.Next, false}, {FileCurrent, &keys.Current, true}, {FilePrevious, &keys.Previous, false}} {
		key, err := f.readKey(k.name)
		if err != nil && (k.required || !errors.Is(err, fs.ErrNotExist)) {
			return Keys{}, err
		}
		*k.into = key
	}
	return keys, nil
}

func (f *Folder) readKey(name string) ([]byte, error) {
	file := filepath.Join(f.dir, name)
	key, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("key of the contact tokens: %w: mount the Secret that holds %s", err, name)
	}
	if len(key) != KeySize {
		return nil, fmt.Errorf("key of the contact tokens: %s has %d bytes: write %d random bytes", file, len(key), KeySize)
	}
	if bytes.Equal(key, make([]byte, KeySize)) {
		return nil, fmt.Errorf("key of the contact tokens: %s holds zeros only: write %d random bytes", file, KeySize)
	}
	return key, nil
}
