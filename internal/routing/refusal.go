package routing

// RefusalError says why something that was asked for is not done. Nothing has changed.
type RefusalError struct {
	Code Code
	// Field and Value that were refused, where it is one of the request.
	Field, Value string

	What   string
	Why    string
	Remedy string
}

// Code groups refusals for programs.
type Code string

// Codes of refusals; those of the router's protocol.
const (
	CodeMalformed    Code = "malformed"
	CodeNotFound     Code = "notFound"
	CodeNotOwner     Code = "notOwner"
	CodeNotOffered   Code = "notOffered"
	CodeNotSignedOn  Code = "notSignedOn"
	CodeUnknownPool  Code = "unknownPool"
	CodeUnknownQueue Code = "unknownQueue"
	CodeState        Code = "state"
)

// Error implements error.
func (r *RefusalError) Error() string { return r.What + ": " + r.Why + ": " + r.Remedy }
