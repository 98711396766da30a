package link

import "fmt"

// Role whose replicas follow its load.
type Role struct {
	Name string `json:"name"`
	// Load of all replicas that told theirs, in connections, people or searches a second, and how many did.
	Load     float64 `json:"load"`
	Replicas int     `json:"replicas,omitempty"`
	// Complete says that the load is that of the whole role, whoever told it.
	Complete bool `json:"complete,omitempty"`
}

const (
	// maxRoles that scale.
	maxRoles = 8
	// maxLoad of a role.
	maxLoad = 1e9
)

func validateRoles(roles []Role) error {
	if len(roles) > maxRoles {
		return fmt.Errorf("roles has %d items: send at most %d", len(roles), maxRoles)
	}
	for i := range roles {
		r := &roles[i]
		if r.Name == "" || len(r.Name) > maxWord {
			return fmt.Errorf("roles[%d].name has %d bytes: send 1 to %d", i, len(r.Name), maxWord)
		}
		if err := numbers(number{"load", r.Load, maxLoad}); err != nil {
			return fmt.Errorf("roles[%d].%w", i, err)
		}
		if err := counts(field{"replicas", r.Replicas}); err != nil {
			return fmt.Errorf("roles[%d].%w", i, err)
		}
	}
	return nil
}
