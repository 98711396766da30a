package overbus_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig/overbus"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func document(t *testing.T, generation int64, name string) []byte {
	t.Helper()
	data, err := (&runtimeconfig.Document{
		Version: runtimeconfig.Version, Generation: generation, Namespace: "shop", Desk: "web", DisplayName: name, Languages: []string{"en"},
		Queues: []runtimeconfig.Queue{{Name: "people"}}, DefaultQueue: "people", Bus: runtimeconfig.Bus{Replicas: 1, MaxStoreBytes: 16 << 20},
	}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func store(t *testing.T, data []byte) *runtimeconfig.Store {
	t.Helper()
	s, err := runtimeconfig.NewStore(data)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var quiet = slog.New(slog.DiscardHandler)

func start(t *testing.T) *bus.Server {
	t.Helper()
	s := store(t, document(t, 1, ""))
	server, err := bus.StartEmbedded(t.Context(), s.Current().Document, t.TempDir(), quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Shutdown(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return server
}

func dial(t *testing.T, d bus.Dialer) bus.Conn {
	t.Helper()
	conn, err := d.Dial(t.Context(), bus.ClientOptions{Name: "role", Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

func named(s *runtimeconfig.Store, name string) func() error {
	return func() error {
		if got := s.Current().Document.DisplayName; got != name {
			return fmt.Errorf("the desk is called %q, expected %q", got, name)
		}
		return nil
	}
}

func TestRoleTakesWhatIsSpread(t *testing.T) {
	server := start(t)
	role := store(t, document(t, 1, "mounted"))
	dial(t, &overbus.Dialer{Inner: server, Store: role, Logger: quiet})
	router := dial(t, server)
	subjects, err := bus.NewSubjects("shop", "web")
	if err != nil {
		t.Fatal(err)
	}
	spread := func(data []byte) {
		t.Helper()
		message, err := overbus.Encode(data)
		if err == nil {
			err = router.Publish(t.Context(), subjects.Config(), message)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	spread(document(t, 3, "spread"))
	eventually.Nil(t, "the spread document", named(role, "spread"))
	// A late copy, a document of another desk and rubbish take nobody back.
	spread(document(t, 2, "late"))
	spread([]byte("rubbish"))
	spread(bytes.ReplaceAll(document(t, 9, "rival"), []byte(`"web"`), []byte(`"rival"`)))
	spread(document(t, 4, strings.Repeat("长", 200_000))) // beyond what the bus takes as it is
	eventually.Nil(t, "the long document", named(role, strings.Repeat("长", 200_000)))
}

func TestRoleThatStartsLateAsks(t *testing.T) {
	server := start(t)
	router := dial(t, server)
	subjects, err := bus.NewSubjects("shop", "web")
	if err != nil {
		t.Fatal(err)
	}
	role := store(t, document(t, 1, "mounted"))
	conn := dial(t, &overbus.Dialer{Inner: server, Store: role, Logger: quiet})
	// The router comes only after the role's first question.
	if _, err := router.QueueSubscribe(t.Context(), subjects.ConfigGet(), "router", func(m *bus.Message) {
		if err := m.Respond(document(t, 5, "running")); err != nil {
			t.Error(err)
		}
	}); err != nil {
		t.Fatal(err)
	}
	eventually.Nil(t, "the running document", named(role, "running"))
	if err := conn.Drain(t.Context()); err != nil {
		t.Error(err)
	}
	conn.Close() // twice is fine
}

func TestDocumentsTravelUnchanged(t *testing.T) {
	for _, size := range []int{1, 32 << 10, 32<<10 + 1, 1 << 20} {
		data := []byte(`{"text":"` + strings.Repeat("a", size) + `"}`)
		message, err := overbus.Encode(data)
		if err != nil {
			t.Fatal(err)
		}
		if len(message) > bus.MaxMessage {
			t.Errorf("%d bytes become a message of %d", len(data), len(message))
		}
		back, err := overbus.Decode(message)
		if err != nil || !bytes.Equal(back, data) {
			t.Errorf("%d bytes came back as %d (%v)", len(data), len(back), err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	message, err := overbus.Encode([]byte(strings.Repeat("a", 40_000)))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(message)
	f.Add(message[:len(message)-3])
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		document, err := overbus.Decode(data)
		if err == nil && len(document) > 4<<20 {
			t.Fatalf("%d bytes became %d", len(data), len(document))
		}
	})
}
