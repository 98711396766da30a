package runtimeconfig

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func rendered(t *testing.T, change func(*Document)) []byte {
	t.Helper()
	d := &Document{
		Version: Version, Namespace: "shop", Desk: "web", Languages: []string{"en"},
		Queues: []Queue{{Name: "people"}}, DefaultQueue: "people",
	}
	if change != nil {
		change(d)
	}
	data, err := d.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func named(name string) func(*Document) { return func(d *Document) { d.DisplayName = name } }

func TestStoreKeepsTheLastGoodDocument(t *testing.T) {
	first := rendered(t, named("one"))
	s, err := NewStore(first)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"not JSON":     {[]byte("{"), FileName},
		"incomplete":   {[]byte(`{"version":1}`), "namespace"},
		"other desk":   {rendered(t, func(d *Document) { d.Desk = "other" }), "shop/other"},
		"other tenant": {rendered(t, func(d *Document) { d.Namespace = "rival" }), "rival/web"},
		"too new":      {rendered(t, func(d *Document) { d.Version = Version + 2 }), "newer release"},
	} {
		changed, err := s.Offer(c.data)
		if changed || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: changed %t, error %v; want one that says %q", name, changed, err, c.want)
		}
		if !errors.Is(s.Err(), err) {
			t.Errorf("%s: Err is %v", name, s.Err())
		}
		if got := s.Current(); got.Document.DisplayName != "one" || got.Revision != Revision(first) {
			t.Errorf("%s: current is now %+v", name, got)
		}
	}
}

func TestStoreTakesAGoodDocumentAfterABadOne(t *testing.T) {
	first := rendered(t, named("one"))
	s, err := NewStore(first)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Offer([]byte("{")); err == nil {
		t.Fatal("a bad document was accepted")
	}
	if changed, err := s.Offer(first); changed || err != nil || s.Err() != nil {
		t.Errorf("the same document again: %t, %v, %v", changed, err, s.Err())
	}
	if changed, err := s.Offer(rendered(t, named("two"))); !changed || err != nil || s.Current().Document.DisplayName != "two" {
		t.Errorf("a good document: %t, %v, %+v", changed, err, s.Current())
	}
}

func TestStoreBeginsWithAGoodDocument(t *testing.T) {
	if _, err := NewStore([]byte("{}")); err == nil {
		t.Error("a store began with a bad document")
	}
}

func TestWatchGivesTheNewest(t *testing.T) {
	s, err := NewStore(rendered(t, named("0")))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	slow, fast := s.Watch(ctx), s.Watch(t.Context())
	if got := <-fast; got.Document.DisplayName != "0" {
		t.Errorf("a watch begins with %s", got.Document.DisplayName)
	}
	for i := 1; i <= 3; i++ {
		if _, err := s.Offer(rendered(t, named(fmt.Sprint(i)))); err != nil {
			t.Fatal(err)
		}
		if got := <-fast; got.Document.DisplayName != fmt.Sprint(i) {
			t.Errorf("change %d gives %s", i, got.Document.DisplayName)
		}
	}
	if got := <-slow; got.Document.DisplayName != "3" {
		t.Errorf("the slow watcher gets %s, want the newest", got.Document.DisplayName)
	}
	cancel()
	if got, open := <-slow; open {
		t.Errorf("a watch whose context ended gives %+v", got)
	}
	if _, err := s.Offer(rendered(t, named("4"))); err != nil {
		t.Fatal(err)
	}
}

// mount writes the document as the kubelet does: into a new folder that a link
// is then swapped to.
func mount(t *testing.T, dir, generation string, data []byte) {
	t.Helper()
	folder := filepath.Join(dir, "..gen"+generation)
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if data != nil {
		if err := os.WriteFile(filepath.Join(folder, FileName), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	next := filepath.Join(dir, "..data_tmp")
	if err := os.Symlink(filepath.Base(folder), next); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, filepath.Join(dir, "..data")); err != nil {
		t.Fatal(err)
	}
}

func TestFromFileFollowsTheMount(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, FileName)
	if _, err := FromFile(t.Context(), path, time.Second); err == nil || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file gives %v", err)
	}
	if err := os.Symlink(filepath.Join("..data", FileName), path); err != nil {
		t.Fatal(err)
	}
	mount(t, dir, "0", rendered(t, named("zero")))
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s, err := FromFile(ctx, path, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		watch := s.Watch(ctx)
		<-watch
		step := func() {
			time.Sleep(1500 * time.Millisecond) //nolint:forbidigo // moves the clock of the synctest bubble, no time passes
			synctest.Wait()
		}

		mount(t, dir, "1", rendered(t, named("one")))
		if got := <-watch; got.Document.DisplayName != "one" {
			t.Errorf("the swap gives %s", got.Document.DisplayName)
		}
		mount(t, dir, "2", nil)
		step()
		if s.Err() == nil || s.Current().Document.DisplayName != "one" {
			t.Errorf("a file that is gone: %v, %+v", s.Err(), s.Current())
		}
		mount(t, dir, "3", []byte("{"))
		step()
		if s.Err() == nil || s.Current().Document.DisplayName != "one" {
			t.Errorf("a bad file: %v, %+v", s.Err(), s.Current())
		}
		mount(t, dir, "4", rendered(t, named("four")))
		step()
		if s.Err() != nil || s.Current().Document.DisplayName != "four" {
			t.Errorf("a good file again: %v, %+v", s.Err(), s.Current())
		}
		// The bus is ahead of the mount: the unchanged file must not turn it back.
		if _, err := s.Offer(rendered(t, named("five"))); err != nil {
			t.Fatal(err)
		}
		step()
		if got := s.Current().Document.DisplayName; got != "five" {
			t.Errorf("the mounted copy turned the document back to %s", got)
		}
		cancel()
	})
}
