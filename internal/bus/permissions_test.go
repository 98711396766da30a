package bus

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
)

const routerRole = runtimeconfig.RoleRouter

func routerUser(public string) []runtimeconfig.BusUser {
	return []runtimeconfig.BusUser{{Role: routerRole, PublicKey: public}}
}

// roles starts a server with a user for each role and connects them all.
func roles(t *testing.T) (*Server, map[runtimeconfig.Role]*conn) {
	t.Helper()
	doc := testDocument(16 << 20)
	seeds := map[runtimeconfig.Role]string{}
	for _, role := range runtimeconfig.ClientRoles() {
		seed, public := newSeed(t)
		seeds[role] = seed
		doc.Bus.Users = append(doc.Bus.Users, runtimeconfig.BusUser{Role: role, PublicKey: public})
	}
	server := startTestServer(t, doc, t.TempDir())
	conns := map[runtimeconfig.Role]*conn{}
	for role, seed := range seeds {
		conns[role] = connect(t, insideAs{server, role, seed}).(*conn)
	}
	return server, conns
}

// mayPublish asks the server by a publish and what it says about it.
func mayPublish(t *testing.T, c *conn, subject string) bool {
	t.Helper()
	ctx, release := c.guard(deadline(t), subject)
	defer release()
	if err := c.nc.Publish(subject, []byte(`{}`)); err != nil {
		t.Fatal(err)
	}
	// The refusal stands before the answer to the flush and is told in order,
	// behind which a second refusal, certain to come, is waited for.
	const never = "nobody.may.publish.this"
	second, releaseSecond := c.guard(deadline(t), never)
	defer releaseSecond()
	if err := c.nc.Publish(never, nil); err != nil {
		t.Fatal(err)
	}
	<-second.Done()
	if cause := context.Cause(second); !errors.Is(cause, ErrDenied) {
		t.Fatalf("even %s is allowed: %v", never, cause)
	}
	return !errors.Is(context.Cause(ctx), ErrDenied)
}

func maySubscribe(t *testing.T, c *conn, subject string) bool {
	t.Helper()
	sub, err := c.Subscribe(t.Context(), subject, ignore)
	if err == nil {
		sub.Stop()
		return true
	}
	if !errors.Is(err, ErrDenied) {
		t.Fatalf("subscribe to %s: %v", subject, err)
	}
	return false
}

// TestPermissions is the whole matrix: for every subject of a desk exactly the
// listed roles may publish, and exactly the listed ones subscribe.
func TestPermissions(t *testing.T) {
	server, conns := roles(t)
	s := testSubjects(t)
	other, err := NewSubjects("shop", "other")
	if err != nil {
		t.Fatal(err)
	}
	const (
		gw, rt, bt = runtimeconfig.RoleGateway, runtimeconfig.RoleRouter, runtimeconfig.RoleBot
		cs, kn, ar = runtimeconfig.RoleConsole, runtimeconfig.RoleKnowledge, runtimeconfig.RoleArchive
	)
	type set = []runtimeconfig.Role
	all := runtimeconfig.ClientRoles()
	readers := set{gw, rt, bt, cs, ar}
	api := func(request string) string { return "$JS.API." + request + "." + s.Stream() }
	for _, c := range []struct {
		subject            string
		publish, subscribe set
	}{
		{s.Messages("c1"), set{gw, rt, bt, cs}, set{gw, rt, bt, cs}},
		{s.Ownership("c1"), set{rt}, set{gw, rt, bt, cs}},
		{s.Decisions(), set{rt}, set{rt}},
		{s.Claim("web", "u1"), set{gw, rt}, set{rt}},
		{s.Audit(), set{gw, rt, cs}, nil},
		{s.Learned("bots"), set{rt}, nil},
		{s.Heartbeat(PartyBot, "b"), set{bt}, set{rt}},
		{s.Heartbeat(PartyAgent, "li"), set{cs}, set{rt}},
		{s.Heartbeat(PartyCustomer, "u"), nil, set{rt}},
		{s.Intent(PartyCustomer, "u"), set{gw}, set{rt}},
		{s.Intent(PartyBot, "b"), set{bt}, set{rt}},
		{s.Intent(PartyAgent, "li"), set{cs}, set{rt}},
		{s.Offer(PartyBot, "b"), set{rt}, set{bt}},
		{s.Offer(PartyAgent, "li"), set{rt}, set{cs}},
		{s.Live("c1"), set{gw, rt, bt, cs}, set{gw, bt, cs}},
		{s.Figures(), set{rt}, set{gw, cs, ar}},
		{s.Load(gw, "web-gateway-0"), set{gw}, set{rt}},
		{s.Load(kn, "web-knowledge-0"), set{kn}, set{rt}},
		{s.Load(cs, "web-console-0"), nil, set{rt}},
		{s.Leader(), set{rt}, set{rt}},
		{s.Config(), set{rt}, all},
		{s.ConfigGet(), all, set{rt}},
		{s.Request(ServiceKnowledgeSearch), set{bt, cs}, set{kn}},
		{s.Request(ServiceArchiveTranscript), set{gw, cs}, set{ar}},
		{s.Request(ServiceArchiveSearch), set{cs}, set{ar}},
		{s.Request(ServiceArchiveAudit), set{cs}, set{ar}},
		{s.Request(ServiceArchiveWebhooks), set{cs}, set{ar}},
		{s.Request(ServiceArchiveStatus), set{rt, cs}, set{ar}},
		{s.Request(ServiceArchiveReport), set{cs}, set{ar}},

		{other.Messages("c1"), nil, nil},
		{other.Decisions(), nil, nil},
		{other.Learned("bots"), nil, nil},
		{other.Config(), nil, nil},
		{">", nil, nil},
		{"*.shop.web_chat.>", nil, nil},
		{"$SYS.REQ.SERVER.PING", nil, nil},

		{api("STREAM.INFO"), readers, nil},
		{api("STREAM.MSG.GET"), readers, nil},
		{api("DIRECT.GET"), readers, nil},
		{api("CONSUMER.CREATE") + ".x." + s.Messages("c1"), readers, nil},
		{api("CONSUMER.MSG.NEXT") + ".x", readers, nil},
		{api("STREAM.PURGE"), set{rt, ar}, nil},
		{api("STREAM.CREATE"), nil, nil},
		{api("STREAM.UPDATE"), nil, nil},
		{api("STREAM.DELETE"), nil, nil},
		{api("STREAM.MSG.DELETE"), nil, nil},
		{api("CONSUMER.DURABLE.CREATE") + ".x", nil, nil},
		{"$JS.API.STREAM.INFO." + other.Stream(), nil, nil},
		{"$JS.API.STREAM.LIST", nil, nil},
		{"$JS.API.DIRECT.GET." + other.Stream(), nil, nil},
	} {
		for _, role := range all {
			if c.subject != ">" && c.subject != "*.shop.web_chat.>" {
				if got, want := mayPublish(t, conns[role], c.subject), slices.Contains(c.publish, role); got != want {
					t.Errorf("role %s may publish on %s: %t, want %t", role, c.subject, got, want)
				}
			}
			if got, want := maySubscribe(t, conns[role], c.subject), slices.Contains(c.subscribe, role); got != want {
				t.Errorf("role %s may subscribe to %s: %t, want %t", role, c.subject, got, want)
			}
		}
	}
	for _, role := range all {
		for _, whose := range all {
			if got := maySubscribe(t, conns[role], InboxPrefix(whose)+".>"); got != (role == whose) {
				t.Errorf("role %s may read the replies to role %s: %t", role, whose, got)
			}
			if mayPublish(t, conns[role], InboxPrefix(whose)+".x.1") {
				t.Errorf("role %s may forge replies to role %s", role, whose)
			}
		}
		if maySubscribe(t, conns[role], "_INBOX.>") {
			t.Errorf("role %s may read the default inboxes", role)
		}
	}
	// The purges were allowed too, so that only the sequence tells.
	if info, err := connect(t, server).Log(s.Stream()).Info(t.Context()); err != nil || info.LastSeq == 0 {
		t.Errorf("the allowed publishes were not stored: %+v, %v", info, err)
	}
}

// What each role needs for its work works with its permissions, not only by the table.
func TestRolesCanWork(t *testing.T) {
	_, conns := roles(t)
	s := testSubjects(t)
	readers := []runtimeconfig.Role{runtimeconfig.RoleGateway, runtimeconfig.RoleRouter, runtimeconfig.RoleBot,
		runtimeconfig.RoleConsole, runtimeconfig.RoleArchive}
	log := func(role runtimeconfig.Role) Log { return conns[role].Log(s.Stream()) }
	gateway, router := log(runtimeconfig.RoleGateway), log(runtimeconfig.RoleRouter)
	mustAppend(t, gateway, s.Messages("c1"), "hello", AppendOptions{MsgID: "c1:1"})
	mustAppend(t, gateway, s.Claim("web", "u1"), "c1", AppendOptions{ExpectLast: Expect(0)})
	mustAppend(t, router, s.Decisions(), "to bot", AppendOptions{MsgID: "d1", ExpectLast: Expect(0)})
	own := mustAppend(t, router, s.Ownership("c1"), "bot", AppendOptions{MsgID: "d1o", ExpectLast: Expect(0)})
	mustAppend(t, log(runtimeconfig.RoleBot), s.Messages("c1"), "answer",
		AppendOptions{MsgID: "b1", ExpectLast: Expect(own), ExpectFilter: s.Ownership("c1")})
	for _, role := range readers {
		if err := conns[role].WaitStream(t.Context(), s.Stream()); err != nil {
			t.Errorf("%s: %v", role, err)
		}
		if got := readAll(t, log(role), s.Messages("c1"), 0); len(got) != 2 {
			t.Errorf("%s reads %q", role, got)
		}
		r := startTail(t, log(role), 0, s.Messages("c1"))
		r.waitFor(t, "hello", "answer")
		r.waitCaughtUp(t)
		if seq, err := log(role).LastSeq(t.Context(), s.Ownership("c1")); seq != own || err != nil {
			t.Errorf("%s: last sequence is %d, %v", role, seq, err)
		}
		if _, err := log(role).Info(t.Context()); err != nil {
			t.Errorf("%s: %v", role, err)
		}
	}
	// Requests are answered by roles that may not publish on inboxes otherwise.
	_, err := conns[runtimeconfig.RoleKnowledge].QueueSubscribe(t.Context(), s.Request(ServiceKnowledgeSearch), "knowledge",
		func(m *Message) {
			if err := m.Respond([]byte("entry")); err != nil {
				t.Error(err)
			}
			if err := m.Respond([]byte("second answer")); err != nil {
				t.Error(err)
			}
		})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := conns[runtimeconfig.RoleBot].Request(t.Context(), s.Request(ServiceKnowledgeSearch), nil); err != nil || string(got) != "entry" {
		t.Errorf("search gives %q, %v", got, err)
	}
	if err := log(runtimeconfig.RoleArchive).PurgeUpTo(t.Context(), s.Conversation("c1"), 100); err != nil {
		t.Error(err)
	}
}

// A denied call says so at once instead of running into its time-out.
func TestDeniedCallsFailFast(t *testing.T) {
	_, conns := roles(t)
	s := testSubjects(t)
	bot, knowledge := conns[runtimeconfig.RoleBot], conns[runtimeconfig.RoleKnowledge]
	// Without a deadline: a time-out would fail the test by its own limit.
	ctx := deadline(t)
	for name, err := range map[string]error{
		"append":    second(bot.Log(s.Stream()).Append(ctx, s.Decisions(), nil, AppendOptions{MsgID: "x"})),
		"request":   errOf(bot.Request(ctx, s.Request(ServiceArchiveAudit), nil)),
		"purge":     bot.Log(s.Stream()).PurgeUpTo(ctx, s.Messages("c1"), 1),
		"last":      errOf(knowledge.Log(s.Stream()).LastSeq(ctx, s.Messages("c1"))),
		"info":      errOf(knowledge.Log(s.Stream()).Info(ctx)),
		"wait":      knowledge.WaitStream(ctx, s.Stream()),
		"ensure":    bot.EnsureStream(ctx, SpecFor(s, 1, 2<<20)),
		"tail":      knowledge.Log(s.Stream()).Tail(ctx, []string{s.AllMessages()}, 0, TailHandler{}),
		"subscribe": errOf(bot.Subscribe(ctx, s.Offers(PartyAgent), ignore)),
	} {
		if !errors.Is(err, ErrDenied) {
			t.Errorf("%s: got %v, want %v", name, err, ErrDenied)
		}
	}
	for _, err := range knowledge.Log(s.Stream()).Read(ctx, s.AllMessages(), 0) {
		if !errors.Is(err, ErrDenied) {
			t.Errorf("read: got %v, want %v", err, ErrDenied)
		}
	}
}

func second(_ uint64, _ bool, err error) error { return err }
func errOf[T any](_ T, err error) error        { return err }

// Keys change while the server runs: the new one gets in, the old one is put
// out, and everyone else stays connected.
func TestApplyChangesUsers(t *testing.T) {
	doc := testDocument(16 << 20)
	oldSeed, oldKey := newSeed(t)
	newSeedFile, newKey := newSeed(t)
	stayingSeed, stayingKey := newSeed(t)
	staying := runtimeconfig.BusUser{Role: runtimeconfig.RoleBot, PublicKey: stayingKey}
	doc.Bus.Users = append(routerUser(oldKey), staying)
	server, err := StartServer(t.Context(), doc, ServerOptions{
		Name: "bus-0", Dir: t.TempDir(), Listen: "127.0.0.1:-1", Plaintext: true, Logger: quiet(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shutdown(t, server) })
	if err := server.EnsureStream(t.Context()); err != nil {
		t.Fatal(err)
	}
	as := func(role runtimeconfig.Role, seed string) Endpoint {
		return Endpoint{URLs: []string{server.URL()}, SeedFile: seed, InboxPrefix: InboxPrefix(role)}
	}
	lost := make(chan error, 1)
	old, err := as(routerRole, oldSeed).Dial(t.Context(), ClientOptions{
		Name: "old", Logger: quiet(t), OnDisconnect: func(err error) { lost <- err }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(old.Close)
	stays, err := as(runtimeconfig.RoleBot, stayingSeed).Dial(t.Context(), ClientOptions{
		Name: "stays", Logger: quiet(t), OnDisconnect: func(err error) { t.Errorf("a user that did not change was put out: %v", err) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stays.Close)

	changed := *doc
	changed.Bus.Users = append(routerUser(newKey), staying)
	changed.Bus.MaxStoreBytes = 32 << 20
	if err := server.Apply(&changed); err != nil {
		t.Fatal(err)
	}
	connect(t, as(routerRole, newSeedFile))
	eventually.Receive(t, "the old key is put out", lost)
	eventually.True(t, "the old key is refused", func() bool { return old.(*conn).lastError() != nil })
	if old.Connected() {
		t.Error("the old key is connected")
	}
	if !stays.Connected() {
		t.Error("the unchanged user is not connected")
	}
	if err := server.EnsureStream(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := testSubjects(t)
	info, err := stays.Log(s.Stream()).Info(t.Context())
	if err != nil || info.MaxBytes != streamBytes(changed.Bus) {
		t.Errorf("info is %+v, %v", info, err)
	}

	smaller := changed
	smaller.Bus.MaxStoreBytes = 8 << 20
	if err := server.Apply(&smaller); err == nil {
		t.Error("a smaller store was applied to a running server")
	}
	bad := changed
	bad.Bus.Users = []runtimeconfig.BusUser{{Role: "nobody", PublicKey: newKey}, {Role: routerRole, PublicKey: "SUxx"}}
	for i := range bad.Bus.Users {
		one := bad
		one.Bus.Users = bad.Bus.Users[i : i+1]
		if err := server.Apply(&one); err == nil {
			t.Errorf("user %+v was accepted", one.Bus.Users[0])
		}
	}
	if !stays.Connected() {
		t.Error("a refused change disconnected somebody")
	}
}

var _ nats.InProcessConnProvider = (*Server)(nil)
