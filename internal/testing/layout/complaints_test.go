package layout

import (
	"go/ast"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	namedTest   = regexp.MustCompile("`(internal/[a-z/]+)` (Test[A-Za-z0-9]+)")
	complaint   = regexp.MustCompile(`^\| (I-[0-9]{2}) \|`)
	complaintIn = regexp.MustCompile(`^TestI([0-9]{2})`)
)

// Each complaint on the page has tests that exist and carry its number, and each test with a number is on the page.
func TestComplaintsHaveTheirTests(t *testing.T) {
	tests := map[string]bool{}
	goFiles(t, func(file string, _ []byte, parsed *ast.File, _ func(ast.Node) int) {
		for _, declaration := range parsed.Decls {
			if f, ok := declaration.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasSuffix(file, "_test.go") && strings.HasPrefix(f.Name.Name, "Test") {
				tests[path.Dir(file)+" "+f.Name.Name] = true
			}
		}
	})
	content, err := os.ReadFile(filepath.Join(root, "docs", "complaints.md"))
	if err != nil {
		t.Fatal(err)
	}
	named, complaints := map[string]bool{}, 0
	for line := range strings.Lines(string(content)) {
		number := complaint.FindStringSubmatch(line)
		if number == nil {
			continue
		}
		complaints++
		found := namedTest.FindAllStringSubmatch(line, -1)
		if len(found) == 0 {
			t.Errorf("%s names no test", number[1])
		}
		for _, test := range found {
			named[test[1]+" "+test[2]] = true
			if !tests[test[1]+" "+test[2]] {
				t.Errorf("%s names %s of %s, which does not exist", number[1], test[2], test[1])
			}
			if of := complaintIn.FindStringSubmatch(test[2]); of == nil || "I-"+of[1] != number[1] {
				t.Errorf("%s names %s, which is not named after it", number[1], test[2])
			}
		}
	}
	if complaints < 15 {
		t.Errorf("the page has %d complaints", complaints)
	}
	for test := range tests {
		_, name, _ := strings.Cut(test, " ")
		if complaintIn.MatchString(name) && !named[test] {
			t.Errorf("%s is named after a complaint and is not on the page", test)
		}
	}
}
