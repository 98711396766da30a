// Package version tells which release a binary is.
package version

import "runtime/debug"

// Set by the linker for a release:
//
//	-X github.com/deskfleet/deskfleet/internal/version.version=v1.2.3
//	-X github.com/deskfleet/deskfleet/internal/version.commit=0123abc…
var (
	version string
	commit  string
)

// Version is the release, or "devel" with the commit where the build knows it.
func Version() string { return describe(version, Commit()) }

// Commit of the source, in full, or empty where the build does not know it.
func Commit() string {
	if commit != "" {
		return commit
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	return commitOf(info.Settings)
}

func describe(version, commit string) string {
	switch {
	case version != "":
		return version
	case commit != "":
		return "devel-" + commit[:min(12, len(commit))]
	}
	return "devel"
}

func commitOf(settings []debug.BuildSetting) string {
	for _, s := range settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return ""
}
