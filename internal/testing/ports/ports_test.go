package ports

import (
	"net"
	"slices"
	"testing"
)

// What was given can be listened at, by one server each.
func TestFree(t *testing.T) {
	all := append(Free(t, 50), Free(t, 50)...)
	for _, address := range all {
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", address)
		if err != nil {
			t.Error(err)
			continue
		}
		t.Cleanup(func() { _ = l.Close() })
	}
	slices.Sort(all)
	if len(slices.Compact(all)) != 100 {
		t.Errorf("some are given twice: %q", all)
	}
}
