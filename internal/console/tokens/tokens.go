// Package tokens reads the static tokens by which agents sign in to the console.
//
// The file is a YAML list:
//
//   - name: chen            # 1 to 64 of A-Z, a-z, 0-9, _ and -; the agent's id in pools, events and figures
//     role: agent           # agent, supervisor or admin
//     token: 9f8a…          # 16 to 512 characters, random; for example from "openssl rand -hex 24"
//
// Tokens are kept as hashes only and never stand in an error, a log or a metric.
package tokens

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"sync"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/deskfleet/deskfleet/internal/conversation"
)

// Role says what a user of the console may do. Each role may do what the ones before may.
type Role string

// Roles of users.
const (
	// RoleAgent answers conversations.
	RoleAgent Role = "agent"
	// RoleSupervisor also reads and searches all conversations.
	RoleSupervisor Role = "supervisor"
	// RoleAdmin also reads the audit log.
	RoleAdmin Role = "admin"
)

// AtLeast says whether the role may do what the other may.
func (r Role) AtLeast(other Role) bool { return rank(r) >= rank(other) && rank(r) > 0 }

func rank(r Role) int {
	switch r {
	case RoleAgent:
		return 1
	case RoleSupervisor:
		return 2
	case RoleAdmin:
		return 3
	default:
		return 0
	}
}

// Bounds of the file and its entries.
const (
	maxFile  = 1 << 20
	maxUsers = 10_000
	minToken = 16
	maxToken = 512
)

// User is who a token belongs to.
type User struct {
	Name string
	Role Role
}

// entry is one line of the file.
type entry struct {
	Name  string `json:"name"`
	Role  Role   `json:"role"`
	Token string `json:"token"`
}

// Hash of a token, which is all that is kept of it.
type Hash [sha256.Size]byte

// HashOf a token.
func HashOf(token string) Hash { return sha256.Sum256([]byte(token)) }

// Set is the users of a file.
type Set struct {
	users  []User
	hashes []Hash
}

// Parse reads a file. Errors say which entry is wrong, and never hold a token.
func Parse(data []byte) (*Set, error) {
	if len(data) > maxFile {
		return nil, fmt.Errorf("it has %d bytes: use at most %d", len(data), maxFile)
	}
	var entries []entry
	if err := yaml.UnmarshalStrict(data, &entries); err != nil {
		// The parser's error may quote what it read.
		return nil, fmt.Errorf("it is not a YAML list of {name, role, token}%s", lineOf(err))
	}
	if len(entries) > maxUsers {
		return nil, fmt.Errorf("it has %d entries: use at most %d", len(entries), maxUsers)
	}
	s := &Set{}
	names, known := map[string]int{}, map[Hash]int{}
	for i, e := range entries {
		if err := e.check(); err != nil {
			return nil, fmt.Errorf("entry %d (name %.80q): %w", i+1, e.Name, err)
		}
		h := HashOf(e.Token)
		if first, taken := names[e.Name]; taken {
			return nil, fmt.Errorf("entry %d (name %q): entry %d has the same name: use each name once", i+1, e.Name, first)
		}
		if first, taken := known[h]; taken {
			return nil, fmt.Errorf("entry %d (name %q): entry %d has the same token: give everybody their own", i+1, e.Name, first)
		}
		names[e.Name], known[h] = i+1, i+1
		s.users = append(s.users, User{Name: e.Name, Role: e.Role})
		s.hashes = append(s.hashes, h)
	}
	return s, nil
}

var line = regexp.MustCompile(`line \d+`)

func lineOf(err error) string {
	if at := line.FindString(err.Error()); at != "" {
		return ": see " + at
	}
	return ""
}

func (e *entry) check() error {
	switch {
	case !conversation.IsToken(e.Name):
		return errors.New("name is not 1 to 64 characters of A-Z, a-z, 0-9, _ and -")
	case rank(e.Role) == 0:
		return fmt.Errorf("role %.80q does not exist: use agent, supervisor or admin", e.Role)
	case len(e.Token) < minToken || len(e.Token) > maxToken:
		return fmt.Errorf("token has %d characters: use %d to %d random ones", len(e.Token), minToken, maxToken)
	}
	return nil
}

// Find gives the user of a token. It takes the same time whether and where the token is found.
func (s *Set) Find(wanted Hash) (User, bool) {
	found := -1
	for i := range s.hashes {
		if subtle.ConstantTimeCompare(s.hashes[i][:], wanted[:]) == 1 {
			found = i
		}
	}
	if found < 0 {
		return User{}, false
	}
	return s.users[found], true
}

// Len is the number of users.
func (s *Set) Len() int { return len(s.users) }

// File reads the tokens from a mounted file, and again when they may have changed.
type File struct {
	path  string
	every time.Duration

	mu  sync.Mutex
	set *Set
	err error
	at  time.Time
}

// NewFile reads at most once in the given time. An empty path stands for a desk without agents' sign-on.
func NewFile(path string, every time.Duration) *File {
	return &File{path: path, every: every, set: &Set{}}
}

// Users as of now. The error says which file is missing or wrong and what to do. A file that is wrong
// leaves the last good users, a file that is gone leaves nobody.
func (f *File) Users(now time.Time) (*Set, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.at.IsZero() && now.Sub(f.at) < f.every {
		return f.set, f.err
	}
	f.at = now
	set, err := f.read()
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		f.set = set
	}
	f.err = err
	return f.set, f.err
}

func (f *File) read() (*Set, error) {
	if f.path == "" {
		return &Set{}, fmt.Errorf("agents' tokens: the desk names none: set agentsAuth.tokensSecretRef to a Secret with key tokens.yaml: %w", fs.ErrNotExist)
	}
	data, err := os.ReadFile(f.path)
	if err != nil {
		return &Set{}, fmt.Errorf("agents' tokens: %w: make the Secret that agentsAuth.tokensSecretRef names, with key tokens.yaml", err)
	}
	set, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("agents' tokens: %s: %w", f.path, err)
	}
	return set, nil
}
