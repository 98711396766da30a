package localcluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// buildNotice is the time between two signs of life of a running build.
	buildNotice = 15 * time.Second
	lockPoll    = 500 * time.Millisecond
)

// builder builds programs into the cache.
type builder struct {
	root  string // of the product's module
	cache string
	out   io.Writer
}

func newBuilder(cacheDir string, out io.Writer) (*builder, error) {
	wd, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	root, err := repoRoot(wd)
	if err != nil {
		return nil, err
	}
	if cacheDir == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return nil, fmt.Errorf("no folder to keep built binaries in (set HOME or XDG_CACHE_HOME): %w", err)
		}
		cacheDir = filepath.Join(user, "deskfleet", "localcluster")
	}
	return &builder{root: root, cache: cacheDir, out: out}, nil
}

// binaries maps a program's name to where it lies and which version it is.
type binaries map[string]builtProgram

type builtProgram struct{ Path, Version string }

// job is one program that is still to be built.
type job struct {
	program
	dir     string // folder of the module
	target  string
	version string
	ldflags []string
}

// ensure returns the wanted programs of the wanted modules, built where they are missing.
// No names of programs means all of a module.
func (b *builder) ensure(ctx context.Context, wanted map[string][]string) (binaries, error) {
	found, jobs, err := b.plan(wanted)
	if err != nil || len(jobs) == 0 {
		return found, err
	}
	unlock, err := b.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	// Another process may have built them while this one waited.
	if found, jobs, err = b.plan(wanted); err != nil {
		return nil, err
	}
	for i, j := range jobs {
		if err := b.build(ctx, j, i+1, len(jobs)); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func (b *builder) plan(wanted map[string][]string) (binaries, []job, error) {
	found, jobs := binaries{}, []job(nil)
	for _, m := range modules {
		names, ok := wanted[m.name]
		if !ok {
			continue
		}
		goMod, err := os.ReadFile(filepath.Join(b.root, m.dir, "go.mod"))
		if err != nil {
			return nil, nil, err
		}
		version, err := requiredVersion(goMod, m.path)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", m.dir, err)
		}
		for _, p := range m.programs {
			if len(names) > 0 && !slices.Contains(names, p.name) {
				continue
			}
			target := filepath.Join(b.cache, cacheKey(m.name, version), p.name)
			found[p.name] = builtProgram{Path: target, Version: version}
			if isExecutable(target) {
				continue
			}
			j := job{program: p, dir: filepath.Join(b.root, m.dir), target: target, version: version}
			if m.version != nil {
				j.ldflags = m.version(version)
			}
			jobs = append(jobs, j)
		}
	}
	return found, jobs, nil
}

// cacheKey names a cache folder: binaries of another version or machine type lie elsewhere.
func cacheKey(name, version string) string {
	key := name + "-" + version
	if runtime.GOARCH != "amd64" || runtime.GOOS != "linux" {
		key += "-" + runtime.GOOS + "-" + runtime.GOARCH
	}
	return key
}

func isExecutable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 && info.Size() > 0
}

// lock keeps two processes from building at once: on a small machine that is
// slower than one after the other.
func (b *builder) lock(ctx context.Context) (func(), error) {
	if err := os.MkdirAll(b.cache, 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join(b.cache, ".lock"), os.O_RDONLY|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	return lockFile(ctx, file, func() {
		b.say("waiting for another process that builds into %s", b.cache)
	})
}

// lockFile takes an exclusive lock on an open file or folder, and owns it from
// then on. The lock ends with the process at the latest; busy is called once
// when somebody else has it.
func lockFile(ctx context.Context, file *os.File, busy func()) (unlock func(), err error) {
	ticker := time.NewTicker(lockPoll)
	defer ticker.Stop()
	for told := false; ; told = true {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { _ = file.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", file.Name(), err), file.Close())
		}
		if !told {
			busy()
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("lock %s: %w", file.Name(), ctx.Err()), file.Close())
		case <-ticker.C:
		}
	}
}

func (b *builder) build(ctx context.Context, j job, n, of int) error {
	if err := os.MkdirAll(filepath.Dir(j.target), 0o755); err != nil {
		return err
	}
	b.say("building %s %s (%d of %d); kept in %s", j.name, j.version, n, of, filepath.Dir(j.target))
	start := time.Now()
	done := everyNotice(func() {
		b.say("  still building %s (%d of %d), %s", j.name, n, of, time.Since(start).Round(time.Second))
	})
	err := goBuild(ctx, buildSpec{dir: j.dir, pkg: j.pkg, target: j.target, definitions: j.ldflags, static: true})
	done()
	if err != nil {
		return fmt.Errorf("build %s %s: %w", j.name, j.version, err)
	}
	b.say("  built %s in %s", j.name, time.Since(start).Round(100*time.Millisecond))
	return nil
}

// say prints a line of progress; a closed terminal is no reason to stop building.
func (b *builder) say(format string, args ...any) {
	_, _ = fmt.Fprintf(b.out, format+"\n", args...)
}

// everyNotice calls a function every buildNotice until the returned function is called.
func everyNotice(call func()) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		ticker := time.NewTicker(buildNotice)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				call()
			}
		}
	}()
	return func() { cancel(); <-finished }
}

// buildSpec is one run of "go build".
type buildSpec struct {
	dir, pkg, target string
	definitions      []string // for the linker's -X
	// static makes a program without paths of this machine that runs in an empty
	// image. Without it the build shares the build cache with "go run" and "go
	// test", which for a client of Kubernetes saves minutes.
	static bool
}

// goBuild builds one program and puts it in place in one step, so that a
// broken build never leaves half a program in the cache.
func goBuild(ctx context.Context, s buildSpec) error {
	goTool, err := exec.LookPath("go")
	if err != nil {
		return fmt.Errorf("the Go tool is needed to build it: install Go and put it on PATH: %w", err)
	}
	tmp, err := os.MkdirTemp(filepath.Dir(s.target), ".build-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	built := filepath.Join(tmp, filepath.Base(s.target))
	args := []string{"build", "-mod=readonly", "-o", built}
	if s.static {
		ldflags := []string{"-s", "-w"}
		for _, d := range s.definitions {
			ldflags = append(ldflags, "-X", d)
		}
		args = append(args, "-trimpath", "-ldflags", strings.Join(ldflags, " "))
	}
	cmd := exec.CommandContext(ctx, goTool, append(args, s.pkg)...)
	cmd.Dir = s.dir
	cmd.Env = buildEnv(os.Environ(), s.static)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%w\n%s", err, bytes.TrimSpace(output.Bytes()))
	}
	return os.Rename(built, s.target)
}

// buildEnv takes out of an environment what would change the result or break
// the build: flags of an outer "go test" or cross build, a workspace.
// GOFLAGS is set, not emptied: an empty one falls back to "go env -w" settings.
func buildEnv(environ []string, static bool) []string {
	own := map[string]string{
		"GOFLAGS": "-buildvcs=false", "GOWORK": "off", "GOOS": runtime.GOOS, "GOARCH": runtime.GOARCH,
	}
	if static {
		own["CGO_ENABLED"] = "0"
	}
	var env []string
	for _, kv := range environ {
		name, _, _ := strings.Cut(kv, "=")
		if _, ok := own[name]; !ok {
			env = append(env, kv)
		}
	}
	for name, value := range own {
		env = append(env, name+"="+value)
	}
	return env
}
