// Package crd holds the generated CustomResourceDefinitions of the four kinds,
// so that the binary validates manifests with the very schema that a cluster
// would, and installs it nowhere else from.
package crd

import "embed"

// Bases holds the generated CRDs as "bases/deskfleet.dev_<plural>.yaml".
//
//go:embed bases/*.yaml
var Bases embed.FS
