package localcluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Down ends the cluster and removes everything it made except built binaries
// and installed packages: pods, processes, mounts, devices, routes, nftables
// tables, cgroups and the state folder; kernel settings get their old values.
// It then looks for remains and returns an error that lists them. On a fault the
// state folder stays, so that it can be called again. A cluster that does not
// exist is no error.
func Down(ctx context.Context, o Options, out io.Writer) error {
	c, err := newCluster(o, out)
	if err != nil {
		return err
	}
	if err := requireRoot(); err != nil {
		return err
	}
	unlock, err := c.lockState(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	found, err := c.exists()
	if err != nil {
		return err
	}
	if !found {
		c.say("cluster %s does not exist (no %s)", c.Name, c.host())
	} else if err := errors.Join(c.adopt(), c.down(ctx)); err != nil {
		return fmt.Errorf("cluster %s is not wholly down; mend the cause and run down again: %w", c.Name, err)
	}
	c.dropBase()
	left, err := c.leftovers(ctx)
	if err != nil {
		return err
	}
	if len(left) > 0 {
		return fmt.Errorf("left on this machine:\n  %s", strings.Join(left, "\n  "))
	}
	c.say("cluster %s is down, nothing is left", c.Name)
	return nil
}

func (c *cluster) down(ctx context.Context) error {
	before, err := c.readHost()
	if err != nil {
		return err
	}
	if err := c.endProcesses(ctx); err != nil {
		return err
	}
	c.say("processes and pods have ended")
	sockets, err := c.shimSockets()
	if err != nil {
		return err
	}
	if err := errors.Join(
		c.unmountAll(),
		c.deleteNetwork(ctx, before),
		c.removeCgroups(ctx),
		c.removeShared(before, sockets),
		restoreSysctls(before),
	); err != nil {
		return err
	}
	return c.removeState()
}

// endProcesses ends what would start others first: the kubelet restarts pods, controllers make new ones.
func (c *cluster) endProcesses(ctx context.Context) error {
	records, err := c.records()
	if err != nil {
		return err
	}
	// Each step needs the ones after it: while containerd runs, it tells the shims
	// of ended pods to end and clears their sockets; an API server without etcd
	// waits for it before it ends.
	last := []string{containerdName, apiserverName, etcdName}
	if err := stopAll(ctx, records, func(name string) bool { return !slices.Contains(last, name) }); err != nil {
		return err
	}
	if err := c.killPods(ctx); err != nil {
		return err
	}
	if err := stopAll(ctx, records, func(name string) bool { return name != etcdName }); err != nil {
		return err
	}
	if err := records[etcdName].stop(ctx, stopGrace); err != nil {
		return err
	}
	return c.killShims(ctx)
}

func stopAll(ctx context.Context, records map[string]*record, which func(string) bool) error {
	var group sync.WaitGroup
	errs := make([]error, len(records))
	i := 0
	for name, r := range records {
		if which(name) {
			slot := &errs[i]
			group.Go(func() { *slot = r.stop(ctx, stopGrace) })
		}
		i++
	}
	group.Wait()
	return errors.Join(errs...)
}

// shims returns the processes that hold this cluster's containers: they are
// children of nobody and name our containerd's socket in their command line.
func (c *cluster) shims() ([]int, error) {
	entries, err := os.ReadDir(string(proc))
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(string(proc), e.Name(), "cmdline"))
		if err == nil && isShim(raw, c.containerdSocket()) {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

func isShim(cmdline []byte, socket string) bool {
	args := strings.Split(string(bytes.TrimRight(cmdline, "\x00")), "\x00")
	i := slices.Index(args, "-address")
	return filepath.Base(args[0]) == "containerd-shim-runc-v2" && i >= 0 && i+1 < len(args) && args[i+1] == socket
}

func (c *cluster) killShims(ctx context.Context) error {
	var pids []int
	var err error
	ended := pollUntil(ctx, 10*time.Second, func() bool {
		if pids, err = c.shims(); err != nil {
			return true
		}
		for _, pid := range pids {
			if process, err := os.FindProcess(pid); err == nil {
				_ = process.Kill()
			}
		}
		return len(pids) == 0
	})
	if !ended {
		return fmt.Errorf("containerd shims do not end, not even by SIGKILL: %v", pids)
	}
	return err
}

// shimSockets returns the sockets of shims that were killed: they lie in a folder shared by all
// containerds of the machine, and the shim's bundle in our state folder names its own.
func (c *cluster) shimSockets() ([]string, error) {
	files, err := filepath.Glob(filepath.Join(c.containerdState(), "io.containerd.runtime.v2.task", "*", "*", "address"))
	if err != nil {
		return nil, err
	}
	var sockets []string
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if path, ok := strings.CutPrefix(strings.TrimSpace(string(raw)), "unix://"); ok && filepath.Dir(path) == "/run/containerd/s" {
			sockets = append(sockets, path)
		}
	}
	return sockets, nil
}

func (c *cluster) ownMounts() ([]string, error) {
	all, err := mounts()
	if err != nil {
		return nil, err
	}
	var own []string
	for _, m := range all {
		if strings.HasPrefix(m.Path, c.root+"/") {
			own = append(own, m.Path)
		}
	}
	return own, nil
}

// unmountAll unmounts what lies in the state folder, the newest first. It must
// leave none: removing the folder would else remove what is mounted there.
func (c *cluster) unmountAll() error {
	for range 3 { // a mount may lie upon another of the same path
		own, err := c.ownMounts()
		if err != nil || len(own) == 0 {
			return err
		}
		for _, path := range slices.Backward(own) {
			if err := unmount(path); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("unmount %s: %w", path, err)
			}
		}
	}
	own, err := c.ownMounts()
	if err == nil && len(own) > 0 {
		err = fmt.Errorf("still mounted: %s", strings.Join(own, " "))
	}
	return err
}

// removeShared removes our files from folders that other software uses too, and those folders if they are empty now and came with the cluster.
func (c *cluster) removeShared(before hostState, sockets []string) error {
	results, err := c.cniResults()
	if err != nil {
		return err
	}
	files := append(sockets, results...)
	if slices.ContainsFunc(before.Absent, func(dir string) bool { return strings.HasPrefix(devicePluginSocket, dir+"/") }) {
		files = append(files, devicePluginSocket)
	}
	// The kubelet links every container's log here, for log collectors.
	const logLinks = "/var/log/containers"
	entries, err := os.ReadDir(logLinks)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(logLinks, e.Name())
		if target, err := os.Readlink(path); err == nil && strings.HasPrefix(target, c.root+"/") {
			files = append(files, path)
		}
	}
	var errs []error
	for _, path := range files {
		errs = append(errs, removeIfExists(path))
	}
	for _, dir := range before.Absent {
		errs = append(errs, removeEmptyTree(dir))
	}
	return errors.Join(errs...)
}

// cniResults returns the files that the CNI library keeps a pod and interface.
// The name of one is NETWORK-CONTAINER-INTERFACE; the loopback's network has the
// same name for every containerd of the machine, so its are found by the container.
func (c *cluster) cniResults() ([]string, error) {
	const dir = "/var/lib/cni/results"
	own, err := filepath.Glob(filepath.Join(dir, c.Name+"-*-eth0"))
	if err != nil {
		return nil, err
	}
	files := slices.Clone(own)
	for _, path := range own {
		container := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), c.Name+"-"), "-eth0")
		files = append(files, filepath.Join(dir, "cni-loopback-"+container+"-lo"))
	}
	return files, nil
}

// removeState removes the record of the machine last: as long as it is there, down can be run again.
func (c *cluster) removeState() error {
	entries, err := os.ReadDir(c.root)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if path := c.path(e.Name()); path != c.host() {
			if err := os.RemoveAll(path); err != nil {
				return err
			}
		}
	}
	return os.RemoveAll(c.root)
}

// leftovers looks at the machine itself, not at records, for what belongs to the cluster.
func (c *cluster) leftovers(ctx context.Context) ([]string, error) {
	var left []string
	for _, name := range []string{c.podBridge(), c.serviceBridge()} {
		if _, err := net.InterfaceByName(name); err == nil {
			left = append(left, "network device "+name)
		}
	}
	if _, err := os.Lstat(c.root); err == nil {
		left = append(left, "folder "+c.root)
	}
	own, err := c.ownMounts()
	if err != nil {
		return nil, err
	}
	for _, m := range own {
		left = append(left, "mount "+m)
	}
	roots, err := c.cgroupRoots()
	if err != nil {
		return nil, err
	}
	for _, dir := range roots {
		if _, err := os.Stat(dir); err == nil {
			left = append(left, "cgroup "+dir)
		}
	}
	pids, err := c.strays()
	if err != nil {
		return nil, err
	}
	left = append(left, pids...)
	if _, err := findProgram("nft"); err == nil {
		tables, err := nftTables(ctx)
		if err != nil {
			return nil, err
		}
		if slices.Contains(tables, "inet "+c.guardTable()) {
			left = append(left, "nftables table inet "+c.guardTable())
		}
	}
	return left, nil
}

// strays returns processes that run with files of the state folder. They are
// named, not killed: it may be somebody's "tail -f" of a log.
func (c *cluster) strays() ([]string, error) {
	entries, err := os.ReadDir(string(proc))
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(string(proc), e.Name(), "cmdline"))
		if err == nil && bytes.Contains(raw, []byte(c.root+"/")) {
			out = append(out, fmt.Sprintf("process %d (%s)", pid, strings.ReplaceAll(string(raw[:min(len(raw), 120)]), "\x00", " ")))
		}
	}
	return out, nil
}
