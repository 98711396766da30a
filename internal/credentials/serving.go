package credentials

import (
	"maps"
	"time"

	"github.com/deskfleet/deskfleet/internal/render"
)

// Serving is a server certificate together with the authority that signed it,
// the content of one Secret.
type Serving struct {
	// Content of the Secret: FileCA (the bundle that clients trust), FileCAKey, FileCertificate and FilePrivateKey.
	Content map[string][]byte
	// Changed says that the content differs from what exists.
	Changed bool
	// RenewAt is when something must be renewed.
	RenewAt time.Time
}

// EnsureServing completes what exists to a server certificate for the names. What
// is still good is never touched. A new authority signs with the next certificate
// only: until then clients that have not heard of it go on trusting.
func EnsureServing(name string, serverNames []string, existing map[string][]byte, now time.Time) (*Serving, error) {
	r := &Result{Set: Set{}}
	authority, err := r.ensureAuthority(&render.Secret{Name: name}, existing, now)
	if err != nil {
		return nil, err
	}
	content := maps.Clone(r.Set[name])
	renewed, err := r.serverCertificate(&render.Secret{Name: name, ServerNames: serverNames}, existing, content, authority, now)
	if err != nil {
		return nil, err
	}
	return &Serving{Content: content, Changed: renewed || len(r.Changed) > 0, RenewAt: r.RenewAt}, nil
}
