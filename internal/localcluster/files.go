package localcluster

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"text/template"
)

//go:embed templates
var templateFS embed.FS

// missingkey=error: a misspelt key must not render as "<no value>" into a configuration.
var templates = template.Must(template.New("").Option("missingkey=error").ParseFS(templateFS, "templates/*"))

// settings is what the templates see.
type settings struct {
	addresses
	Name          string
	Dir           string
	Domain        string
	PodBridge     string
	ServiceBridge string
	GuardTable    string
	CgroupRoot    string
	PauseImage    string
	CNIBin        string
	Ports         portNumbers
	Users         map[string]string
	Provisioner   string
	StorageClass  string
}

// renderedFiles maps each template to the file it becomes below the state
// folder. containerd looks for host configurations of registries in a folder a
// host; "_default" is every host without one.
var renderedFiles = map[string]string{
	"containerd.toml": "config/containerd.toml",
	"hosts.toml":      "config/registries/_default/hosts.toml",
	"cni.conflist":    "config/cni/10-pods.conflist",
	"kubelet.yaml":    "config/kubelet.yaml",
	"kube-proxy.yaml": "config/kube-proxy.yaml",
	"Corefile":        "config/Corefile",
	"resolv.conf":     "config/resolv.conf",
	"manifests.yaml":  "config/manifests.yaml",
	"guard.nft":       "config/guard.nft",
}

// renderFiles returns the content of each configuration file, by path below the state folder.
func (s settings) renderFiles() (map[string][]byte, error) {
	out := make(map[string][]byte, len(renderedFiles))
	for name, path := range renderedFiles {
		var b bytes.Buffer
		if err := templates.ExecuteTemplate(&b, name, s); err != nil {
			return nil, fmt.Errorf("configuration file %s: %w", path, err)
		}
		out[path] = b.Bytes()
	}
	return out, nil
}

// writeFile writes a file atomically and leaves it alone when it already has
// the content: a component is restarted when its files change.
func writeFile(path string, content []byte, mode fs.FileMode) error {
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, content) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".tmp-")
	if err != nil {
		return err
	}
	_, err = tmp.Write(content)
	err = errors.Join(err, tmp.Chmod(mode), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return nil
}
