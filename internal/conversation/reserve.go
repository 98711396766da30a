package conversation

import "time"

// ReserveCall is a reserve tier of a pool of people that is called in: until then its members are given nothing.
type ReserveCall struct {
	Pool string `json:"pool"`
	Tier string `json:"tier"`
	// Since when it is called in.
	Since time.Time `json:"since"`
	// Until when, By whom and the Reason are of a call by hand; zero and empty for one of the operator.
	Until  time.Time `json:"until,omitzero"`
	By     string    `json:"by,omitempty"`
	Reason string    `json:"reason,omitempty"`
}

// ReserveCalled calls a reserve tier in. It replaces what was said of the tier before.
type ReserveCalled struct {
	ReserveCall
	Why []string `json:"why,omitempty"`
}

// ReserveReleased releases a reserve tier.
type ReserveReleased struct {
	Pool string `json:"pool"`
	Tier string `json:"tier"`
	// By whom; empty for the operator, and when a call by hand has come to its end.
	By  string   `json:"by,omitempty"`
	Why []string `json:"why,omitempty"`
}

// EventType implements Body.
func (*ReserveCalled) EventType() Type { return TypeReserveCalled }

// EventType implements Body.
func (*ReserveReleased) EventType() Type { return TypeReserveReleased }

// Validate implements Body.
func (c *ReserveCalled) Validate() error {
	if c.Since.IsZero() {
		return fieldError("since", "", "give the time at which it was called in")
	}
	if c.By != "" {
		if c.Until.IsZero() {
			return fieldError("until", "", "give the time at which it ends")
		}
		if err := CheckHeldReason(c.Reason); err != nil {
			return err
		}
	}
	return firstError(checkName("pool", c.Pool), checkName("tier", c.Tier), checkText("by", c.By, MaxNameBytes), checkWhy(c.Why))
}

// Validate implements Body.
func (r *ReserveReleased) Validate() error {
	return firstError(checkName("pool", r.Pool), checkName("tier", r.Tier), checkText("by", r.By, MaxNameBytes), checkWhy(r.Why))
}
