package bus

import (
	"errors"
	"fmt"
)

// What can go wrong on the bus. Every error of this package that has one of
// these causes wraps it; use [errors.Is].
var (
	// ErrUnavailable: the bus did not answer. Retry later with the same
	// MsgID: the write may have been stored although the answer was lost.
	ErrUnavailable = errors.New("bus is not available")
	// ErrFull: the log has reached its size limit. Nothing was stored and
	// nothing older was dropped; it heals once the archive has purged.
	ErrFull = errors.New("bus log is full")
	// ErrDenied: the server does not allow this role the subject. Retrying is useless.
	ErrDenied = errors.New("bus denies the subject to this role")
	// ErrTooLarge: the message is over the size limit. Retrying is useless.
	ErrTooLarge = errors.New("bus message is too large")
	// ErrNoResponders: nobody serves the requested subject at the moment.
	ErrNoResponders = errors.New("nobody on the bus answers the request")
	// ErrLogReplaced: the log is not the one that was being tailed, because its
	// sequences went back or it was made anew. State built from it is void.
	ErrLogReplaced = errors.New("bus log was replaced")
	// ErrClosed: the connection was closed by this process.
	ErrClosed = errors.New("bus connection is closed")
)

// ErrFenced is the cause of every [FencedError].
var ErrFenced = errors.New("another writer was first")

// FencedError says that an append was refused, because the last sequence was
// not the expected one. Nothing was stored.
type FencedError struct {
	// Subject that the sequence was checked on.
	Subject string
	// Expected sequence of the writer and Actual one of the log; 0 stands for "no message".
	Expected, Actual uint64
}

// Error names subject and both sequences.
func (e *FencedError) Error() string {
	return fmt.Sprintf("%v: last sequence of %s is %d, expected %d", ErrFenced, e.Subject, e.Actual, e.Expected)
}

// Unwrap gives [ErrFenced].
func (e *FencedError) Unwrap() error { return ErrFenced }
