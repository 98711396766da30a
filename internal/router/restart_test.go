package router

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nkeys"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

// The bus restarts under the router, which has no more rights on it than its role: it goes on where it
// was, and nobody is lost because of it.
func TestTheBusRestarts(t *testing.T) {
	doc := document()
	seed, public := newSeed(t)
	doc.Bus.Users = []runtimeconfig.BusUser{{Role: runtimeconfig.RoleRouter, PublicKey: public}}
	options := bus.ServerOptions{Name: "bus", Dir: t.TempDir(), Listen: freePort(t), Plaintext: true, Logger: quiet(t)}
	start := func() *bus.Server {
		server, err := bus.StartServer(t.Context(), doc, options)
		if err != nil {
			t.Fatal(err)
		}
		if err := server.EnsureStream(t.Context()); err != nil {
			t.Fatal(err)
		}
		return server
	}
	first := start()
	d := newDeskOn(t, first, doc)
	router := d.startRouter("router-0", func(o *Options) {
		o.CompactEvery = 2 // so that the role's right to compact is needed, too
		o.Dialer = bus.Endpoint{URLs: []string{"nats://" + options.Listen}, SeedFile: seed, InboxPrefix: bus.InboxPrefix(runtimeconfig.RoleRouter)}
	})
	d.client(bus.PartyBot, "bot-0").signOn()
	conv := d.post("c-1", "m1", "hello")
	d.has(conv, conversation.TypeAssigned, 1)
	d.compacted()
	shutDown(t, first)

	second := start()
	t.Cleanup(func() { shutDown(t, second) })
	again := newDeskOn(t, second, doc)
	bot := again.client(bus.PartyBot, "bot-0")
	again.answer(bot, conv, "b1", "Good day")
	bot.must(protocol.Request{Type: protocol.Close, Conversation: conv})
	again.has(conv, conversation.TypeClosed, 1)
	again.released(conv)
	want := []string{"message customer hello", "opened bot", "assigned bot-0", "message bot Good day", "closed resolved "}
	if diff := cmp.Diff(want, again.story(conv)); diff != "" {
		t.Error(diff)
	}
	again.check()
	router.end(t)
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // it was never used
	return l.Addr().String()
}

func newSeed(t *testing.T) (file, public string) {
	t.Helper()
	pair, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := pair.Seed()
	if err != nil {
		t.Fatal(err)
	}
	if public, err = pair.PublicKey(); err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "seed")
	if err := os.WriteFile(file, seed, 0o600); err != nil {
		t.Fatal(err)
	}
	return file, public
}
