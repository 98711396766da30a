package localcluster

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed" // the source of the pause program names its image
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

//go:embed pause/main.go
var pauseSource []byte

// pauseImage is the image of every pod's first container.
type pauseImage struct {
	ref string // what containerd's sandbox_image names
	tar string // archive in the cache
}

// pauseRepository has a registry name that no name server knows.
const pauseRepository = "deskfleet.local/pause"

// ensurePause builds the pause program and its image archive once a version of its source.
func (b *builder) ensurePause(ctx context.Context) (pauseImage, error) {
	sum := sha256.Sum256(pauseSource)
	version := hex.EncodeToString(sum[:6])
	dir := filepath.Join(b.cache, cacheKey("pause", version))
	image := pauseImage{ref: pauseRepository + ":" + version, tar: filepath.Join(dir, "pause.tar")}
	if _, err := os.Stat(image.tar); err == nil {
		return image, nil
	}
	unlock, err := b.lock(ctx)
	if err != nil {
		return image, err
	}
	defer unlock()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return image, err
	}
	program := filepath.Join(dir, "pause")
	if err := goBuild(ctx, buildSpec{dir: b.root, pkg: "./internal/localcluster/pause", target: program, static: true}); err != nil {
		return image, fmt.Errorf("build the pause program: %w", err)
	}
	content, err := os.ReadFile(program)
	if err != nil {
		return image, err
	}
	archive, err := ImageArchive(image.ref, "pause", content)
	if err != nil {
		return image, err
	}
	return image, writeFile(image.tar, archive, 0o644)
}

// ImageArchive returns a Docker image archive with one static program at
// /NAME, which is the entry point and runs as user 65535. Equal input gives an equal digest.
func ImageArchive(ref, program string, content []byte) ([]byte, error) {
	tag, err := name.NewTag(ref)
	if err != nil {
		return nil, fmt.Errorf("image reference %q: %w", ref, err)
	}
	var files bytes.Buffer
	w := tar.NewWriter(&files)
	if err := w.WriteHeader(&tar.Header{Name: program, Mode: 0o755, Size: int64(len(content)), ModTime: time.Unix(0, 0)}); err != nil {
		return nil, err
	}
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(files.Bytes())), nil
	})
	if err != nil {
		return nil, err
	}
	image, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", runtime.GOARCH
	config.Config = v1.Config{Entrypoint: []string{"/" + program}, User: "65535:65535"}
	if image, err = mutate.ConfigFile(image, config); err != nil {
		return nil, err
	}
	var archive bytes.Buffer
	if err := tarball.Write(tag, image, &archive); err != nil {
		return nil, err
	}
	return archive.Bytes(), nil
}

// importImage loads an archive into the cluster's containerd and returns the names of its images.
func (c *cluster) importImage(ctx context.Context, path string) ([]string, error) {
	out, err := run(ctx, "ctr", "--address", c.containerdSocket(), "--namespace", "k8s.io", "images", "import", path)
	if err != nil {
		return nil, fmt.Errorf("load image archive %s: %w", path, err)
	}
	var names []string
	for line := range strings.Lines(string(out)) {
		// "unpacking NAME (DIGEST)...done"
		if rest, ok := strings.CutPrefix(line, "unpacking "); ok {
			image, _, _ := strings.Cut(rest, " ")
			names = append(names, image)
		}
	}
	return names, nil
}

// LoadImage imports a Docker or OCI image archive into a running cluster and
// returns the names by which pods can use its images. Nothing is pulled in this
// cluster, so pods need imagePullPolicy IfNotPresent or Never.
func LoadImage(ctx context.Context, o Options, archive string) ([]string, error) {
	if err := requireRoot(); err != nil {
		return nil, err
	}
	c, err := newCluster(o, io.Discard)
	if err != nil {
		return nil, err
	}
	r, err := readRecord(c.record(containerdName))
	if err != nil {
		return nil, err
	}
	if !r.alive(proc) {
		return nil, fmt.Errorf("cluster %s does not run (no containerd): start it first", c.Name)
	}
	path, err := filepath.Abs(archive)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	return c.importImage(ctx, path)
}
