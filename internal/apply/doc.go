// Package apply is the only writer of children. It compares what is wanted with
// the cache first and calls the API server only on a difference; it touches
// nothing that is not ours; and it deletes what is ours and no longer wanted.
package apply
