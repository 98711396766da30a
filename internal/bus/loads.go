package bus

import (
	"fmt"
	"strings"

	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

// Load of one replica of a role that scales by it.
func (s Subjects) Load(role runtimeconfig.Role, replica string) string {
	if replica == "" || len(replica) > MaxID {
		panic(fmt.Sprintf("bus: replica %q has not 1 to %d bytes", replica, MaxID))
	}
	return s.loadsOf(role) + escapeToken(replica)
}

// Loads matches those of all replicas of all roles.
func (s Subjects) Loads() string { return "rl." + s.tail + ".*.*" }

// LoadOf says whose load a message on a subject of [Subjects.Loads] tells. The server has held the role to its own.
func (s Subjects) LoadOf(subject string) (role runtimeconfig.Role, replica string, ok bool) {
	rest, ours := strings.CutPrefix(subject, "rl."+s.tail+".")
	name, token, two := strings.Cut(rest, ".")
	if !ours || !two {
		return "", "", false
	}
	replica, err := unescapeToken(token)
	return runtimeconfig.Role(name), replica, err == nil && replica != ""
}

func (s Subjects) loadsOf(role runtimeconfig.Role) string {
	return "rl." + s.tail + "." + string(role) + "."
}
