package image

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// WriteArchive writes an image under a reference as an archive that containerd,
// Docker and Podman load.
func WriteArchive(w io.Writer, ref string, image v1.Image) error {
	tag, err := name.NewTag(ref)
	if err != nil {
		return fmt.Errorf("image reference %q: write NAME:TAG: %w", ref, err)
	}
	if err := tarball.Write(tag, image, w); err != nil {
		return fmt.Errorf("write the archive of %s: %w", ref, err)
	}
	return nil
}

// Push sends the images, one an architecture, to a registry as one reference,
// and returns its digest. Credentials are those of the user's "docker login".
// A registry on localhost is spoken to without TLS.
func Push(ctx context.Context, ref string, images ...v1.Image) (v1.Hash, error) {
	tag, err := name.NewTag(ref)
	if err != nil {
		return v1.Hash{}, fmt.Errorf("image reference %q: write REGISTRY/NAME:TAG: %w", ref, err)
	}
	index, err := Index(images...)
	if err != nil {
		return v1.Hash{}, err
	}
	if err := remote.WriteIndex(tag, index, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)); err != nil {
		return v1.Hash{}, fmt.Errorf("push %s: %w", ref, err)
	}
	return index.Digest()
}

// Index joins images of different architectures under one digest.
func Index(images ...v1.Image) (v1.ImageIndex, error) {
	if len(images) == 0 {
		return nil, errors.New("no image: name a binary for each architecture")
	}
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	seen := map[string]bool{}
	for _, image := range images {
		config, err := image.ConfigFile()
		if err != nil {
			return nil, fmt.Errorf("read the image's configuration: %w", err)
		}
		platform := config.Platform()
		if seen[platform.String()] {
			return nil, fmt.Errorf("two binaries for %s: name one for each architecture", platform)
		}
		seen[platform.String()] = true
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: platform}})
	}
	return index, nil
}
