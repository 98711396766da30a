package tokens

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const (
	secret = "correct-horse-battery-staple"
	other  = "another-horse-battery-staple"
)

var start = time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)

func list(name string, role Role, token string) string {
	return fmt.Sprintf("- name: %s\n  role: %s\n  token: %s\n", name, role, token)
}

func TestParse(t *testing.T) {
	s, err := Parse([]byte(list("chen", RoleAgent, secret) + list("wu", RoleSupervisor, other)))
	if err != nil {
		t.Fatal(err)
	}
	if u, ok := s.Find(HashOf(secret)); !ok || u != (User{"chen", RoleAgent}) {
		t.Errorf("found %v, %t", u, ok)
	}
	if u, ok := s.Find(HashOf(other)); !ok || u.Name != "wu" {
		t.Errorf("found %v, %t", u, ok)
	}
	for _, wrong := range []string{"", secret[1:], secret + "x", "chen"} {
		if u, ok := s.Find(HashOf(wrong)); ok {
			t.Errorf("%q is taken for %v", wrong, u)
		}
	}
	if s, err := Parse(nil); err != nil || s.Len() != 0 {
		t.Errorf("an empty file gives %v", err)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, tc := range []struct{ name, file, want string }{
		{"no list", "name: chen\nrole: agent\ntoken: " + secret, "not a YAML list"},
		{"no YAML", "- name: [" + secret, "not a YAML list"},
		{"unknown field", list("chen", RoleAgent, secret) + "  pool: people\n", "not a YAML list"},
		{"token is a map", "- name: chen\n  role: agent\n  token: {" + secret + ": 1}\n", "not a YAML list"},
		{"no name", list("", RoleAgent, secret), "entry 1"},
		{"bad name", list("'chen@shop'", RoleAgent, secret), "name is not"},
		{"bad role", list("chen", "boss", secret), `role "boss" does not exist`},
		{"short token", list("chen", RoleAgent, "short"), "token has 5 characters"},
		{"no token", "- name: chen\n  role: agent\n", "token has 0 characters"},
		{"same name", list("chen", RoleAgent, secret) + list("chen", RoleAdmin, other), "entry 1 has the same name"},
		{"same token", list("chen", RoleAgent, secret) + list("wu", RoleAdmin, secret), "entry 1 has the same token"},
		{"too large", "#" + strings.Repeat("x", maxFile), "bytes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Parse([]byte(tc.file))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("error is %v, want %q", err, tc.want)
			}
			if strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "horse") {
				t.Errorf("the error holds the token: %v", err)
			}
		})
	}
}

// TestNoTokenLeaks: whatever the file looks like, an error does not quote from the token.
func TestNoTokenLeaks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := rapid.StringMatching(`[ \-\[\]{}:,'"#\n a-z]{0,30}`).Draw(t, "before")
		after := rapid.StringMatching(`[ \-\[\]{}:,'"#\n a-z]{0,30}`).Draw(t, "after")
		if _, err := Parse([]byte(before + "token: " + secret + after)); err != nil && strings.Contains(err.Error(), "horse") {
			t.Fatalf("the error holds the token: %v", err)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(list("chen", RoleAgent, secret)))
	f.Add([]byte("- {name: a, role: admin, token: aaaaaaaaaaaaaaaaaaaa}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Parse(data)
		if err != nil {
			return
		}
		if _, ok := s.Find(HashOf("")); ok {
			t.Error("an empty token is accepted")
		}
		for _, u := range s.users {
			if !u.Role.AtLeast(RoleAgent) || u.Name == "" {
				t.Errorf("user %+v", u)
			}
		}
	})
}

func TestRoles(t *testing.T) {
	for _, tc := range []struct {
		role, wanted Role
		want         bool
	}{
		{RoleAgent, RoleAgent, true}, {RoleAgent, RoleSupervisor, false}, {RoleSupervisor, RoleAgent, true},
		{RoleAdmin, RoleSupervisor, true}, {RoleSupervisor, RoleAdmin, false}, {"", RoleAgent, false}, {"", "", false},
	} {
		if got := tc.role.AtLeast(tc.wanted); got != tc.want {
			t.Errorf("%q at least %q is %t", tc.role, tc.wanted, got)
		}
	}
}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.yaml")
	f := NewFile(path, time.Second)
	s, err := f.Users(start)
	if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "tokensSecretRef") || s.Len() != 0 {
		t.Fatalf("a missing file gives %v and %d users", err, s.Len())
	}
	write := func(content string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(list("chen", RoleAgent, secret))
	if s, _ := f.Users(start); s.Len() != 0 {
		t.Error("the file was read again at once")
	}
	if s, err := f.Users(start.Add(time.Second)); err != nil || s.Len() != 1 {
		t.Errorf("%d users, %v", s.Len(), err)
	}
	write("broken: [")
	if s, err := f.Users(start.Add(2 * time.Second)); err == nil || s.Len() != 1 {
		t.Errorf("a broken file gives %d users, %v; want the last good ones", s.Len(), err)
	}
	write(list("wu", RoleAgent, other))
	if s, err := f.Users(start.Add(3 * time.Second)); err != nil || s.Len() != 1 {
		t.Errorf("%d users, %v", s.Len(), err)
	} else if _, ok := s.Find(HashOf(secret)); ok {
		t.Error("a withdrawn token is accepted")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if s, err := f.Users(start.Add(4 * time.Second)); err == nil || s.Len() != 0 {
		t.Errorf("a removed file gives %d users, %v", s.Len(), err)
	}
	if _, err := NewFile("", 0).Users(start); err == nil || !strings.Contains(err.Error(), "agentsAuth") {
		t.Errorf("no file gives %v", err)
	}
}
