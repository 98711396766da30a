package conversation

import (
	"fmt"
	"unicode/utf8"
)

// AttributeTier is the attribute by which a contact's conversations may go before others: the name of a tier of the desk.
const AttributeTier = "tier"

// Bounds of a contact's attributes. They stand in every claim and in the router's memory.
const (
	// MaxAttributes a contact may have.
	MaxAttributes = 8
	// MaxAttributeBytes of the value of one; its name is a token of up to 64 characters.
	MaxAttributeBytes = 64
)

// Attributes are what somebody whom the desk trusts says of a contact: a bridge, or whoever signs contact tokens. They
// are never taken from what a customer sends. The map is not to be changed once it is in an event.
type Attributes map[string]string

// Tier of the contact; empty for none.
func (a Attributes) Tier() string { return a[AttributeTier] }

// Validate refuses attributes beyond the bounds, with a *FieldError.
func (a Attributes) Validate() error {
	if len(a) > MaxAttributes {
		return fieldError("attributes", fmt.Sprint(len(a), " attributes"), fmt.Sprintf("use at most %d", MaxAttributes))
	}
	for name, value := range a {
		if !IsToken(name) {
			return fieldError("attributes", name, idRemedy+" in names")
		}
		if value == "" || len(value) > MaxAttributeBytes || !utf8.ValidString(value) {
			return fieldError("attributes."+name, value, fmt.Sprintf("use 1 to %d bytes of valid UTF-8", MaxAttributeBytes))
		}
	}
	return nil
}
