package chatclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/deskfleet/deskfleet/internal/chatclient/script"
)

// LineReader gives what a person types. It returns io.EOF at the end, which is when the person leaves.
type LineReader interface {
	ReadLine() (string, error)
}

// ChatOptions of [RunChat].
type ChatOptions struct {
	// Connection to the desk.
	Connection Options
	// Script to play; nil for a person who types.
	Script *script.Script
	// In gives what the person types; it is not read with a script. A read that is under way when RunChat
	// returns goes on.
	In LineReader
	// Echoed says that what is typed stands on the screen already and is not printed again.
	Echoed bool
	// Out gets the dialogue.
	Out io.Writer
}

// RunChat lets a person, or a script, be a customer, and prints the dialogue. It returns nil when the
// person leaves or the script was played, a [*StepError] for what the script did not expect, and an error
// when the desk is lost for good.
func RunChat(ctx context.Context, opts ChatOptions) error {
	chat, err := Open(opts.Connection)
	if err != nil {
		return err
	}
	defer chat.Close()
	p := newPrinter(opts.Out)
	if opts.Script != nil {
		err = (&player{chat: chat, script: opts.Script, printer: p}).play(ctx)
	} else {
		err = (&talk{chat: chat, printer: p, in: opts.In, echoed: opts.Echoed}).run(ctx)
	}
	return errors.Join(err, p.err)
}

// talk is a person's dialogue.
type talk struct {
	chat    *Chat
	printer *printer
	in      LineReader
	echoed  bool
	greeted bool
	// unshown are the messages, by client id, that are to be printed when the desk tells of them.
	unshown map[string]bool
}

// showWithin bounds how long a person who leaves waits to see what is stored.
const showWithin = 5 * time.Second

// typed is a line, or the end of them.
type typed struct {
	line string
	err  error
}

// readLines hands lines on until they end or nobody takes them.
func readLines(ctx context.Context, in LineReader) <-chan typed {
	lines := make(chan typed)
	go func() {
		for {
			line, err := in.ReadLine()
			select {
			case lines <- typed{line: line, err: err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return lines
}

func (t *talk) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lines := readLines(ctx, t.in)
	// What was said is stored before the end; and who says nothing learns at least whether the desk is there.
	leaving, quit := false, false
	t.unshown = map[string]bool{}
	var late <-chan time.Time
	for !leaving || t.chat.Standing().Waiting > 0 || !quit && (!t.greeted || len(t.unshown) > 0) {
		select {
		case line := <-lines:
			switch {
			case line.err == nil:
				quit = t.typed(ctx, line.line)
				leaving = quit
			case errors.Is(line.err, io.EOF):
				leaving = true
			default:
				return fmt.Errorf("read what is typed: %w", line.err)
			}
			if leaving {
				lines, late = nil, time.After(showWithin)
			}
		case <-late:
			clear(t.unshown)
		case e, open := <-t.chat.Events():
			if !open {
				return t.chat.Err()
			}
			t.event(e)
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

func (t *talk) event(e Event) {
	if online, ok := e.(Online); ok && !t.greeted {
		t.greeted = true
		t.printer.line("%s (%s). Write a message. /close ends the conversation, /quit leaves.",
			clean(online.Desk.DisplayName), clean(strings.Join(online.Desk.Languages, ", ")))
	}
	switch e := e.(type) {
	case Said:
		delete(t.unshown, e.ClientID)
	case Refused:
		delete(t.unshown, e.ClientID)
	}
	t.printer.event(e)
}

// typed does what a line says and returns whether the person leaves.
func (t *talk) typed(ctx context.Context, line string) (leave bool) {
	line = strings.TrimSpace(line)
	switch {
	case line == "":
	case line == "/quit":
		return true
	case line == "/close":
		go func() { _ = t.chat.End(ctx) }() // events tell what becomes of it
	case line == "/callback" || strings.HasPrefix(line, "/callback "):
		t.callBack(strings.TrimSpace(strings.TrimPrefix(line, "/callback")))
	case strings.HasPrefix(line, "/rate "):
		t.rate(strings.TrimSpace(strings.TrimPrefix(line, "/rate ")))
	case strings.HasPrefix(line, "/") && !strings.ContainsRune(line, ' '):
		t.printer.note("%q is no command: use /close, /callback, /rate or /quit", brief(line))
	default:
		id, err := t.chat.Post(Outgoing{Text: line})
		if err != nil {
			t.printer.note("not sent: %q: %s", brief(line), clean(err.Error()))
			return false
		}
		if t.echoed {
			t.printer.hide(id)
		} else {
			t.unshown[id] = true
		}
	}
	return false
}

// callBack waits elsewhere: until a time, or until it is the person's turn.
func (t *talk) callBack(when string) {
	var until time.Time
	if when != "" {
		var err error
		if until, err = parseWhen(when, time.Now()); err != nil {
			t.printer.note("%s", err.Error())
			return
		}
	}
	t.chat.CallBack(until)
}

// rate the conversation that has ended.
func (t *talk) rate(text string) {
	score, comment, _ := strings.Cut(text, " ")
	n, err := strconv.Atoi(score)
	if err == nil {
		err = t.chat.Rate(n, strings.TrimSpace(comment))
	}
	if err != nil {
		t.printer.note("write /rate 1 (bad) to 5 (good), and a comment if you like")
	}
}
