package server

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/deskfleet/deskfleet/internal/knowledge"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

// maxUnzipped bounds what a base may unzip to: a file of a few megabytes must not fill the memory.
const maxUnzipped = 256 << 20

// base is one knowledge base as it is served.
type base struct {
	revision string
	// languages of the desk that the index was compiled for.
	languages string
	index     *knowledge.Index
}

// library holds the bases that are served. It is swapped base by base: one that
// is broken keeps serving what it had.
type library struct {
	folder string

	mu    sync.RWMutex
	bases map[string]base
	// wanted are the revisions of the document; what differs from bases is not served yet.
	wanted map[string]string
	// failures say why, by base.
	failures map[string]error
	// tried are the fingerprints of what failed: the same files fail again, and compiling them each second
	// would take the time that searches need.
	tried map[string]string
}

func newLibrary(folder string) *library {
	return &library{folder: folder, bases: map[string]base{}, failures: map[string]error{}, tried: map[string]string{}}
}

// get a base; known says whether the document names it.
func (l *library) get(name string) (b base, served, known bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	b, served = l.bases[name]
	_, known = l.wanted[name]
	return b, served, known
}

// update loads what the document wants and is not served yet. It is slow for a
// changed base and cheap otherwise, and searches go on meanwhile.
func (l *library) update(document *runtimeconfig.Document) (changed []string) {
	wanted := map[string]string{}
	for i := range document.Knowledge {
		wanted[document.Knowledge[i].Name] = document.Knowledge[i].Revision
	}
	l.mu.Lock()
	l.wanted = wanted
	for name := range l.bases {
		if _, still := wanted[name]; !still {
			delete(l.bases, name)
			changed = append(changed, name)
		}
	}
	gone := func(name string) bool { _, still := wanted[name]; return !still }
	maps.DeleteFunc(l.failures, func(name string, _ error) bool { return gone(name) })
	maps.DeleteFunc(l.tried, func(name, _ string) bool { return gone(name) })
	l.mu.Unlock()
	languages := strings.Join(document.Languages, ",")
	for i := range document.Knowledge {
		w := &document.Knowledge[i]
		now, served, _ := l.get(w.Name)
		fingerprint := l.fingerprint(w, languages)
		if served && now.revision == w.Revision && now.languages == languages || l.tried[w.Name] == fingerprint {
			continue
		}
		index, err := l.load(w, document.Languages)
		l.mu.Lock()
		if err != nil {
			l.failures[w.Name], l.tried[w.Name] = err, fingerprint
		} else {
			l.bases[w.Name] = base{revision: w.Revision, languages: languages, index: index}
			delete(l.failures, w.Name)
			delete(l.tried, w.Name)
			changed = append(changed, w.Name)
		}
		l.mu.Unlock()
	}
	return changed
}

// fingerprint changes whenever what a base is loaded from does.
func (l *library) fingerprint(w *runtimeconfig.KnowledgeBase, languages string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", w.Revision, languages)
	for _, part := range w.Parts {
		fmt.Fprintf(&b, "\n%s %s ", part.Path, part.SHA256)
		if info, err := os.Stat(filepath.Join(l.folder, part.Path)); err == nil {
			fmt.Fprintf(&b, "%d %d", info.Size(), info.ModTime().UnixNano())
		}
	}
	return b.String()
}

// load reads the parts of a base. They arrive one after the other in ConfigMaps
// that are updated on their own: until all match, nothing is swapped.
func (l *library) load(w *runtimeconfig.KnowledgeBase, languages []string) (*knowledge.Index, error) {
	var zipped bytes.Buffer
	for _, part := range w.Parts {
		if !filepath.IsLocal(part.Path) {
			return nil, fmt.Errorf("knowledge base %s: part %q is no file of the knowledge folder", w.Name, part.Path)
		}
		data, err := os.ReadFile(filepath.Join(l.folder, part.Path))
		if err != nil {
			return nil, fmt.Errorf("knowledge base %s, revision %s: %w", w.Name, w.Revision, err)
		}
		if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != part.SHA256 {
			return nil, fmt.Errorf("knowledge base %s: %s is not of revision %s yet", w.Name, part.Path, w.Revision)
		}
		zipped.Write(data)
	}
	entries, err := unzip(&zipped)
	if err != nil {
		return nil, fmt.Errorf("knowledge base %s, revision %s: %w", w.Name, w.Revision, err)
	}
	index, err := knowledge.Compile(entries, knowledge.Options{Languages: languages})
	if err != nil {
		return nil, fmt.Errorf("knowledge base %s, revision %s: %w", w.Name, w.Revision, err)
	}
	return index, nil
}

func unzip(zipped io.Reader) ([]knowledge.Entry, error) {
	reader, err := gzip.NewReader(zipped)
	if err != nil {
		return nil, fmt.Errorf("unzip: %w", err)
	}
	limited := &io.LimitedReader{R: reader, N: maxUnzipped}
	var entries []knowledge.Entry
	if err := json.NewDecoder(limited).Decode(&entries); err != nil {
		if limited.N <= 0 {
			return nil, fmt.Errorf("it unzips to more than %d MiB", maxUnzipped>>20)
		}
		return nil, fmt.Errorf("decode entries: %w", err)
	}
	return entries, nil
}

// complete is nil when every base of the document is served in its revision.
func (l *library) complete() error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	var errs []error
	for name, revision := range l.wanted {
		if l.bases[name].revision == revision {
			continue
		}
		if err := l.failures[name]; err != nil {
			errs = append(errs, err)
		} else {
			errs = append(errs, fmt.Errorf("knowledge base %s, revision %s, is not loaded yet", name, revision))
		}
	}
	return errors.Join(errs...)
}

// missing is nil when every base of the document is served in some revision.
func (l *library) missing() error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	var errs []error
	for name := range l.wanted {
		if _, served := l.bases[name]; !served {
			errs = append(errs, fmt.Errorf("knowledge base %s is not served yet: %w", name, l.failures[name]))
		}
	}
	return errors.Join(errs...)
}
