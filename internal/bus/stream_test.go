package bus

import (
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
