package localcluster

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"text/tabwriter"
	"time"
)

// Status is the state of a cluster, as "status -o json" prints it.
type Status struct {
	Name       string            `json:"name"`
	Up         bool              `json:"up"` // all components run, the node is Ready, DNS answers
	StateDir   string            `json:"stateDir"`
	Kubeconfig string            `json:"kubeconfig"`
	Server     string            `json:"server"`
	Node       NodeStatus        `json:"node"`
	DNS        string            `json:"dns"` // "ok" or what is wrong
	Components []ComponentStatus `json:"components"`
}

// NodeStatus is what the API server says of the cluster's node.
type NodeStatus struct {
	Name    string `json:"name"`
	Ready   bool   `json:"ready"`
	Message string `json:"message,omitzero"` // why it is not Ready
	Kubelet string `json:"kubelet,omitzero"`
	Runtime string `json:"runtime,omitzero"`
	Kernel  string `json:"kernel,omitzero"`
}

// ComponentStatus is what the machine says of a process.
type ComponentStatus struct {
	Name    string    `json:"name"`
	Running bool      `json:"running"`
	PID     int       `json:"pid,omitzero"`
	Since   time.Time `json:"since,omitzero"`
	Version string    `json:"version,omitzero"`
	Log     string    `json:"log,omitzero"`
}

// GetStatus looks at the processes, the node and DNS. It changes nothing and
// needs no root where the kubeconfig can be read; an error means that it could
// not look, not that the cluster is down.
func GetStatus(ctx context.Context, o Options) (*Status, error) {
	c, err := newCluster(o, io.Discard)
	if err != nil {
		return nil, err
	}
	if err := c.adopt(); err != nil {
		return nil, err
	}
	s := &Status{
		Name: c.Name, Up: true, StateDir: c.root, Kubeconfig: c.kubeconfig("admin"), Server: c.server(),
		Node: NodeStatus{Name: c.Name}, DNS: "ok",
	}
	for _, name := range componentNames {
		r, err := readRecord(c.record(name))
		if err != nil {
			return nil, err
		}
		component := ComponentStatus{Name: name}
		if r.alive(proc) {
			component = ComponentStatus{Name: name, Running: true, PID: r.PID, Since: r.Since, Version: r.Version}
		}
		if r != nil {
			component.Log = r.Log
		}
		s.Up = s.Up && component.Running
		s.Components = append(s.Components, component)
	}
	// Without its bridges the cluster's addresses are somewhere beyond the default route.
	if _, err := net.InterfaceByName(c.serviceBridge()); err != nil {
		s.Node.Message = "the cluster has no network"
		s.DNS = s.Node.Message
	} else {
		s.Node = c.nodeStatus(ctx)
		if err := c.dnsAnswers(ctx); err != nil {
			s.DNS = err.Error()
		}
	}
	s.Up = s.Up && s.Node.Ready && s.DNS == "ok"
	return s, nil
}

func (c *cluster) nodeStatus(ctx context.Context) NodeStatus {
	status := NodeStatus{Name: c.Name}
	if _, err := os.Stat(c.kubeconfig("admin")); err != nil {
		status.Message = err.Error()
		return status
	}
	client, err := c.clientset()
	if err != nil {
		status.Message = err.Error()
		return status
	}
	node, err := c.readyNode(ctx, client)
	status.Ready = err == nil
	if err != nil {
		status.Message = err.Error()
	}
	if node != nil {
		info := node.Status.NodeInfo
		status.Kubelet, status.Runtime, status.Kernel = info.KubeletVersion, info.ContainerRuntimeVersion, info.KernelVersion
	}
	return status
}

// Write prints the status as a table for people.
func (s *Status) Write(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(w, "COMPONENT\tSTATE\tPID\tSINCE\tVERSION\n")
	for _, c := range s.Components {
		if !c.Running {
			_, _ = fmt.Fprintf(w, "%s\tnot running\t\t\t\n", c.Name)
			continue
		}
		_, _ = fmt.Fprintf(w, "%s\trunning\t%d\t%s\t%s\n", c.Name, c.PID, c.Since.Local().Format(time.DateTime), c.Version)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	node := "Ready, kubelet " + s.Node.Kubelet + ", " + s.Node.Runtime + ", kernel " + s.Node.Kernel
	if !s.Node.Ready {
		node = "not Ready: " + s.Node.Message
	}
	state := "up"
	if !s.Up {
		state = "not up"
	}
	_, err := fmt.Fprintf(out, "\nnode %s: %s\nDNS: %s\nkubeconfig: %s\ncluster %s is %s\n",
		s.Node.Name, node, s.DNS, s.Kubeconfig, s.Name, state)
	return err
}

// WriteJSON prints the status for programs.
func (s *Status) WriteJSON(out io.Writer) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(s)
}
