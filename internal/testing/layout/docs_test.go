package layout

import (
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	markdownLink = regexp.MustCompile(`\]\(([^)#\s]+)(?:#[^)]*)?\)`)
	codeSpan     = regexp.MustCompile("`([^`\n]+)`")
	codeBlock    = regexp.MustCompile("(?ms)^\\s*```.*?^\\s*```")
	makeTarget   = regexp.MustCompile("(?m)(?:^|[\\s`(])make ((?:[a-z][a-z0-9-]*)(?: [a-z][a-z0-9-]*)*)")
	// A path of this repository has a slash and begins with one of its folders, or is a file of its root.
	ownPath = regexp.MustCompile(`^(?:\./)?(?:(?:api|config|controllers|docs|hack|internal|test|\.ci)(?:/[A-Za-z0-9_.*{},-]+)+/?|[A-Z][A-Za-z.]*\.md|Makefile|PROJECT|LICENSE|Dockerfile|main\.go|go\.tools\.mod)$`)
)

// TestPathsInTheDocumentation finds pages that the code has left behind.
func TestPathsInTheDocumentation(t *testing.T) {
	for _, page := range files(t, "*.md") {
		content, err := os.ReadFile(filepath.Join(root, page))
		if err != nil {
			t.Fatal(err)
		}
		for _, named := range pathsIn(page, string(content)) {
			if !exists(t, named) {
				t.Errorf("%s names %s, which does not exist", page, named)
			}
		}
	}
}

// Comments lead to pages of the documentation too.
func TestPagesNamedInCode(t *testing.T) {
	page := regexp.MustCompile(`\bdocs/[a-z0-9/-]+\.md\b`)
	for _, pattern := range []string{"*.go", "*.sh", "*.yaml", "Makefile", "Dockerfile"} {
		for _, file := range files(t, pattern) {
			content, err := os.ReadFile(filepath.Join(root, file))
			if err != nil {
				t.Fatal(err)
			}
			for _, named := range page.FindAllString(string(content), -1) {
				if !exists(t, named) && !strings.HasPrefix(file, "internal/testing/layout/") {
					t.Errorf("%s names %s, which does not exist", file, named)
				}
			}
		}
	}
}

// pathsIn lists the repository's paths that a page links to or names.
func pathsIn(page, content string) []string {
	var found []string
	prose := codeSpan.ReplaceAllString(codeBlock.ReplaceAllString(content, ""), "")
	for _, match := range markdownLink.FindAllStringSubmatch(prose, -1) {
		if link := match[1]; !strings.Contains(link, "://") && !strings.HasPrefix(link, "mailto:") {
			found = append(found, path.Join(path.Dir(page), link))
		}
	}
	for _, match := range codeSpan.FindAllStringSubmatch(content, -1) {
		for word := range strings.FieldsSeq(match[1]) {
			if ownPath.MatchString(word) {
				found = append(found, strings.TrimSuffix(path.Clean(word), "/"))
			}
		}
	}
	return found
}

// exists takes patterns and the "..." of Go packages too.
func exists(t *testing.T, named string) bool {
	t.Helper()
	named = strings.TrimSuffix(named, "/...")
	if before, rest, ok := strings.Cut(named, "{"); ok {
		options, after, _ := strings.Cut(rest, "}")
		return !slices.ContainsFunc(strings.Split(options, ","), func(o string) bool { return !exists(t, before+o+after) })
	}
	found, err := filepath.Glob(filepath.Join(root, strings.ReplaceAll(named, "**", "*")))
	if err != nil {
		t.Errorf("%s: %v", named, err)
	}
	return len(found) > 0
}

// TestMakeTargetsInTheDocumentation asks make, without running anything.
func TestMakeTargetsInTheDocumentation(t *testing.T) {
	targets := map[string]string{}
	for _, page := range files(t, "*.md") {
		content, err := os.ReadFile(filepath.Join(root, page))
		if err != nil {
			t.Fatal(err)
		}
		for _, target := range targetsIn(string(content)) {
			targets[target] = page
		}
	}
	if len(targets) < 5 {
		t.Errorf("only the targets %v were found in the documentation", targets)
	}
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	for target, page := range targets {
		if !regexp.MustCompile(`(?m)^(?:[a-z-]+ )*` + regexp.QuoteMeta(target) + `:`).Match(makefile) {
			t.Errorf("%s names make %s, which the Makefile does not have", page, target)
		}
	}
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("make is not installed")
	}
	help := exec.CommandContext(t.Context(), "make", "help")
	help.Dir = root
	out, err := help.CombinedOutput()
	if err != nil {
		t.Fatalf("make help: %v\n%s", err, out)
	}
	for _, line := range regexp.MustCompile(`(?m)^\.PHONY: ([a-z-]+)$`).FindAllSubmatch(makefile, -1) {
		if target := string(line[1]); !strings.Contains(string(out), "\n  "+target+" ") {
			t.Errorf("make help does not list %s", target)
		}
	}
}

// targetsIn finds "make TARGET…" in code spans and code blocks.
func targetsIn(content string) []string {
	var found []string
	code := codeBlock.FindAllString(content, -1)
	for _, match := range codeSpan.FindAllString(content, -1) {
		code = append(code, strings.Trim(match, "`"))
	}
	for _, text := range code {
		for _, match := range makeTarget.FindAllStringSubmatch(text, -1) {
			found = append(found, strings.Fields(match[1])...)
		}
	}
	return found
}

func TestDocumentationIsRead(t *testing.T) {
	const page = "See [the page](spec/servicedesk.md#queues), [out](https://example.com/docs/x) and `a[i](b)`, `internal/render/…`, `go test ./internal/bus/...`,\n" +
		"`api/v1alpha1/{a,b}.go` and `kubectl get desk`; run `make test` or\n```sh\nmake install deploy CLUSTER=existing\n[no](link)\n```\n"
	want := []string{"docs/spec/servicedesk.md", "internal/bus/...", "api/v1alpha1/{a,b}.go"}
	if got := pathsIn("docs/page.md", page); !slices.Equal(got, want) {
		t.Errorf("paths %q, want %q", got, want)
	}
	if got := targetsIn(page); !slices.Equal(got, []string{"install", "deploy", "test"}) {
		t.Errorf("targets %q", got)
	}
	if exists(t, "internal/nowhere/...") || exists(t, "config/{crd,nowhere}") || !exists(t, "internal/{plan,render}") || !exists(t, "api/v1alpha1/*_types.go") {
		t.Error("exists does not tell what exists")
	}
}
