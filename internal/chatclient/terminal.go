package chatclient

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// Terminal is a screen and a keyboard on which a dialogue goes on while a line is being typed: what is
// written appears above that line. It is a [LineReader] and an io.Writer.
type Terminal struct {
	term *term.Terminal
	// size of the screen now.
	size func() (width, height int, err error)
}

// OpenTerminal takes a terminal over; restore gives it back. ok is false when the files are none.
func OpenTerminal(in, out *os.File, prompt string) (t *Terminal, restore func(), ok bool, err error) {
	keyboard, screen := int(in.Fd()), int(out.Fd())
	if !term.IsTerminal(keyboard) || !term.IsTerminal(screen) {
		return nil, nil, false, nil
	}
	before, err := term.MakeRaw(keyboard)
	if err != nil {
		return nil, nil, false, fmt.Errorf("take the terminal over: %w", err)
	}
	t = newTerminal(struct {
		io.Reader
		io.Writer
	}{in, out}, prompt)
	t.size = func() (int, int, error) { return term.GetSize(screen) }
	return t, func() { _ = term.Restore(keyboard, before) }, true, nil
}

func newTerminal(rw io.ReadWriter, prompt string) *Terminal {
	return &Terminal{term: term.NewTerminal(rw, prompt)}
}

// ReadLine implements LineReader. Ctrl-C and Ctrl-D on an empty line are the end.
func (t *Terminal) ReadLine() (string, error) {
	if t.size != nil {
		if width, height, err := t.size(); err == nil && width > 0 && height > 0 {
			_ = t.term.SetSize(width, height) // it fails when the screen does, which the reading tells
		}
	}
	line, err := t.term.ReadLine()
	if errors.Is(err, term.ErrPasteIndicator) {
		err = nil
	}
	return line, err
}

// clearLine empties the line that the cursor is in: the library takes every character for one column, and
// would leave half of what is typed in Chinese on the screen.
const clearLine = "\r\x1b[K"

// Write implements io.Writer.
func (t *Terminal) Write(data []byte) (int, error) {
	n, err := t.term.Write(append([]byte(clearLine), data...))
	return max(0, n-len(clearLine)), err
}
