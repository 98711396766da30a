package layout

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	maxFileLines      = 400
	maxTestFileLines  = 500 // a table of cases is long, not complex
	maxReconcileLines = 60
	maxMainLines      = 40
	maxMakefileLines  = 250
)

// goFiles calls visit for every Go file of the repository that a person wrote.
func goFiles(t *testing.T, visit func(path string, content []byte, file *ast.File, lines func(ast.Node) int)) {
	t.Helper()
	for _, path := range files(t, "*.go") {
		content, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, content, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		if !ast.IsGenerated(file) {
			visit(path, content, file, func(n ast.Node) int { return set.Position(n.End()).Line - set.Position(n.Pos()).Line + 1 })
		}
	}
}

func lineCount(content []byte) int { return bytes.Count(content, []byte("\n")) }

func TestSizes(t *testing.T) {
	seen := 0
	goFiles(t, func(path string, content []byte, file *ast.File, lines func(ast.Node) int) {
		seen++
		limit := maxFileLines
		switch {
		case path == "main.go":
			limit = maxMainLines - 1
		case strings.HasSuffix(path, "_test.go"):
			limit = maxTestFileLines
		}
		if n := lineCount(content); n > limit {
			t.Errorf("%s has %d lines, at most %d: split it by what it is about", path, n, limit)
		}
		for _, declaration := range file.Decls {
			function, ok := declaration.(*ast.FuncDecl)
			if !ok || !strings.EqualFold(function.Name.Name, "reconcile") {
				continue
			}
			if n := lines(function); n > maxReconcileLines {
				t.Errorf("%s: %s has %d lines, at most %d: make a step of each part", path, function.Name.Name, n, maxReconcileLines)
			}
		}
	})
	if seen < 100 {
		t.Errorf("only %d Go files were found", seen)
	}
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	if n := lineCount(makefile); n >= maxMakefileLines {
		t.Errorf("Makefile has %d lines, fewer than %d are wanted", n, maxMakefileLines)
	}
}

// skipped are folders that hold nothing a person wrote for this repository.
var skipped = []string{".git", ".cache", "bin", "dist", "testdata"}

// files of the repository whose base name matches, as slash-separated paths from its root.
func files(t *testing.T, pattern string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && slices.Contains(skipped, entry.Name()) {
			return filepath.SkipDir
		}
		if ok, err := filepath.Match(pattern, entry.Name()); err != nil || !ok || entry.IsDir() {
			return err
		}
		rel, err := filepath.Rel(root, path)
		found = append(found, filepath.ToSlash(rel))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
