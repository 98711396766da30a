package localcluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// mountPoint is a line of /proc/self/mountinfo.
type mountPoint struct{ Path, Type string }

func mounts() ([]mountPoint, error) {
	raw, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	return parseMounts(string(raw)), nil
}

// parseMounts reads the format of proc_pid_mountinfo(5): the mount point is the
// fifth field, the type follows the separator "-".
func parseMounts(raw string) []mountPoint {
	var out []mountPoint
	for line := range strings.Lines(raw) {
		fields := strings.Fields(line)
		dash := slices.Index(fields, "-")
		if dash < 5 || dash+1 >= len(fields) {
			continue
		}
		out = append(out, mountPoint{Path: unescapeMount(fields[4]), Type: fields[dash+1]})
	}
	return out
}

// unescapeMount undoes the kernel's octal escapes of blanks and backslashes.
func unescapeMount(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

// cgroupRoots returns the cluster's cgroup in each hierarchy of the machine:
// one with cgroup v2, one a controller with v1.
func (c *cluster) cgroupRoots() ([]string, error) {
	all, err := mounts()
	if err != nil {
		return nil, err
	}
	var roots []string
	for _, m := range all {
		if m.Type == "cgroup" || m.Type == "cgroup2" {
			roots = append(roots, filepath.Join(m.Path, c.cgroupRoot()))
		}
	}
	return roots, nil
}

// ensureCgroups makes the cgroup below which the kubelet puts all pods; the
// kubelet refuses to start when its root cgroup is missing.
func (c *cluster) ensureCgroups() error {
	roots, err := c.cgroupRoots()
	if err != nil {
		return err
	}
	if len(roots) == 0 {
		return errors.New("no cgroup file system is mounted: mount one at /sys/fs/cgroup")
	}
	for _, dir := range roots {
		parent := filepath.Dir(dir)
		// On v2 a cgroup has the controllers that its parent hands down.
		if controllers, err := os.ReadFile(filepath.Join(parent, "cgroup.controllers")); err == nil {
			for name := range strings.FieldsSeq(string(controllers)) {
				// A controller that cannot be handed down is missed by the kubelet, with a clear message.
				_ = os.WriteFile(filepath.Join(parent, "cgroup.subtree_control"), []byte("+"+name), 0)
			}
		}
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		// On v1 a new cpuset is empty, and no process may enter an empty one.
		for _, name := range []string{"cpuset.cpus", "cpuset.mems"} {
			if err := inheritCPUSet(parent, dir, name); err != nil {
				return err
			}
		}
	}
	return nil
}

func inheritCPUSet(parent, dir, name string) error {
	now, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil || strings.TrimSpace(string(now)) != "" {
		return nil //nolint:nilerr // not a cpuset hierarchy, or set already
	}
	value, err := os.ReadFile(filepath.Join(parent, name))
	if err != nil || strings.TrimSpace(string(value)) == "" {
		return nil //nolint:nilerr // v2: empty means all of the parent's
	}
	return os.WriteFile(filepath.Join(dir, name), value, 0)
}

// podPIDs returns the processes in the cluster's cgroups.
func podPIDs(roots []string) map[int]bool {
	pids := map[int]bool{}
	for _, root := range roots {
		_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.Name() != "cgroup.procs" {
				return nil //nolint:nilerr // cgroups come and go while pods end
			}
			raw, _ := os.ReadFile(path)
			for field := range strings.FieldsSeq(string(raw)) {
				if pid, err := strconv.Atoi(field); err == nil && pid > 0 {
					pids[pid] = true
				}
			}
			return nil
		})
	}
	return pids
}

// killPods ends every process of every pod. Only pods of this cluster are in
// its cgroups, so that no record of them is needed.
func (c *cluster) killPods(ctx context.Context) error {
	roots, err := c.cgroupRoots()
	if err != nil {
		return err
	}
	ended := pollUntil(ctx, 10*time.Second, func() bool {
		pids := podPIDs(roots)
		for pid := range pids {
			if process, err := os.FindProcess(pid); err == nil {
				_ = process.Kill()
			}
		}
		return len(pids) == 0
	})
	if !ended {
		return fmt.Errorf("processes of pods do not end, not even by SIGKILL: %v", podPIDs(roots))
	}
	return nil
}

// removeCgroups removes the cluster's cgroups, the innermost first.
func (c *cluster) removeCgroups(ctx context.Context) error {
	roots, err := c.cgroupRoots()
	if err != nil {
		return err
	}
	var errs []error
	for _, root := range roots {
		// The kernel gives a cgroup up a moment after its last process.
		var last error
		if !pollUntil(ctx, 5*time.Second, func() bool { last = removeCgroup(root); return last == nil }) {
			errs = append(errs, last)
		}
	}
	return errors.Join(errs...)
}

func removeCgroup(root string) error {
	var dirs []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			dirs = append(dirs, path)
		}
		return nil // what is gone meanwhile is what is wanted
	})
	if err != nil {
		return err
	}
	for _, dir := range slices.Backward(dirs) {
		if err := removeIfExists(dir); err != nil {
			return err
		}
	}
	return nil
}
