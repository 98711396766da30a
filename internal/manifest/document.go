package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	yamlv3 "go.yaml.in/yaml/v3"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

// document is one document of an input.
type document struct {
	file string
	text []byte
	// line of the input on which the text begins, from 1.
	line int
}

// fault is an error on a line of the input.
type fault struct {
	line  int
	field string
	msg   string
}

// split cuts an input into its documents. A line that begins with "---" begins
// a document and "..." ends one; inside a document of manifests neither can
// stand at the beginning of a line.
func split(in input) []document {
	data := bytes.TrimPrefix(in.data, []byte("\xef\xbb\xbf")) // editors on Windows begin files with a byte order mark
	var docs []document
	begin, line := 0, 1
	current := document{file: in.name, line: 1}
	flush := func(end int) {
		current.text = data[begin:end]
		if len(bytes.TrimSpace(current.text)) > 0 {
			docs = append(docs, current)
		}
	}
	for pos := 0; pos < len(data); line++ {
		end := pos + bytes.IndexByte(data[pos:], '\n') + 1
		if end <= pos {
			end = len(data)
		}
		switch {
		case isMarker(data[pos:end], "---"):
			flush(pos)
			begin, current.line = pos+len("---"), line
		case isMarker(data[pos:end], "..."):
			flush(pos)
			begin, current.line = end, line+1
		}
		pos = end
	}
	flush(len(data))
	return docs
}

func isMarker(line []byte, marker string) bool {
	rest, ok := bytes.CutPrefix(line, []byte(marker))
	return ok && (len(rest) == 0 || bytes.ContainsRune([]byte(" \t\r\n"), rune(rest[0])))
}

// decode gives the document's content as the API server's decoder would see it
// after kubectl, and the tree that finds the lines of its fields. The content
// is nil for a document of comments. Values come from the YAML library that
// kubectl uses; the tree comes from one that knows lines.
func (d document) decode() (any, *yamlv3.Node, []fault) {
	if !utf8.Valid(d.text) {
		return nil, nil, []fault{{line: d.invalidLine(), msg: "not UTF-8: save the file in this encoding"}}
	}
	if trimmed := bytes.TrimSpace(d.text); trimmed[0] == '{' && json.Valid(trimmed) {
		return d.decodeJSON(trimmed)
	}
	root := &yamlv3.Node{}
	if err := yamlv3.Unmarshal(d.text, root); err != nil {
		return nil, nil, d.yamlFaults(err)
	}
	if faults := d.duplicates(root, ""); len(faults) > 0 {
		return nil, root, faults
	}
	data, err := yaml.YAMLToJSONStrict(d.text)
	if err != nil {
		return nil, root, d.yamlFaults(err)
	}
	var content any
	if err := utiljson.Unmarshal(data, &content); err != nil {
		return nil, root, []fault{{line: d.line, msg: err.Error()}}
	}
	return content, root, nil
}

func (d document) decodeJSON(text []byte) (any, *yamlv3.Node, []fault) {
	// A YAML library refuses tabs between tokens, and JSON strings hold none unescaped. Where it still
	// refuses the text, fields are only found as far as the first line of the document.
	root := &yamlv3.Node{}
	if err := yamlv3.Unmarshal(bytes.ReplaceAll(d.text, []byte("\t"), []byte(" ")), root); err != nil {
		root = &yamlv3.Node{}
	}
	var content map[string]any
	strict, err := kjson.UnmarshalStrict(text, &content)
	if err != nil {
		return nil, root, []fault{{line: d.line, msg: err.Error()}}
	}
	var faults []fault
	for _, err := range strict {
		f := fault{msg: err.Error()}
		if at, ok := errors.AsType[kjson.FieldError](err); ok {
			f.field, f.msg = at.FieldPath(), "given twice: keep one"
		}
		f.line = d.lineOf(root, f.field)
		faults = append(faults, f)
	}
	return content, root, faults
}

// duplicates finds keys that a mapping holds twice, of which the server would
// silently keep one.
func (d document) duplicates(n *yamlv3.Node, path string) []fault {
	var faults []fault
	switch n.Kind {
	case yamlv3.DocumentNode:
		for _, c := range n.Content {
			faults = append(faults, d.duplicates(c, path)...)
		}
	case yamlv3.SequenceNode:
		for i, c := range n.Content {
			faults = append(faults, d.duplicates(c, fmt.Sprintf("%s[%d]", path, i))...)
		}
	case yamlv3.MappingNode:
		first := make(map[string]int, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := n.Content[i], n.Content[i+1]
			at := strings.TrimPrefix(path+"."+key.Value, ".")
			if line, ok := first[key.Value]; ok && key.Kind == yamlv3.ScalarNode {
				faults = append(faults, fault{
					line: d.absolute(key.Line), field: at,
					msg: fmt.Sprintf("given twice, first on line %d: keep one", d.absolute(line)),
				})
			}
			first[key.Value] = key.Line
			faults = append(faults, d.duplicates(value, at)...)
		}
	default: // scalars hold no keys, aliases were checked where their anchor stands
	}
	return faults
}

var lineInMessage = regexp.MustCompile(`\bline (\d+): `)

// yamlFaults turns an error of a YAML library, which counts lines from the
// beginning of the document, into faults.
func (d document) yamlFaults(err error) []fault {
	msg := strings.TrimPrefix(err.Error(), "error converting YAML to JSON: ")
	msg = strings.TrimPrefix(msg, "yaml: ")
	f := fault{line: d.line, msg: msg}
	if m := lineInMessage.FindStringSubmatchIndex(msg); m != nil {
		if n, err := strconv.Atoi(msg[m[2]:m[3]]); err == nil {
			f.line = d.absolute(n)
		}
		f.msg = msg[m[1]:]
	}
	f.msg = "not valid YAML: " + f.msg
	return []fault{f}
}

func (d document) invalidLine() int {
	for i := 0; i < len(d.text); {
		r, size := utf8.DecodeRune(d.text[i:])
		if r == utf8.RuneError && size == 1 {
			return d.line + bytes.Count(d.text[:i], []byte("\n"))
		}
		i += size
	}
	return d.line
}

// absolute is the line of the input for a line of the document; both from 1.
// The libraries count a position behind the last line as one more.
func (d document) absolute(line int) int {
	last := d.line + bytes.Count(bytes.TrimRight(d.text, "\r\n"), []byte("\n"))
	return min(max(d.line, d.line+line-1), last)
}
