// Package version tells which release a binary is.
package version

import "runtime/debug"

// version is set by the linker for a release: -X github.com/deskfleet/deskfleet/internal/version.version=v1.2.3
var version string

// Version is the release, or "devel" with the commit where the build knows it.
func Version() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return "devel-" + s.Value[:min(12, len(s.Value))]
		}
	}
	return "devel"
}
