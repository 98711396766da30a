//go:build linux

package calendar

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const inEmptyImage = "CALENDAR_TEST_IN_EMPTY_IMAGE"

// TestZonesInAnEmptyImage runs this test's binary alone in an empty root, as the image holds nothing
// but the binary: without the embedded database no zone but UTC would load.
func TestZonesInAnEmptyImage(t *testing.T) {
	if os.Getenv(inEmptyImage) != "" {
		if _, err := os.Stat("/usr/share/zoneinfo"); err == nil {
			t.Fatal("the root is not empty")
		}
		c := mustCompile(t, Declaration{TimeZone: "Asia/Shanghai", OpeningHours: []OpeningHours{hours(everyDay, "09:00-18:00")}})
		if !c.IsOpen(time.Date(2026, 10, 16, 1, 0, 0, 0, time.UTC)) {
			t.Error("closed at 09:00 in Shanghai")
		}
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can change the root of a process")
	}
	root := t.TempDir()
	copyTestBinary(t, filepath.Join(root, "test"))
	command := exec.CommandContext(t.Context(), "/test", "-test.run=^TestZonesInAnEmptyImage$", "-test.v")
	command.Dir = "/"
	command.Env = []string{inEmptyImage + "=1"}
	command.SysProcAttr = &syscall.SysProcAttr{Chroot: root}
	out, err := command.CombinedOutput()
	if err != nil && len(out) == 0 {
		t.Skipf("the test's binary is not static (race detector) or the root cannot be changed: %v", err)
	}
	if err != nil || !strings.Contains(string(out), "--- PASS: TestZonesInAnEmptyImage") {
		t.Errorf("%v\n%s", err, out)
	}
}

func copyTestBinary(t *testing.T, to string) {
	t.Helper()
	name, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	from, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = from.Close() }()
	file, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o700)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(file, from); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}
