package knowledge

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxReported bounds the errors of one file that are reported together.
const maxReported = 20

// ParseError is one thing that is wrong in a source, with its place and remedy.
type ParseError struct {
	File    string
	Line    int    // from 1
	ID      string // of the entry, where it is known
	Problem string // field, value and remedy
}

// Error gives the place in the form that editors jump to.
func (e *ParseError) Error() string {
	if e.ID == "" {
		return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Problem)
	}
	return fmt.Sprintf("%s:%d: entry %q: %s", e.File, e.Line, e.ID, e.Problem)
}

// ParseEntries reads a YAML or JSON list of entries, as one key of a ConfigMap holds it. file names the source in errors and in the entries'
// Origin. It is strict: an unknown or repeated field, a value of another type, a broken bound or a repeated id refuses the whole source. The
// error joins a *ParseError for each finding, up to a bound. A source without content gives no entries and no error.
func ParseEntries(file string, data []byte) ([]Entry, error) {
	p := parser{file: file}
	root, err := p.document(data)
	if err != nil || root == nil {
		return nil, err
	}
	if root.Kind != yaml.SequenceNode {
		p.report(root.Line, "", fmt.Sprintf("the document is %s: write a list, each entry beginning with \"- id: …\"", describe(root)))
		return nil, errors.Join(p.errs...)
	}
	entries := make([]Entry, 0, len(root.Content))
	lines := map[string]int{}
	for _, node := range root.Content {
		e, ok := p.entry(node)
		if len(p.errs) >= maxReported {
			p.report(node.Line, "", "there are more errors further on; correct these first")
			break
		}
		if !ok {
			continue
		}
		if first, dup := lines[e.ID]; dup {
			p.report(node.Line, e.ID, fmt.Sprintf("the id stands at %s:%d already: rename or remove one of them", file, first))
			continue
		}
		lines[e.ID] = node.Line
		entries = append(entries, e)
	}
	if len(p.errs) > 0 {
		return nil, errors.Join(p.errs...)
	}
	return entries, nil
}

type parser struct {
	file string
	errs []error
}

func (p *parser) report(line int, id, problem string) {
	p.errs = append(p.errs, &ParseError{File: p.file, Line: line, ID: id, Problem: problem})
}

// document returns the root of the single document in data, nil where there is none.
func (p *parser) document(data []byte) (*yaml.Node, error) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, next yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, &ParseError{File: p.file, Line: errorLine(err), Problem: fmt.Sprintf("this is neither YAML nor JSON (%s): correct the syntax", strings.TrimPrefix(err.Error(), "yaml: "))}
	}
	if err := dec.Decode(&next); !errors.Is(err, io.EOF) {
		return nil, &ParseError{File: p.file, Line: max(next.Line, 1), Problem: "a second document follows: keep one list a file, without \"---\" between entries"}
	}
	root := doc.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return nil, nil
	}
	return root, nil
}

// errorLine finds the line that the YAML library names in its message, or 1.
func errorLine(err error) int {
	var line int
	if _, rest, ok := strings.Cut(err.Error(), "line "); ok {
		if _, scanErr := fmt.Sscanf(rest, "%d", &line); scanErr == nil && line > 0 {
			return line
		}
	}
	return 1
}

// entry reads one item of the list. It reports what is wrong and returns whether nothing is.
func (p *parser) entry(node *yaml.Node) (Entry, bool) {
	before := len(p.errs)
	e := Entry{Origin: fmt.Sprintf("%s:%d", p.file, node.Line)}
	if node.Kind != yaml.MappingNode {
		p.report(node.Line, "", fmt.Sprintf("an entry must be a mapping with id, questions and answer, but this is %s", describe(node)))
		return e, false
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if first, dup := seen[key.Value]; dup {
			p.report(key.Line, e.ID, fmt.Sprintf("field %q stands in line %d already: keep one", key.Value, first))
			continue
		}
		seen[key.Value] = key.Line
		p.field(&e, key, value)
	}
	if len(p.errs) > before {
		return e, false
	}
	if err := e.Validate(); err != nil {
		for _, problem := range unjoin(err) {
			p.report(problemLine(node, problem), e.ID, problem.Error())
		}
	}
	return e, len(p.errs) == before
}

// field reads one field of an entry.
func (p *parser) field(e *Entry, key, value *yaml.Node) {
	switch key.Value {
	case "id":
		e.ID = p.text(e, key.Value, value)
	case "answer":
		e.Answer = strings.TrimSpace(p.text(e, key.Value, value))
	case "language":
		e.Language = p.text(e, key.Value, value)
	case "questions":
		e.Questions = p.texts(e, key.Value, value)
	case "labels":
		e.Labels = p.texts(e, key.Value, value)
	default:
		p.report(key.Line, e.ID, fmt.Sprintf("field %q is unknown: an entry has id, questions, answer, language and labels", key.Value))
	}
}

func (p *parser) text(e *Entry, field string, node *yaml.Node) string {
	if node.Kind != yaml.ScalarNode || node.Tag != "!!str" {
		p.report(node.Line, e.ID, fmt.Sprintf("%s is %s: write a string (in quotes where YAML reads it as something else)", field, describe(node)))
		return ""
	}
	return node.Value
}

func (p *parser) texts(e *Entry, field string, node *yaml.Node) []string {
	if node.Kind != yaml.SequenceNode {
		p.report(node.Line, e.ID, fmt.Sprintf("%s is %s: write a list of strings", field, describe(node)))
		return nil
	}
	out := make([]string, 0, len(node.Content))
	for i, item := range node.Content {
		out = append(out, strings.TrimSpace(p.text(e, fmt.Sprintf("%s[%d]", field, i), item)))
	}
	return out
}

// describe says what a node is in words of the author.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias (*" + n.Value + ")"
	default:
		switch n.Tag {
		case "!!null":
			return "empty"
		case "!!int", "!!float":
			return "the number " + n.Value
		case "!!bool":
			return "the boolean " + n.Value
		case "!!str":
			return "a string"
		}
		return "a value of type " + strings.TrimPrefix(n.Tag, "!!")
	}
}

// unjoin returns the parts of a joined error.
func unjoin(err error) []error {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		return joined.Unwrap()
	}
	return []error{err}
}

// problemLine finds the line of the field that a problem begins with, or that of the entry where the field is missing.
func problemLine(entry *yaml.Node, problem error) int {
	name, _, _ := strings.Cut(problem.Error(), " ")
	field, item, indexed := strings.Cut(name, "[")
	for i := 0; i+1 < len(entry.Content); i += 2 {
		if entry.Content[i].Value != field {
			continue
		}
		value := entry.Content[i+1]
		var n int
		if _, err := fmt.Sscanf(item, "%d]", &n); indexed && err == nil && n < len(value.Content) {
			return value.Content[n].Line
		}
		return entry.Content[i].Line
	}
	return entry.Line
}
