package localcluster

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"regexp"
	"time"

	"github.com/spf13/pflag"
)

// stateBase is the folder that holds one state folder a cluster.
const stateBase = "/var/lib/deskfleet-cluster"

// Options says which cluster is meant and which addresses it takes. The zero
// value is not usable: start from [DefaultOptions].
type Options struct {
	// Name names the cluster, its node, its bridges and its folders: a DNS
	// label of at most 11 characters, so that "NAME-svc" still fits the 15
	// characters that Linux allows a network device.
	Name string
	// StateDir holds everything the cluster writes; empty means
	// /var/lib/deskfleet-cluster/NAME.
	StateDir string
	// CacheDir holds built binaries; empty means the user's cache folder
	// plus deskfleet/localcluster.
	CacheDir string
	// NodeIP is the address of the node and of its API server. It lives on a
	// bridge of the cluster and is reachable from this machine only.
	NodeIP netip.Addr
	// PodCIDR is the range of pod addresses, an IPv4 prefix from /12 to /25.
	PodCIDR netip.Prefix
	// ServiceCIDR is the range of Service addresses, an IPv4 prefix from /12 to /24.
	ServiceCIDR netip.Prefix
	// Timeout bounds one call of Up or Down without the time that building
	// binaries and installing packages takes. At least 10 s.
	Timeout time.Duration
	// ToolPath is the program that runs the volume provisioner by the
	// subcommand "provisioner"; empty means to build hack/cluster.
	ToolPath string
}

// DefaultOptions returns the options of the cluster that "make cluster" starts.
func DefaultOptions() Options {
	return Options{
		Name:        "deskfleet",
		NodeIP:      netip.MustParseAddr("10.197.0.1"),
		PodCIDR:     netip.MustParsePrefix("10.198.0.0/16"),
		ServiceCIDR: netip.MustParsePrefix("10.199.0.0/16"),
		Timeout:     3 * time.Minute,
	}
}

// AddFlags binds the options to command line flags; the present values are the defaults.
func (o *Options) AddFlags(fs *pflag.FlagSet) {
	fs.StringVar(&o.Name, "name", o.Name, "name of the cluster, its node and its network devices (at most 11 characters)")
	fs.StringVar(&o.StateDir, "state-dir", o.StateDir, "folder for everything the cluster writes (default "+stateBase+"/NAME)")
	fs.StringVar(&o.CacheDir, "cache-dir", o.CacheDir, "folder for built binaries (default: the user's cache folder plus deskfleet/localcluster)")
	fs.TextVar(&o.NodeIP, "node-ip", o.NodeIP, "address of the node and its API server")
	fs.TextVar(&o.PodCIDR, "pod-cidr", o.PodCIDR, "range of pod addresses")
	fs.TextVar(&o.ServiceCIDR, "service-cidr", o.ServiceCIDR, "range of Service addresses")
	fs.DurationVar(&o.Timeout, "timeout", o.Timeout, "longest time for up or down, builds and package installation not counted")
}

var (
	namePattern = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,9}[a-z0-9])?$`)
	// Paths go into TOML, YAML and JSON templates and command lines unquoted.
	pathPattern = regexp.MustCompile(`^/[A-Za-z0-9._/-]+$`)
)

// maxStateDir leaves room below the 107 bytes of a Unix socket's path for
// the longest socket in the state folder, kubelet/device-plugins/kubelet.sock
// and its like.
const maxStateDir = 60

// Validate returns every fault of the options at once, each with the value and the remedy.
func (o *Options) Validate() error {
	var errs []error
	if !namePattern.MatchString(o.Name) {
		errs = append(errs, fmt.Errorf("name %q: use 1 to 11 lower-case letters, digits and '-', beginning with a letter", o.Name))
	}
	dir := o.stateDir()
	if !pathPattern.MatchString(dir) || filepath.Clean(dir) != dir || len(dir) > maxStateDir {
		errs = append(errs, fmt.Errorf("state-dir %q: use a clean absolute path of at most %d letters, digits, '.', '_' and '-'", dir, maxStateDir))
	}
	if o.CacheDir != "" && !filepath.IsAbs(o.CacheDir) {
		errs = append(errs, fmt.Errorf("cache-dir %q: use an absolute path", o.CacheDir))
	}
	if o.Timeout < 10*time.Second {
		errs = append(errs, fmt.Errorf("timeout %s: use at least 10s", o.Timeout))
	}
	if _, err := deriveAddresses(o.NodeIP, o.PodCIDR, o.ServiceCIDR); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (o *Options) stateDir() string {
	if o.StateDir != "" {
		return o.StateDir
	}
	return filepath.Join(stateBase, o.Name)
}

// KubeconfigPath returns where Up writes the administrator's kubeconfig.
func (o *Options) KubeconfigPath() string {
	return layout{root: o.stateDir()}.kubeconfig("admin")
}
