package plan

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/knowledge"
	"github.com/deskfleet/deskfleet/internal/render"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

// Sources are the ConfigMaps of a namespace that knowledge bases name: data by
// key, by ConfigMap name.
type Sources map[string]map[string]string

// KnowledgeContent is the usable content of one knowledge base.
type KnowledgeContent struct {
	Name     string
	Entries  []knowledge.Entry
	Revision string
}

// Languages of the content with the number of entries of each, for example "en: 40, zh: 35".
func (c *KnowledgeContent) Languages() string {
	count := map[string]int{}
	for i := range c.Entries {
		language := c.Entries[i].Language
		if language == "" {
			language = knowledge.DetectLanguage(c.Entries[i].Questions[0])
		}
		if language == "" {
			language = "unknown"
		}
		count[language]++
	}
	parts := make([]string, 0, len(count))
	length := 0
	for _, language := range slices.Sorted(maps.Keys(count)) {
		part := fmt.Sprintf("%s: %d", language, count[language])
		if length += len(part) + len(", "); length > longestLanguages {
			parts = append(parts, fmt.Sprintf("and %d more", len(count)-len(parts)))
			break
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", ")
}

// longestLanguages is how much of the languages is listed; status.languages holds 512 characters.
const longestLanguages = 480

// KnowledgeBase gathers the entries of a knowledge base from its sources. With
// problems there is no content: a base is served whole or as it last was.
func KnowledgeBase(kb *v1alpha1.KnowledgeBase, sources Sources) (*KnowledgeContent, []Problem) {
	found := problems{kind: v1alpha1.KindKnowledgeBase, name: kb.Name}
	origin := map[string]string{}
	var entries []knowledge.Entry
	take := func(field, place string, from []knowledge.Entry) {
		for i := range from {
			id := from[i].ID
			if first, taken := origin[id]; taken {
				found.add(Terminal, v1alpha1.ReasonInvalidSpec, field, "give each entry an id of its own",
					"the id %q of %s was given already in %s", id, place, first)
				continue
			}
			origin[id] = place
			entries = append(entries, from[i])
		}
	}
	inline := make([]knowledge.Entry, 0, len(kb.Spec.Sources.Inline))
	for i := range kb.Spec.Sources.Inline {
		inline = append(inline, inlineEntry(&kb.Spec.Sources.Inline[i]))
	}
	take("spec.sources.inline", "spec.sources.inline", inline)
	for i, ref := range kb.Spec.Sources.ConfigMaps {
		field, name := fmt.Sprintf("spec.sources.configMaps[%d].name", i), string(ref.Name)
		data, there := sources[name]
		if !there {
			found.add(Waiting, v1alpha1.ReasonReferenceMissing, field, "apply the ConfigMap, or remove the name",
				"ConfigMap %s does not exist in namespace %s", name, kb.Namespace)
			continue
		}
		for _, key := range slices.Sorted(maps.Keys(data)) {
			place := fmt.Sprintf("ConfigMap %s, key %s", name, key)
			parsed, err := knowledge.ParseEntries(key, []byte(data[key]))
			if err != nil {
				found.add(Terminal, v1alpha1.ReasonInvalidSpec, field, "mend the entry in that ConfigMap", "%s: %v", place, err)
				continue
			}
			take(field, place, parsed)
		}
	}
	if len(found.list) == 0 && len(entries) == 0 {
		found.add(Waiting, v1alpha1.ReasonReferenceNotReady, "spec.sources", "add entries to one of the sources", "the sources hold no entry")
	}
	if len(found.list) > 0 {
		return nil, found.sorted()
	}
	return &KnowledgeContent{Name: kb.Name, Entries: entries, Revision: knowledge.Revision(entries)}, nil
}

func inlineEntry(e *v1alpha1.Entry) knowledge.Entry {
	entry := knowledge.Entry{ID: string(e.ID), Answer: e.Answer, Language: string(e.Language)}
	for _, q := range e.Questions {
		entry.Questions = append(entry.Questions, string(q))
	}
	for _, l := range e.Labels {
		entry.Labels = append(entry.Labels, string(l))
	}
	return entry
}

// Served is a revision of a knowledge base as the desk's children hold it: what
// the document says of it, and its files.
type Served struct {
	Base  runtimeconfig.KnowledgeBase
	Files map[string][]byte
}

// pack zips content into files that each fit a shard.
func pack(content *KnowledgeContent) (Served, error) {
	// Equal content must give equal bytes, in whatever order the sources were read.
	entries := slices.SortedFunc(slices.Values(content.Entries), func(a, b knowledge.Entry) int { return strings.Compare(a.ID, b.ID) })
	var zipped bytes.Buffer
	zip := gzip.NewWriter(&zipped)
	if err := json.NewEncoder(zip).Encode(entries); err != nil {
		return Served{}, fmt.Errorf("encode knowledge base %s: %w", content.Name, err)
	}
	if err := zip.Close(); err != nil {
		return Served{}, fmt.Errorf("compress knowledge base %s: %w", content.Name, err)
	}
	served := Served{
		Base:  runtimeconfig.KnowledgeBase{Name: content.Name, Revision: content.Revision},
		Files: map[string][]byte{},
	}
	for part := range slices.Chunk(zipped.Bytes(), render.KnowledgeShardBytes) {
		sum := sha256.Sum256(part)
		file := fmt.Sprintf("%s.%d.json.gz", fileBase(content.Name), len(served.Base.Parts))
		served.Files[file] = part
		served.Base.Parts = append(served.Base.Parts, runtimeconfig.KnowledgePart{Path: file, SHA256: hex.EncodeToString(sum[:])})
	}
	return served, nil
}

// fileBase is a knowledge base's name as the beginning of a ConfigMap's key, which holds 253 characters.
func fileBase(name string) string {
	const longest = 200
	if len(name) <= longest {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return name[:longest-17] + "-" + hex.EncodeToString(sum[:8])
}

// shards lays files out over the desk's ConfigMaps, first fit in the order of
// the names, so that equal content always lies in the same place.
func shards(bases []Served) ([]map[string][]byte, error) {
	var laid []map[string][]byte
	var used []int
	for _, base := range bases {
		for _, part := range base.Base.Parts {
			content := base.Files[part.Path]
			size := len(content) + len(part.Path)
			i := slices.IndexFunc(used, func(u int) bool { return u+size <= render.KnowledgeShardBytes+len(part.Path) })
			if i < 0 {
				i = len(used)
				laid, used = append(laid, map[string][]byte{}), append(used, 0)
			}
			laid[i][part.Path] = content
			used[i] += size
		}
	}
	if len(laid) > render.KnowledgeShards {
		total := 0
		for _, u := range used {
			total += u
		}
		return nil, &tooLargeError{bytes: total}
	}
	return laid, nil
}

// tooLargeError says that the knowledge content of a desk does not fit its shards.
type tooLargeError struct{ bytes int }

func (e *tooLargeError) Error() string {
	return fmt.Sprintf("the knowledge content of the desk is %d KiB compressed, and %d KiB fit", e.bytes>>10, render.KnowledgeShards*render.KnowledgeShardBytes>>10)
}

// ServedBy is what a desk serves by its configuration and the files of its
// shards. A base of which a file is missing or altered is left out.
func ServedBy(document *runtimeconfig.Document, files map[string][]byte) map[string]Served {
	served := map[string]Served{}
	for _, base := range document.Knowledge {
		s := Served{Base: base, Files: map[string][]byte{}}
		intact := true
		for _, part := range base.Parts {
			content, there := files[part.Path]
			sum := sha256.Sum256(content)
			if !there || hex.EncodeToString(sum[:]) != part.SHA256 {
				intact = false
				break
			}
			s.Files[part.Path] = content
		}
		if intact {
			served[base.Name] = s
		}
	}
	return served
}
