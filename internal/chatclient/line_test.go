package chatclient

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestI16ReconnectsAreSpread: a pause is random, grows with the attempts, stays within its bounds however many there were,
// and a desk's own hint is kept to.
func TestI16ReconnectsAreSpread(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := Reconnect{
			First: time.Duration(rapid.Int64Range(1, int64(time.Hour)).Draw(t, "first")),
			Most:  time.Duration(rapid.Int64Range(1, int64(time.Hour)).Draw(t, "most")),
		}
		failed := rapid.IntRange(0, 1<<20).Draw(t, "failed")
		least := time.Duration(rapid.Int64Range(0, int64(time.Minute)).Draw(t, "least"))
		most := r.Most
		if failed < 10 {
			most = min(most, r.First<<failed)
		}
		if d := r.pause(failed, 0, least); d < least || d >= least+most {
			t.Fatalf("pause is %s, want at least %s and less than %s more", d, least, most)
		}
		if d := r.pause(failed, time.Second, least); d != time.Second {
			t.Fatalf("the desk's hint of 1s became %s", d)
		}
	})
}
