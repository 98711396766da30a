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
	// FilePrevious is accepted too while it exists: to rotate, move the key here, write a new one, and
	// delete this file after [Validity].
	FilePrevious = "contact-token.previous.key"
)

// Keys sign tokens. Previous may be missing.
type Keys struct{ Current, Previous []byte }

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
	current, err := f.readKey(FileCurrent)
	if err != nil {
		return Keys{}, err
	}
	previous, err := f.readKey(FilePrevious)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Keys{}, err
	}
	return Keys{Current: current, Previous: previous}, nil
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
