package localcluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// procFS is the root of a proc file system; tests give another.
type procFS string

const proc procFS = "/proc"

// record is what the tool remembers of a process it started. Pid, start time
// and boot together name one process for ever: a pid alone is given to another
// process after a while, and that one must never be killed.
type record struct {
	Component string    `json:"component"`
	PID       int       `json:"pid"`
	Start     uint64    `json:"startTicks"` // clock ticks after boot, from /proc/PID/stat
	Boot      string    `json:"bootID"`
	Spec      string    `json:"spec"` // digest of command and files; another one means restart
	Version   string    `json:"version,omitzero"`
	Since     time.Time `json:"since"`
	Log       string    `json:"log"`
}

// startTicks returns when a process started and whether it still runs; a zombie does not.
func (p procFS) startTicks(pid int) (ticks uint64, running bool, err error) {
	raw, err := os.ReadFile(filepath.Join(string(p), strconv.Itoa(pid), "stat"))
	if err != nil {
		return 0, false, err
	}
	// The second field is the program's name in parentheses and may itself hold both ")" and blanks.
	_, rest, found := bytes.Cut(raw[bytes.LastIndexByte(raw, ')')+1:], []byte(" "))
	fields := bytes.Fields(rest)
	const stateField, startField = 0, 19 // fields 3 and 22 of proc_pid_stat(5)
	if !found || len(fields) <= startField {
		return 0, false, fmt.Errorf("%s/%d/stat: unknown format", p, pid)
	}
	ticks, err = strconv.ParseUint(string(fields[startField]), 10, 64)
	state := fields[stateField][0]
	return ticks, state != 'Z' && state != 'X', err
}

func (p procFS) bootID() (string, error) {
	raw, err := os.ReadFile(filepath.Join(string(p), "sys/kernel/random/boot_id"))
	return string(bytes.TrimSpace(raw)), err
}

// alive reports whether the recorded process itself, not a successor of its pid, runs.
func (r *record) alive(p procFS) bool {
	if r == nil || r.PID <= 0 {
		return false
	}
	boot, err := p.bootID()
	if err != nil || boot != r.Boot {
		return false
	}
	ticks, running, err := p.startTicks(r.PID)
	return err == nil && running && ticks == r.Start
}

// readRecord returns nil when there is none.
func readRecord(path string) (*record, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r := &record{}
	if err := json.Unmarshal(raw, r); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

func (r *record) write(path string) error {
	raw, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(path, append(raw, '\n'), 0o644)
}

// childEnv is small on purpose: a proxy or a token of the caller's environment
// is no business of a cluster.
var childEnv = []string{"PATH=" + strings.Join(systemDirs, ":"), "HOME=/root", "LANG=C.UTF-8"}

// spawn starts a detached process: a session of its own, output to a file, no
// terminal. It outlives the caller; exited is closed should it end before.
func spawn(path string, args []string, logPath string) (r *record, exited <-chan struct{}, err error) {
	if err := os.MkdirAll(filepath.Dir(logPath), 0o755); err != nil {
		return nil, nil, err
	}
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, nil, err
	}
	defer log.Close()                  //nolint:errcheck // the child has its own descriptor
	cmd := exec.Command(path, args...) //nolint:noctx // the component outlives this command //nolint:noctx // the child outlives whoever starts it
	cmd.Dir, cmd.Env = "/", childEnv
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	boot, err := proc.bootID()
	if err != nil {
		return nil, nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	// Not yet waited for, so the pid cannot have been given to anybody else.
	ticks, _, err := proc.startTicks(cmd.Process.Pid)
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // how it ended is in its log
		close(ended)
	}()
	if err != nil {
		return nil, nil, errors.Join(err, cmd.Process.Kill())
	}
	return &record{PID: cmd.Process.Pid, Start: ticks, Boot: boot, Log: logPath, Since: time.Now().UTC().Truncate(time.Second)}, ended, nil
}

const (
	stopPoll = 50 * time.Millisecond
	// killWait is how long a killed process may take to vanish.
	killWait = 5 * time.Second
)

// stop ends the recorded process: SIGTERM, after grace SIGKILL. A process that
// is not the recorded one is left alone.
func (r *record) stop(ctx context.Context, grace time.Duration) error {
	if r == nil {
		return nil
	}
	// The handle is taken before the identity is checked: it keeps meaning the
	// checked process even if that ends and its pid is given away in between.
	process, err := os.FindProcess(r.PID)
	if err != nil {
		return nil // it is gone
	}
	defer process.Release() //nolint:errcheck // nothing to do about it
	if !r.alive(proc) {
		return nil
	}
	for _, step := range []struct {
		signal os.Signal
		wait   time.Duration
	}{{syscall.SIGTERM, grace}, {syscall.SIGKILL, killWait}} {
		if err := process.Signal(step.signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("end %s (pid %d): %w", r.Component, r.PID, err)
		}
		if pollUntil(ctx, step.wait, func() bool { return !r.alive(proc) }) {
			return nil
		}
	}
	return fmt.Errorf("%s (pid %d) does not end, not even by SIGKILL", r.Component, r.PID)
}

// pollUntil asks until the answer is yes or the time is over.
func pollUntil(ctx context.Context, limit time.Duration, done func() bool) bool {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ticker := time.NewTicker(stopPoll)
	defer ticker.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			return done()
		case <-ticker.C:
		}
	}
	return true
}

// tail returns the last lines of a file, for error messages.
func tail(path string, lines int) string {
	file, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer file.Close() //nolint:errcheck // only read
	const window = 16 << 10
	if info, err := file.Stat(); err == nil && info.Size() > window {
		_, _ = file.Seek(-window, 2)
	}
	buf := make([]byte, window)
	n, _ := file.Read(buf)
	return lastLines(buf[:n], lines)
}

func lastLines(text []byte, n int) string {
	lines := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// run runs a command to its end; an error carries what the command said.
func run(ctx context.Context, name string, args ...string) ([]byte, error) {
	return runInput(ctx, nil, name, args...)
}

func runInput(ctx context.Context, input []byte, name string, args ...string) ([]byte, error) {
	path, err := findProgram(name)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = childEnv
	cmd.Stdin = bytes.NewReader(input)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s %s: %w: %s", filepath.Base(name), strings.Join(args, " "), err, lastLines(stderr.Bytes(), 5))
	}
	return stdout.Bytes(), nil
}
