package localcluster

import "path/filepath"

// layout names the files of a state folder.
type layout struct{ root string }

func (l layout) path(elem ...string) string {
	return filepath.Join(append([]string{l.root}, elem...)...)
}
func (l layout) cert(name string) string       { return l.path("pki", name+".crt") }
func (l layout) key(name string) string        { return l.path("pki", name+".key") }
func (l layout) kubeconfig(name string) string { return l.path(name + ".kubeconfig") }
func (l layout) config(name string) string     { return l.path("config", name) }
func (l layout) log(component string) string   { return l.path("logs", component+".log") }
func (l layout) record(component string) string {
	return l.path("run", component+".json")
}

// host is the record of what the machine was like before Up changed it.
func (l layout) host() string { return l.path("host.json") }

// containerdSocket is an own socket, so that a Docker or k3s of the machine is never touched.
func (l layout) containerdSocket() string { return l.path("containerd", "containerd.sock") }
func (l layout) containerdState() string  { return l.path("containerd", "state") }
func (l layout) volumes() string          { return l.path("volumes") }
func (l layout) tool() string             { return l.path("bin", "deskfleet-cluster") }
