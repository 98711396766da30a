package chatclient

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/deskfleet/deskfleet/internal/conversation"
)

// Lines reads lines of plain input, such as a pipe. A line of more than four times the longest message ends it: nobody types that.
func Lines(r io.Reader) LineReader {
	s := bufio.NewScanner(r)
	s.Buffer(nil, 4*conversation.MaxTextBytes)
	return &plain{s}
}

type plain struct{ *bufio.Scanner }

func (p *plain) ReadLine() (string, error) {
	if p.Scan() {
		return strings.ToValidUTF8(p.Text(), "\ufffd"), nil
	}
	err := p.Err()
	switch {
	case err == nil:
		return "", io.EOF
	case errors.Is(err, bufio.ErrTooLong):
		return "", fmt.Errorf("a line is longer than %d bytes: write shorter messages", 4*conversation.MaxTextBytes)
	}
	return "", err
}
