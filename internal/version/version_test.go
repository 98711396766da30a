package version

import (
	"runtime/debug"
	"testing"
)

func TestDescribe(t *testing.T) {
	for _, c := range []struct{ version, commit, want string }{
		{"v1.2.3", "0123456789abcdef", "v1.2.3"},
		{"", "0123456789abcdef", "devel-0123456789ab"},
		{"", "0123", "devel-0123"},
		{"", "", "devel"},
	} {
		if got := describe(c.version, c.commit); got != c.want {
			t.Errorf("version %q, commit %q: got %q, want %q", c.version, c.commit, got, c.want)
		}
	}
}

func TestCommit(t *testing.T) {
	if got := commitOf([]debug.BuildSetting{{Key: "vcs", Value: "git"}, {Key: "vcs.revision", Value: "abc"}}); got != "abc" {
		t.Errorf("got %q", got)
	}
	if got := commitOf(nil); got != "" {
		t.Errorf("got %q without settings", got)
	}
}
