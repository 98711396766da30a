package localcluster

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// fakeProc is a proc file system with one process.
func fakeProc(t *testing.T, boot string, pid int, stat string) procFS {
	t.Helper()
	root := t.TempDir()
	for path, content := range map[string]string{
		"sys/kernel/random/boot_id":              boot + "\n",
		filepath.Join(strconv.Itoa(pid), "stat"): stat,
	} {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return procFS(root)
}

// statLine is a line of /proc/PID/stat with start time 4711.
func statLine(name, state string) string {
	return "42 (" + name + ") " + state + " 1 42 42 0 -1 4194560 100 0 0 0 5 6 0 0 20 0 12 0 4711 1000 200 18446744073709551615 1 1\n"
}

func TestOnlyTheRecordedProcessIsAlive(t *testing.T) {
	for name, tc := range map[string]struct {
		stat  string
		boot  string
		pid   int
		alive bool
	}{
		"itself":                       {statLine("etcd", "S"), "boot-1", 42, true},
		"running":                      {statLine("etcd", "R"), "boot-1", 42, true},
		"name with blanks and bracket": {statLine("a) R 1 (b", "S"), "boot-1", 42, true},
		"zombie":                       {statLine("etcd", "Z"), "boot-1", 42, false},
		"dead":                         {statLine("etcd", "X"), "boot-1", 42, false},
		"the pid given to another":     {strings.Replace(statLine("bash", "S"), "4711", "9999", 1), "boot-1", 42, false},
		"same numbers, another boot":   {statLine("etcd", "S"), "boot-2", 42, false},
		"gone":                         {statLine("etcd", "S"), "boot-1", 43, false},
		"unreadable":                   {"42 (etcd", "boot-1", 42, false},
		"empty":                        {"", "boot-1", 42, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := &record{PID: tc.pid, Start: 4711, Boot: "boot-1"}
			if got := r.alive(fakeProc(t, tc.boot, 42, tc.stat)); got != tc.alive {
				t.Errorf("alive is %t", got)
			}
		})
	}
	if (*record)(nil).alive(proc) {
		t.Error("no record is alive")
	}
}

func startSleep(t *testing.T) (*record, <-chan struct{}) {
	t.Helper()
	if _, err := os.Stat(string(proc) + "/self/stat"); err != nil {
		t.Skipf("needs a proc file system: %v", err)
	}
	sleep, err := findProgram("sleep")
	if err != nil {
		t.Skip(err)
	}
	r, exited, err := spawn(sleep, []string{"1000"}, filepath.Join(t.TempDir(), "logs", "sleep.log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.stop(t.Context(), time.Second) })
	return r, exited
}

func TestStopEndsTheRecordedProcess(t *testing.T) {
	r, exited := startSleep(t)
	if !r.alive(proc) {
		t.Fatal("a process just started is not alive")
	}
	if err := r.stop(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	<-exited
	if r.alive(proc) {
		t.Error("it still runs")
	}
	if err := r.stop(t.Context(), time.Minute); err != nil {
		t.Errorf("a second stop: %v", err)
	}
}

func TestStopLeavesAStrangerWithTheSamePidAlone(t *testing.T) {
	r, exited := startSleep(t)
	old := *r
	old.Start-- // the recorded process ended and this one got its pid
	if err := old.stop(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	select {
	case <-exited:
		t.Error("a stranger was killed")
	default:
	}
	if !r.alive(proc) {
		t.Error("a stranger was killed")
	}
	if err := r.stop(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
}

func TestStopKillsWhatIgnoresTheRequest(t *testing.T) {
	shell, err := findProgram("sh")
	if err != nil {
		t.Skip(err)
	}
	ready := filepath.Join(t.TempDir(), "ready")
	r, exited, err := spawn(shell, []string{"-c", "trap '' TERM; : >" + ready + "; while :; do sleep 1000; done"}, filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	if !pollUntil(t.Context(), time.Minute, func() bool { _, err := os.Stat(ready); return err == nil }) {
		t.Fatal("the shell did not begin")
	}
	if err := r.stop(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	<-exited
}

func TestSpawnedProcessIsDetachedAndLogs(t *testing.T) {
	shell, err := findProgram("sh")
	if err != nil {
		t.Skip(err)
	}
	t.Setenv("DESKFLEET_TEST_TOKEN", "hush")
	log := filepath.Join(t.TempDir(), "deep", "log")
	r, exited, err := spawn(shell, []string{"-c", `echo "token=$DESKFLEET_TEST_TOKEN"; cut -d' ' -f6 /proc/$$/stat; echo $$; echo fault >&2`}, log)
	if err != nil {
		t.Fatal(err)
	}
	<-exited
	got, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	pid := strconv.Itoa(r.PID)
	// The session's number is its own pid; the caller's environment is not handed on.
	if want := "token=\n" + pid + "\n" + pid + "\nfault\n"; string(got) != want {
		t.Errorf("log %q, want %q", got, want)
	}
	if got := tail(log, 2); got != pid+"\nfault" {
		t.Errorf("end of the log: %q", got)
	}
}

func TestRecordRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run", "etcd.json")
	if r, err := readRecord(path); r != nil || err != nil {
		t.Fatalf("missing record: %v, %v", r, err)
	}
	want := record{Component: "etcd", PID: 42, Start: 1 << 60, Boot: "b", Spec: "s", Version: "v1", Since: testNow, Log: "/l"}
	if err := want.write(path); err != nil {
		t.Fatal(err)
	}
	got, err := readRecord(path)
	if err != nil || *got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	if err := os.WriteFile(path, []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := readRecord(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a broken record: %v", err)
	}
}

func TestRunReportsWhatTheCommandSaid(t *testing.T) {
	_, err := run(t.Context(), "sh", "-c", "echo the cause >&2; exit 3")
	if err == nil || !strings.Contains(err.Error(), "the cause") || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("error is %v", err)
	}
	out, err := runInput(t.Context(), []byte("in"), "cat")
	if err != nil || string(out) != "in" {
		t.Errorf("%q, %v", out, err)
	}
	if _, err := run(t.Context(), "no-such-program-here"); err == nil || errors.Is(err, os.ErrPermission) {
		t.Errorf("a missing program: %v", err)
	}
}
