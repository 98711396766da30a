package archive

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/deskfleet/deskfleet/internal/archive/protocol"
	"github.com/deskfleet/deskfleet/internal/conversation"
)

// conditions collects what a row must fulfil, with its parameters.
type conditions struct {
	clauses []string
	args    []any
}

// next is the number of the next parameter.
func (c *conditions) next() int { return len(c.args) + 1 }

// add a condition that ends where its one parameter goes.
func (c *conditions) add(clause string, arg any) {
	c.clauses = append(c.clauses, fmt.Sprintf("%s$%d", clause, c.next()))
	c.args = append(c.args, arg)
}

// addPattern compares with a pattern of LIKE whose wildcards are escaped.
func (c *conditions) addPattern(column, pattern string) {
	c.addFull(fmt.Sprintf(`%s LIKE $%d ESCAPE '\'`, column, c.next()), pattern)
}

// addFull adds a condition that names its one parameter itself.
func (c *conditions) addFull(clause string, arg any) {
	c.clauses = append(c.clauses, clause)
	c.args = append(c.args, arg)
}

func (c *conditions) sql() string {
	if len(c.clauses) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(c.clauses, " AND ")
}

func limitOf(asked int) (int, error) {
	switch {
	case asked < 0 || asked > protocol.MaxItems:
		return 0, badRequest("limit", fmt.Sprint(asked), fmt.Sprintf("use 1 to %d, or leave it out", protocol.MaxItems))
	case asked == 0:
		return protocol.DefaultItems, nil
	}
	return asked, nil
}

func badRequest(field, value, remedy string) error {
	return fmt.Errorf("%w: %w", ErrBadRequest, &conversation.FieldError{Field: field, Value: value, Remedy: remedy})
}

func encodeState(s conversation.State) (string, error) {
	data, err := json.Marshal(s)
	if err != nil {
		return "", fmt.Errorf("encode the state of conversation %s: %w", s.ID, err)
	}
	return string(data), nil
}

func decodeState(data string) (conversation.State, error) {
	var s conversation.State
	if err := json.Unmarshal([]byte(data), &s); err != nil {
		return s, fmt.Errorf("its stored state cannot be read: %w", err)
	}
	return s, nil
}
