package manifest

import (
	"strconv"

	yamlv3 "go.yaml.in/yaml/v3"

	"github.com/deskfleet/deskfleet/internal/manifest/schema"
)

// lineOf is the line of the input on which a field stands: that of its key, or,
// where the field is absent, of the nearest thing around it.
func (d document) lineOf(root *yamlv3.Node, path string) int {
	at, line := root, 0
	if at != nil && at.Kind == yamlv3.DocumentNode && len(at.Content) > 0 {
		at = at.Content[0]
		line = at.Line
	}
	for _, step := range schema.SplitPath(path) {
		next, nextLine := descend(at, step)
		if next == nil {
			break
		}
		at, line = next, nextLine
	}
	if line == 0 {
		return d.line
	}
	return d.absolute(line)
}

// descend finds a key of a mapping or an item of a sequence, and its line.
func descend(n *yamlv3.Node, step string) (*yamlv3.Node, int) {
	for n != nil && n.Kind == yamlv3.AliasNode {
		n = n.Alias
	}
	if n == nil {
		return nil, 0
	}
	switch n.Kind {
	case yamlv3.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == step {
				return n.Content[i+1], n.Content[i].Line
			}
		}
	case yamlv3.SequenceNode:
		if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(n.Content) {
			return n.Content[i], n.Content[i].Line
		}
	default: // nothing lies below
	}
	return nil, 0
}
