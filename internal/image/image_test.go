package image

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

var sourceTime = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

var release = Options{Version: "v0.1.0", Revision: "0123abc", Created: sourceTime}

// program is the smallest ELF file of an architecture, with one segment where a type is given.
func program(t *testing.T, machine elf.Machine, segments ...elf.ProgType) []byte {
	t.Helper()
	header := elf.Header64{
		Type: uint16(elf.ET_EXEC), Machine: uint16(machine), Version: uint32(elf.EV_CURRENT),
		Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: uint16(len(segments)),
	}
	copy(header.Ident[:], elf.ELFMAG)
	header.Ident[elf.EI_CLASS], header.Ident[elf.EI_DATA], header.Ident[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)
	var b bytes.Buffer
	parts := []any{header}
	for _, segment := range segments {
		parts = append(parts, elf.Prog64{Type: uint32(segment)})
	}
	for _, part := range parts {
		if err := binary.Write(&b, binary.LittleEndian, part); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func build(t *testing.T, binary []byte, options Options) v1.Image {
	t.Helper()
	image, err := Build(binary, options)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func digest(t *testing.T, image interface{ Digest() (v1.Hash, error) }) string {
	t.Helper()
	hash, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return hash.String()
}

func TestEqualInputGivesAnEqualDigest(t *testing.T) {
	amd64, arm64 := program(t, elf.EM_X86_64, elf.PT_LOAD), program(t, elf.EM_AARCH64)
	first := digest(t, build(t, amd64, release))
	elsewhere := release
	elsewhere.Created = sourceTime.In(time.FixedZone("east", 8*3600)).Add(500 * time.Millisecond)
	if again := digest(t, build(t, bytes.Clone(amd64), elsewhere)); again != first {
		t.Errorf("the second build has the digest %s, the first %s", again, first)
	}
	later, other := release, release
	later.Created = sourceTime.Add(time.Hour)
	other.Version = "v0.2.0"
	for what, image := range map[string]v1.Image{
		"another time": build(t, amd64, later), "another version": build(t, amd64, other), "another binary": build(t, arm64, release),
	} {
		if digest(t, image) == first {
			t.Errorf("%s gives the same digest", what)
		}
	}
}

func TestHoldsTheBinaryAndNothingElse(t *testing.T) {
	content := program(t, elf.EM_X86_64)
	image := build(t, content, release)
	type entry struct {
		Mode    int64
		Content string
	}
	got := map[string]entry{}
	layers, err := image.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d layers (%v), want 1", len(layers), err)
	}
	files, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(files); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if header.Uid != 0 || header.Gid != 0 || !header.ModTime.Equal(sourceTime) {
			t.Errorf("%s belongs to %d:%d and is of %s; want root's, of %s", header.Name, header.Uid, header.Gid, header.ModTime, sourceTime)
		}
		got[header.Name] = entry{header.Mode, string(data)}
	}
	want := map[string]entry{
		"etc/":       {0o755, ""},
		"etc/passwd": {0o644, "root:x:0:0:root:/:/none\nnonroot:x:65532:65532:nonroot:/:/none\n"},
		"etc/group":  {0o644, "root:x:0:\nnonroot:x:65532:\n"},
		"tmp/":       {0o1777, ""},
		"deskfleet":  {0o755, string(content)},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestSaysHowItRuns(t *testing.T) {
	for machine, architecture := range map[elf.Machine]string{elf.EM_X86_64: "amd64", elf.EM_AARCH64: "arm64"} {
		config, err := build(t, program(t, machine), release).ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		if config.OS != "linux" || config.Architecture != architecture || !config.Created.Time.Equal(sourceTime) {
			t.Errorf("%s: image for %s/%s of %s", machine, config.OS, config.Architecture, config.Created)
		}
		if c := config.Config; c.User != "65532:65532" || len(c.Entrypoint) != 1 || c.Entrypoint[0] != "/deskfleet" || len(c.Cmd) != 0 {
			t.Errorf("%s: runs %v %v as %q", machine, c.Entrypoint, c.Cmd, c.User)
		}
		if l := config.Config.Labels; l["org.opencontainers.image.version"] != "v0.1.0" || l["org.opencontainers.image.revision"] != "0123abc" {
			t.Errorf("%s: labels %v", machine, l)
		}
	}
}

func TestRefusesWhatWouldNotStart(t *testing.T) {
	for name, c := range map[string]struct {
		binary []byte
		remedy string
	}{
		"no program":       {[]byte("#!/bin/sh\n"), "GOOS=linux"},
		"empty":            {nil, "GOOS=linux"},
		"with C library":   {program(t, elf.EM_X86_64, elf.PT_LOAD, elf.PT_INTERP), "CGO_ENABLED=0"},
		"rare machine":     {program(t, elf.EM_S390), "GOARCH=amd64"},
		"cut in the table": {program(t, elf.EM_X86_64, elf.PT_LOAD)[:70], "GOOS=linux"},
	} {
		if _, err := Build(c.binary, release); err == nil || !strings.Contains(err.Error(), c.remedy) {
			t.Errorf("%s: error %v, want one that says %s", name, err, c.remedy)
		}
	}
}

func TestArchiveHoldsTheImageUnderItsName(t *testing.T) {
	const ref = "deskfleet.local/deskfleet:dev"
	image := build(t, program(t, elf.EM_X86_64), release)
	var archive bytes.Buffer
	if err := WriteArchive(&archive, ref, image); err != nil {
		t.Fatal(err)
	}
	tag, err := name.NewTag(ref)
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := tarball.Image(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive.Bytes())), nil }, &tag)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(loaded); err != nil {
		t.Error(err)
	}
	want, err := image.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := loaded.ConfigName(); err != nil || got != want {
		t.Errorf("the archive holds the image %s (%v), want %s", got, err, want)
	}
	if err := WriteArchive(io.Discard, "Not A Name", image); err == nil || !strings.Contains(err.Error(), "NAME:TAG") {
		t.Errorf("a bad reference: %v", err)
	}
}

func TestPushedOnceForAllArchitectures(t *testing.T) {
	server := httptest.NewServer(registry.New())
	defer server.Close()
	ref := strings.TrimPrefix(server.URL, "http://") + "/team/deskfleet:v0.1.0"
	amd64, arm64 := build(t, program(t, elf.EM_X86_64), release), build(t, program(t, elf.EM_AARCH64), release)
	pushed, err := Push(t.Context(), ref, amd64, arm64)
	if err != nil {
		t.Fatal(err)
	}
	tag, err := name.ParseReference(ref)
	if err != nil {
		t.Fatal(err)
	}
	for architecture, want := range map[string]v1.Image{"amd64": amd64, "arm64": arm64} {
		got, err := remote.Image(tag, remote.WithPlatform(v1.Platform{OS: "linux", Architecture: architecture}))
		if err != nil {
			t.Fatal(err)
		}
		if digest(t, got) != digest(t, want) {
			t.Errorf("%s: the registry gives %s, pushed was %s", architecture, digest(t, got), digest(t, want))
		}
	}
	index, err := remote.Index(tag)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(index); err != nil {
		t.Error(err)
	}
	if digest(t, index) != pushed.String() {
		t.Errorf("the reference has the digest %s, Push says %s", digest(t, index), pushed)
	}
	if _, err := Push(t.Context(), ref, amd64, amd64); err == nil || !strings.Contains(err.Error(), "linux/amd64") {
		t.Errorf("two images for one architecture: %v", err)
	}
	if _, err := Push(t.Context(), ref); err == nil {
		t.Error("nothing was pushed without an error")
	}
}
