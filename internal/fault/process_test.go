package fault

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/deskfleet/deskfleet/internal/testing/eventually"
)

// process is a role of the desk: a child of the test.
type process struct {
	t    testing.TB
	spec spec
	log  string

	mu      sync.Mutex
	command *exec.Cmd
	stdin   io.Closer
	// from is where the log of this start begins.
	from int64
	// ended is closed when the process has ended.
	ended chan struct{}
}

// spawn starts a role that ends with the test. Its log is shown when the test fails.
func spawn(t testing.TB, s *spec) *process {
	t.Helper()
	p := &process{t: t, spec: *s, log: filepath.Join(t.TempDir(), s.Name+".log")}
	p.start()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			p.show()
		}
	})
	return p
}

// start starts the process, anew if it has ended.
func (p *process) start() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	text, err := json.Marshal(&p.spec)
	if err != nil {
		p.t.Fatal(err)
	}
	file, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	if info, err := file.Stat(); err == nil {
		p.from = info.Size()
	}
	binary, err := os.Executable()
	if err != nil {
		p.t.Fatal(err)
	}
	p.command = exec.Command(binary) // the test itself, which ends it
	p.command.Env = append(os.Environ(), roleVariable+"="+string(text))
	p.command.Stdout, p.command.Stderr = file, file
	if p.stdin, err = p.command.StdinPipe(); err != nil {
		p.t.Fatal(err)
	}
	if err := p.command.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.ended = make(chan struct{})
	go func(c *exec.Cmd, ended chan struct{}) {
		_ = c.Wait() // how it ended is the test's own doing
		close(ended)
	}(p.command, p.ended)
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.command.Process.Signal(s); err != nil && !strings.Contains(err.Error(), "already finished") {
		p.t.Fatal(err)
	}
}

// revive starts the process anew if it has ended, as a cluster does.
func (p *process) revive() {
	select {
	case <-p.ended:
		p.start()
	default:
	}
}

// kill by SIGKILL.
func (p *process) kill() {
	p.t.Helper()
	p.signal(os.Kill)
	p.wait()
}

// stop the process gracefully.
func (p *process) stop() {
	p.t.Helper()
	p.release()
	p.wait()
}

// release tells the process to end, and does not wait for it.
func (p *process) release() { _ = p.stdin.Close() }

// wait until the process has ended.
func (p *process) wait() {
	p.t.Helper()
	timer := time.NewTimer(eventually.Limit)
	defer timer.Stop()
	select {
	case <-p.ended:
	case <-timer.C:
		p.t.Fatalf("%s does not end", p.spec.Name)
	}
	_ = p.stdin.Close()
}

// pause by SIGSTOP, and resume by SIGCONT.
func (p *process) pause()  { p.signal(syscall.SIGSTOP) }
func (p *process) resume() { p.signal(syscall.SIGCONT) }

// says waits until the process has logged a text since it was started.
func (p *process) says(text string) {
	p.t.Helper()
	eventually.True(p.t, p.spec.Name+" says "+text, func() bool {
		data, err := os.ReadFile(p.log)
		return err == nil && strings.Contains(string(data[p.from:]), text)
	})
}

// shown of a log is its end.
const shown = 12 << 10

func (p *process) show() {
	data, err := os.ReadFile(p.log)
	if err != nil {
		p.t.Log(err)
		return
	}
	p.t.Logf("%s:\n%s", p.spec.Name, data[max(0, len(data)-shown):])
}
