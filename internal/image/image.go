// Package image builds the container image from the static binary, without
// Docker and without a base image: there is nothing in it but what the binary
// needs. Equal input gives an equal digest, so that anybody can rebuild a release
// and compare.
package image

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// User runs the binary; Group is its only group. Pods of the operator and of
// desks name the same number, because Kubernetes cannot tell from a name that
// it is not root's.
const (
	User  = 65532
	Group = 65532
)

// Options are what an image says of itself.
type Options struct {
	// Version of the release.
	Version string
	// Revision is the commit of the source.
	Revision string
	// Created is the time of the source, never of the build; the zero value is 1970.
	Created time.Time
}

// Labels that the OCI image specification has names for.
func (o *Options) labels() map[string]string {
	return map[string]string{
		"org.opencontainers.image.title":       "deskfleet",
		"org.opencontainers.image.description": "Customer-service desks on Kubernetes",
		"org.opencontainers.image.licenses":    "Apache-2.0",
		"org.opencontainers.image.source":      "https://github.com/deskfleet/deskfleet",
		"org.opencontainers.image.version":     o.Version,
		"org.opencontainers.image.revision":    o.Revision,
	}
}

func (o *Options) created() time.Time {
	if o.Created.IsZero() {
		return time.Unix(0, 0).UTC()
	}
	return o.Created.UTC().Truncate(time.Second)
}

// Build makes the image of a static Linux binary, for the architecture that the
// binary is for.
func Build(binary []byte, options Options) (v1.Image, error) {
	architecture, err := architectureOf(binary)
	if err != nil {
		return nil, err
	}
	created := options.created()
	files, err := rootFS(binary, created)
	if err != nil {
		return nil, fmt.Errorf("pack the image's files: %w", err)
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(files)), nil
	}, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, fmt.Errorf("make the image's layer: %w", err)
	}
	base := mutate.MediaType(mutate.ConfigMediaType(empty.Image, types.OCIConfigJSON), types.OCIManifestSchema1)
	image, err := mutate.Append(base, mutate.Addendum{
		Layer: layer, MediaType: types.OCILayer,
		History: v1.History{Created: v1.Time{Time: created}, CreatedBy: "deskfleet hack/image"},
	})
	if err != nil {
		return nil, fmt.Errorf("add the image's layer: %w", err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("read the image's configuration: %w", err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", architecture
	config.Created = v1.Time{Time: created}
	config.Config = v1.Config{
		User:       fmt.Sprintf("%d:%d", User, Group),
		Entrypoint: []string{"/deskfleet"},
		Env:        []string{"PATH=/"},
		WorkingDir: "/",
		Labels:     options.labels(),
	}
	image, err = mutate.ConfigFile(image, config)
	if err != nil {
		return nil, fmt.Errorf("set the image's configuration: %w", err)
	}
	return image, nil
}

// rootFS is the file system of the image as a tar archive. Everything belongs to
// root and only /tmp can be written, so that a role cannot change what it runs.
func rootFS(binary []byte, modified time.Time) ([]byte, error) {
	files := []struct {
		name    string
		mode    int64
		content []byte // nil for a folder
	}{
		{"etc/", 0o755, nil},
		// Libraries ask who the user is; a number without a name is an error to some.
		{"etc/passwd", 0o644, fmt.Appendf(nil, "root:x:0:0:root:/:/none\nnonroot:x:%d:%d:nonroot:/:/none\n", User, Group)},
		{"etc/group", 0o644, fmt.Appendf(nil, "root:x:0:\nnonroot:x:%d:\n", Group)},
		{"tmp/", 0o1777, nil},
		{"deskfleet", 0o755, binary},
	}
	var archive bytes.Buffer
	archive.Grow(len(binary) + 8<<10)
	w := tar.NewWriter(&archive)
	for _, file := range files {
		header := &tar.Header{Typeflag: tar.TypeReg, Name: file.name, Mode: file.mode, Size: int64(len(file.content)), ModTime: modified, Format: tar.FormatPAX}
		if file.content == nil {
			header.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := w.Write(file.content); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return archive.Bytes(), nil
}
