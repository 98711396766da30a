package plan

import (
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

// Stamp tells whether a document has changed: what it says without its
// generation, and that. The zero value is of no document.
type Stamp struct {
	Content    string
	Generation int64
}

// Configuration is one that a desk has.
type Configuration struct {
	Revision   string
	Generation int64
}

// StampOf a document.
func StampOf(d *runtimeconfig.Document) (Stamp, error) {
	plain := *d
	plain.Generation = 0
	data, err := plain.Marshal()
	if err != nil {
		return Stamp{}, err
	}
	return Stamp{Content: runtimeconfig.Revision(data), Generation: d.Generation}, nil
}

// generate gives a document its generation and renders it. The generation of the
// one before stays while the content does, so that nothing is written while
// nothing changes; see docs/adr/0005-configuration-generation.md.
func generate(d *runtimeconfig.Document, in *DeskInput) ([]byte, error) {
	if in.Now.IsZero() {
		return d.Marshal() // nothing is compared: the files are the only source
	}
	former := in.Written
	if in.LiveDocument != nil {
		live, err := StampOf(in.LiveDocument)
		if err != nil {
			return nil, err
		}
		if live.Generation >= former.Generation {
			former = live // else the cache does not show yet what was written a moment ago
		}
	}
	next, err := StampOf(d)
	if err != nil {
		return nil, err
	}
	d.Generation = former.Generation
	if next.Content != former.Content {
		d.Generation = runtimeconfig.NextGeneration(former.Generation, in.Now)
	}
	data, err := d.Marshal()
	if err != nil || !refuses(&in.Running, d.Generation, runtimeconfig.Revision(data)) {
		return data, err
	}
	d.Generation = runtimeconfig.NextGeneration(in.Running.Generation, in.Now)
	return d.Marshal()
}

// refuses says that a desk which runs a configuration would not take another one for newer.
func refuses(running *Configuration, generation int64, revision string) bool {
	return running.Revision != "" && running.Revision != revision &&
		(running.Generation > generation || running.Generation == generation && running.Revision > revision)
}
