package server

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// What failed is not read and compiled again and again, but as soon as its files change.
func TestFailedBaseWaitsForItsFiles(t *testing.T) {
	folder := t.TempDir()
	want := write(t, folder, "faq", hours("x"))
	file := filepath.Join(folder, want.Parts[0].Path)
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	put := func(data []byte, at time.Time) {
		t.Helper()
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, at, at); err != nil {
			t.Fatal(err)
		}
	}
	begin := time.Now()
	broken := make([]byte, len(good))
	put(broken, begin)
	l, doc := newLibrary(folder), document(want)
	l.update(doc)
	if l.complete() == nil {
		t.Fatal("a broken base is served")
	}
	put(good, begin) // to the eye of the role nothing has changed
	if changed := l.update(doc); len(changed) != 0 {
		t.Errorf("%v was read again", changed)
	}
	put(good, begin.Add(time.Second))
	if changed := l.update(doc); len(changed) != 1 || l.complete() != nil {
		t.Errorf("changed %v, %v", changed, l.complete())
	}
	// Gone from the document, nothing of it is kept.
	if changed := l.update(document()); len(changed) != 1 || len(l.bases)+len(l.failures)+len(l.tried) != 0 {
		t.Errorf("changed %v, left %v %v %v", changed, l.bases, l.failures, l.tried)
	}
}

// The languages of the desk decide how entries without one are read.
func TestLanguagesAreCompiledIn(t *testing.T) {
	folder := t.TempDir()
	l, doc := newLibrary(folder), document(write(t, folder, "faq", hours("x")))
	l.update(doc)
	if changed := l.update(doc); len(changed) != 0 {
		t.Errorf("without a change %v is loaded again", changed)
	}
	doc.Languages = []string{"en"}
	if changed := l.update(doc); len(changed) != 1 {
		t.Errorf("changed %v with the languages, want the base", changed)
	}
}
