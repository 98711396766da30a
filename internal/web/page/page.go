// Package page serves the embedded pages of the web roles: static files with content hashes for caching and
// a content security policy that lets a page run nothing but its own files.
package page

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
)

// Files are static files in memory.
type Files struct {
	byName map[string]*file
}

type file struct {
	content, zipped []byte
	kind, etag      string
}

// minZip is the size from which on compressing is worth it.
const minZip = 1024

//go:embed shared
var shared embed.FS

// Load reads all files of a folder, and those that all pages share. They are few and small: pages of a binary.
func Load(embedded fs.FS, folder string) (*Files, error) {
	out := &Files{byName: map[string]*file{}}
	if err := errors.Join(out.load(shared, "shared"), out.load(embedded, folder)); err != nil {
		return nil, fmt.Errorf("load the pages: %w", err)
	}
	return out, nil
}

func (f *Files) load(from fs.FS, folder string) error {
	files, err := fs.Sub(from, folder)
	if err != nil {
		return err
	}
	return fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		f.byName[name], err = newFile(name, content)
		return err
	})
}

func newFile(name string, content []byte) (*file, error) {
	sum := sha256.Sum256(content)
	f := &file{content: content, etag: `"` + hex.EncodeToString(sum[:8]) + `"`, kind: kindOf(name)}
	if len(content) < minZip {
		return f, nil
	}
	var zipped bytes.Buffer
	z, err := gzip.NewWriterLevel(&zipped, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(content); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	f.zipped = zipped.Bytes()
	return f, nil
}

func kindOf(name string) string {
	switch path.Ext(name) {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".html":
		return "text/html; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	if kind := mime.TypeByExtension(path.Ext(name)); kind != "" {
		return kind
	}
	return "application/octet-stream"
}

// Serve answers with a file; 404 when there is none of that name. Every answer is checked again by its
// tag: the pages and the binary's API change together and must not be mixed.
func (f *Files) Serve(w http.ResponseWriter, r *http.Request, name string) {
	found, ok := f.byName[name]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", found.kind)
	h.Set("Cache-Control", "no-cache")
	h.Set("ETag", found.etag)
	h.Set("Vary", "Accept-Encoding")
	if r.Header.Get("If-None-Match") == found.etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	content := found.content
	if found.zipped != nil && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		content = found.zipped
	}
	h.Set("Content-Length", fmt.Sprint(len(content)))
	if r.Method == http.MethodHead {
		return
	}
	_, _ = w.Write(content) // the client may be gone
}

// Size of a file, 0 when there is none of that name.
func (f *Files) Size(name string) int {
	if found, ok := f.byName[name]; ok {
		return len(found.content)
	}
	return 0
}

// Secure sets the headers of a page that may be shown in frames of the given ancestors: sources of a
// content security policy such as "https://shop.example.com", or "'none'".
func Secure(h http.Header, ancestors []string) {
	frame := "'none'"
	if len(ancestors) > 0 {
		frame = strings.Join(ancestors, " ")
	}
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "+
		"font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; object-src 'none'; "+
		"require-trusted-types-for 'script'; trusted-types 'none'; frame-ancestors "+frame)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=()")
}

// Ancestors turns allowed origins into sources of frame-ancestors. "*" inside a host name is only allowed
// as its first label there: another pattern lets the whole domain behind it show the page in a frame, which
// shows nothing that the site's visitor may not see.
func Ancestors(allowed []string) []string {
	out := []string{"'self'"}
	for _, pattern := range allowed {
		if source, ok := ancestor(pattern); ok {
			out = append(out, source)
		}
	}
	return out
}

func ancestor(pattern string) (string, bool) {
	if strings.ContainsAny(pattern, " ;,'\"\r\n\t") {
		return "", false // it would end the directive
	}
	scheme, host, found := strings.Cut(pattern, "://")
	if !found {
		scheme, host = "", pattern
	} else {
		scheme += "://"
	}
	if i := strings.LastIndexByte(host, '*'); i >= 0 {
		_, rest, found := strings.Cut(host[i:], ".")
		if !found {
			return "", false
		}
		host = "*." + rest
	}
	return scheme + host, host != ""
}
