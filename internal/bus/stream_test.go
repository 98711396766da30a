package bus

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestEnsureStreamIsIdempotentAndUpdates(t *testing.T) {
	s := testSubjects(t)
	server := startTestServer(t, testDocument(64<<20), t.TempDir())
	c := connect(t, server)
	spec := SpecFor(s, 1, 8<<20)
	for range 2 {
		if err := c.EnsureStream(t.Context(), spec); err != nil {
			t.Fatal(err)
		}
	}
	mustAppend(t, c.Log(s.Stream()), s.Decisions(), "kept", AppendOptions{})
	spec.MaxBytes, spec.Replicas = 16<<20, 0
	if err := c.EnsureStream(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	info, err := c.Log(s.Stream()).Info(t.Context())
	if err != nil || info.MaxBytes != 16<<20 || info.Replicas != 1 || info.Messages != 1 {
		t.Errorf("info is %+v, %v", info, err)
	}
	fresh := StreamSpec{Name: "DESK_fresh", Subjects: []string{"dk.fresh"}, MaxBytes: 1 << 20}
	if err := c.EnsureStream(t.Context(), fresh); err != nil {
		t.Errorf("as many replicas as one server has: %v", err)
	}
	for name, bad := range map[string]StreamSpec{
		"no name":      {Subjects: []string{"a"}, MaxBytes: 1 << 20},
		"too small":    {Name: "S", Subjects: []string{"a"}, MaxBytes: 1},
		"two replicas": {Name: "S", Subjects: []string{"a"}, MaxBytes: 1 << 20, Replicas: 2},
	} {
		if err := c.EnsureStream(t.Context(), bad); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestFullLogRefusesAndHeals(t *testing.T) {
	s := testSubjects(t)
	l := connect(t, startTestServer(t, testDocument(2<<20), t.TempDir())).Log(s.Stream())
	data := make([]byte, 100<<10)
	stored := 0
	var err error
	for err == nil {
		if _, _, err = l.Append(t.Context(), s.Messages("c1"), data, AppendOptions{MsgID: fmt.Sprint(stored)}); err == nil {
			stored++
		}
	}
	if !errors.Is(err, ErrFull) {
		t.Fatalf("a full log gives %v, want %v", err, ErrFull)
	}
	if got := len(readAll(t, l, s.AllMessages(), 0)); got != stored || stored == 0 {
		t.Fatalf("%d messages are left of %d acknowledged ones", got, stored)
	}
	first, _, err := l.Last(t.Context(), s.AllMessages())
	if err != nil {
		t.Fatal(err)
	}
	if err := l.PurgeUpTo(t.Context(), s.Conversation("c1"), first.Seq/2); err != nil {
		t.Fatalf("purge of a full log: %v", err)
	}
	// The same message again: its first try was refused, so it is no duplicate.
	mustAppend(t, l, s.Messages("c1"), string(data), AppendOptions{MsgID: fmt.Sprint(stored)})
	info, err := l.Info(t.Context())
	if err != nil || info.MaxBytes != (2<<20)/100*streamShare || info.Bytes == 0 || info.Replicas != 1 || info.Subjects != 1 {
		t.Errorf("info is %+v, %v", info, err)
	}
}

func TestTooLarge(t *testing.T) {
	l, s := testLog(t)
	mustAppend(t, l, s.Messages("c1"), strings.Repeat("x", MaxMessage-1024), AppendOptions{MsgID: "fits"})
	if got, ok, err := l.Last(t.Context(), s.Messages("c1")); err != nil || !ok || len(got.Data) != MaxMessage-1024 {
		t.Errorf("the largest message reads %d bytes, %t, %v", len(got.Data), ok, err)
	}
	for _, size := range []int{MaxMessage, MaxMessage + headerRoom} {
		_, _, err := l.Append(t.Context(), s.Messages("c1"), make([]byte, size), AppendOptions{MsgID: fmt.Sprint(size)})
		if !errors.Is(err, ErrTooLarge) {
			t.Errorf("%d bytes give %v, want %v", size, err, ErrTooLarge)
		}
	}
}
