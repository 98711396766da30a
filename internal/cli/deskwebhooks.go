package cli

import (
	"os"
	"path/filepath"

	"github.com/deskfleet/deskfleet/internal/manifest"
	"github.com/deskfleet/deskfleet/internal/render"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

// prepareWebhooks lays out the secrets of webhooks that stand in the manifests. One that is missing is reported by
// the archive, as in a cluster.
func (t *trial) prepareWebhooks(objects *manifest.Objects) error {
	if t.options.webhooks != "" {
		return nil
	}
	for name, wanted := range render.WebhookSecrets(&t.planned.Spec) {
		for _, secret := range objects.Secrets {
			if secret.Namespace != t.planned.Owner.Namespace || secret.Name != wanted {
				continue
			}
			folder := filepath.Join(t.webhooks(), name)
			if err := os.MkdirAll(folder, 0o700); err != nil {
				return err
			}
			for _, key := range []string{runtimeconfig.FileWebhookSecret, runtimeconfig.FileWebhookCA} {
				content, there := secret.Data[key]
				if !there {
					continue
				}
				if err := os.WriteFile(filepath.Join(folder, key), content, 0o600); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
