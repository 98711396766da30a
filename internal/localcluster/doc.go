// Package localcluster runs a real single-node Kubernetes cluster on a bare
// Debian-like Linux machine: no Docker engine, no image registry, no release
// downloads. Kubernetes, etcd and CoreDNS are built from pinned Go modules
// (hack/localcluster) into a per-user cache; containerd, runc and the CNI
// plugins are the distribution's packages.
//
// The cluster is made so that it can be taken away again: everything it writes
// lies in one state folder, every process is recorded by pid and start time,
// pods live in a cgroup of their own, and what it changes outside of the state
// folder (bridges, routes, nftables tables, kernel settings) is recorded first.
//
// No packet leaves the machine: images are never pulled, CoreDNS forwards
// nothing, the service range is routed to a bridge of its own before the first
// Service exists, and an nftables table rejects what a pod sends elsewhere.
//
// [EnvtestAssets] needs neither root nor packages; it gives tests a control
// plane. The other entry points ([Up], [Down], [GetStatus], [LoadImage]) need
// Linux and root.
package localcluster
