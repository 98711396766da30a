package localcluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// systemDirs are searched besides PATH: on Debian an ordinary PATH lacks sbin.
var systemDirs = []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}

// cniDirs are where distributions and upstream put CNI plugins.
var cniDirs = []string{"/usr/lib/cni", "/opt/cni/bin"}

var cniPlugins = []string{"bridge", "host-local", "loopback", "portmap"}

// neededPrograms maps each program the cluster runs to the Debian package that has it.
// Programs are looked for, not packages: Docker's containerd.io is as good.
var neededPrograms = map[string]string{
	"containerd":              "containerd",
	"containerd-shim-runc-v2": "containerd",
	"ctr":                     "containerd",
	"runc":                    "runc",
	"nft":                     "nftables",
	"iptables":                "iptables", // used by the portmap plugin
	"conntrack":               "conntrack",
	"ip":                      "iproute2",
	"mount":                   "mount", // the kubelet mounts volumes with it
}

// findProgram looks a program up in PATH and in the system folders.
func findProgram(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, dir := range systemDirs {
		if path := filepath.Join(dir, name); isExecutable(path) {
			return path, nil
		}
	}
	return "", fmt.Errorf("program %s: %w", name, exec.ErrNotFound)
}

func findCNI() (string, bool) {
	for _, dir := range cniDirs {
		if !slices.ContainsFunc(cniPlugins, func(p string) bool { return !isExecutable(filepath.Join(dir, p)) }) {
			return dir, true
		}
	}
	return "", false
}

// missingPackages returns the sorted Debian packages of what is not on the machine.
func missingPackages(hasProgram func(string) bool, hasCNI bool) []string {
	var missing []string
	for name, pkg := range neededPrograms {
		if !hasProgram(name) {
			missing = append(missing, pkg)
		}
	}
	if !hasCNI {
		missing = append(missing, "containernetworking-plugins")
	}
	slices.Sort(missing)
	return slices.Compact(missing)
}

func currentlyMissing() []string {
	_, hasCNI := findCNI()
	return missingPackages(func(name string) bool { _, err := findProgram(name); return err == nil }, hasCNI)
}

// ensurePackages installs what is missing; when nothing is, no package manager is asked.
func (c *cluster) ensurePackages(ctx context.Context) error {
	missing := currentlyMissing()
	if len(missing) == 0 {
		return nil
	}
	apt, err := findProgram("apt-get")
	if err != nil {
		return fmt.Errorf("missing on this machine: %s (names of Debian packages); install them with the system's package manager and run this again: %w",
			strings.Join(missing, ", "), err)
	}
	c.say("installing Debian packages: %s", strings.Join(missing, " "))
	if err := c.apt(ctx, apt, "update"); err != nil {
		return err
	}
	if err := c.apt(ctx, apt, append([]string{"install", "--yes", "--no-install-recommends"}, missing...)...); err != nil {
		return err
	}
	if still := currentlyMissing(); len(still) > 0 {
		return fmt.Errorf("still missing after apt-get install: %s", strings.Join(still, ", "))
	}
	return nil
}

func (c *cluster) apt(ctx context.Context, apt string, args ...string) error {
	cmd := exec.CommandContext(ctx, apt, append([]string{"--quiet"}, args...)...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	output, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("apt-get %s (run it by hand to see more): %w\n%s", strings.Join(args, " "), err, lastLines(output, 15))
	}
	for line := range strings.Lines(string(output)) {
		if strings.HasPrefix(line, "Setting up ") {
			c.say("  %s", strings.TrimSpace(line))
		}
	}
	return nil
}

// errNotRoot is returned before anything is changed.
var errNotRoot = errors.New("this needs root (bridges, mounts, cgroups): run it by sudo, or use an existing cluster by its kubeconfig")

func requireRoot() error {
	if os.Geteuid() != 0 {
		return errNotRoot
	}
	return nil
}
