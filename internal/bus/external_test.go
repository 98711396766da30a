package bus

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/deskfleet/deskfleet/internal/testing/eventually"
	"github.com/deskfleet/deskfleet/internal/testing/ports"
)

// builtServer is the folder that natsServer fills and TestMain removes.
var builtServer string

// natsServer builds the stand-alone server from the pinned module, once.
var natsServer = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "deskfleet-nats-server")
	if err != nil {
		return "", err
	}
	builtServer = dir
	path := filepath.Join(dir, "nats-server")
	out, err := exec.Command("go", "build", "-o", path, "github.com/nats-io/nats-server/v2").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build nats-server: %w: %s", err, out)
	}
	return path, nil
})

// external is a NATS of someone else: another process with accounts.
type external struct {
	binary, config, client, monitor string
	creds, systemCreds              string
	process                         *exec.Cmd
}

func newExternal(t testing.TB, sync string) *external {
	t.Helper()
	binary, err := natsServer()
	if err != nil {
		t.Fatal(err)
	}
	dir, addresses := t.TempDir(), ports.Free(t, 2)
	e := &external{
		binary: binary, config: filepath.Join(dir, "nats.conf"), client: addresses[0], monitor: addresses[1],
		creds: filepath.Join(dir, "desk.creds"), systemCreds: filepath.Join(dir, "system.creds"),
	}
	operator := newPair(t, nkeys.CreateOperator)
	account, system := newPair(t, nkeys.CreateAccount), newPair(t, nkeys.CreateAccount)
	accountJWT, systemJWT := accountToken(t, account, operator, true), accountToken(t, system, operator, false)
	writeFile(t, e.creds, userCreds(t, account))
	writeFile(t, e.systemCreds, userCreds(t, system))
	operatorClaims := jwt.NewOperatorClaims(publicOf(t, operator))
	operatorClaims.SystemAccount = publicOf(t, system)
	writeFile(t, e.config, fmt.Appendf(nil, `
listen: %q
http: %q
server_name: external
operator: %s
system_account: %s
resolver: MEMORY
resolver_preload: { %s: %s, %s: %s }
jetstream { store_dir: %q, max_mem: 64M, max_file: 256M, sync_interval: %s }
`, addresses[0], addresses[1], encode(t, operatorClaims, operator), publicOf(t, system),
		publicOf(t, account), accountJWT, publicOf(t, system), systemJWT, filepath.Join(dir, "store"), sync))
	t.Cleanup(func() { e.kill(t) })
	return e
}

func newPair(t testing.TB, create func() (nkeys.KeyPair, error)) nkeys.KeyPair {
	t.Helper()
	pair, err := create()
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

func publicOf(t testing.TB, pair nkeys.KeyPair) string {
	t.Helper()
	public, err := pair.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	return public
}

func encode(t testing.TB, claims jwt.Claims, signer nkeys.KeyPair) string {
	t.Helper()
	token, err := claims.Encode(signer)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func accountToken(t testing.TB, account, operator nkeys.KeyPair, jetStream bool) string {
	claims := jwt.NewAccountClaims(publicOf(t, account))
	if jetStream {
		claims.Limits.JetStreamLimits = jwt.JetStreamLimits{MemoryStorage: -1, DiskStorage: -1, Streams: -1, Consumer: -1}
	}
	return encode(t, claims, operator)
}

func userCreds(t testing.TB, account nkeys.KeyPair) []byte {
	t.Helper()
	user := newPair(t, nkeys.CreateUser)
	seed, err := user.Seed()
	if err != nil {
		t.Fatal(err)
	}
	creds, err := jwt.FormatUserConfig(encode(t, jwt.NewUserClaims(publicOf(t, user)), account), seed)
	if err != nil {
		t.Fatal(err)
	}
	return creds
}

func (e *external) start(t testing.TB) {
	t.Helper()
	log, err := os.Create(e.config + ".log")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }() // the process has its own handle
	e.process = exec.Command(e.binary, "-c", e.config)
	e.process.Stdout, e.process.Stderr = log, log
	if err := e.process.Start(); err != nil {
		t.Fatal(err)
	}
	eventually.Nil(t, "the external server is healthy", func() error {
		response, err := http.Get("http://" + e.monitor + "/healthz")
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return errors.New(response.Status)
		}
		return nil
	})
	http.DefaultClient.CloseIdleConnections()
}

// kill ends the process as the kernel does it when memory runs out.
func (e *external) kill(t testing.TB) {
	t.Helper()
	if e.process == nil {
		return
	}
	if err := e.process.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = e.process.Wait() // reports the kill
	e.process = nil
}

func (e *external) endpoint(creds string) Endpoint {
	return Endpoint{URLs: []string{"nats://" + e.client}, CredsFile: creds}
}

// An external server is killed, not stopped, again and again while a writer
// appends: what was acknowledged is there once and in order, and was tailed.
func TestExternalServerKilled(t *testing.T) {
	e := newExternal(t, "always")
	e.start(t)
	s := testSubjects(t)
	c := connect(t, e.endpoint(e.creds))
	spec := SpecFor(s, 0, 64<<20)
	if err := c.EnsureStream(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	l := c.Log(s.Stream())
	if info, err := l.Info(t.Context()); err != nil || info.Replicas != 1 {
		t.Fatalf("info is %+v, %v", info, err)
	}
	tail := startTail(t, l, 0, s.Decisions())
	const rounds, each = 3, 150
	progress, written := make(chan int, rounds*each), make(chan error, 1)
	go func() {
		var last uint64
		for i := range rounds * each {
			seq, _, err := l.Append(deadline(t), s.Decisions(), fmt.Append(nil, i),
				AppendOptions{MsgID: fmt.Sprint("d", i), ExpectLast: Expect(last)})
			if err != nil {
				written <- fmt.Errorf("append %d: %w", i, err)
				return
			}
			last = seq
			progress <- i
		}
		written <- nil
	}()
	var want []string
	for i := range rounds * each {
		want = append(want, fmt.Sprint(i))
		select {
		case <-progress:
		case err := <-written:
			t.Fatal(err)
		}
		if i%each == each/2 {
			e.kill(t)
			e.start(t)
		}
	}
	if err := eventually.Receive(t, "the writer ends", written); err != nil {
		t.Fatal(err)
	}
	tail.waitFor(t, want...)
	if diff := cmp.Diff(want, readAll(t, l, s.Decisions(), 0)); diff != "" {
		t.Error(diff)
	}
	if err := c.EnsureStream(t.Context(), spec); err != nil {
		t.Error(err)
	}
	if err := c.Drain(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestExternalCredentialsAreNeeded(t *testing.T) {
	e := newExternal(t, "always")
	e.start(t)
	err := dialUntilWarned(t, Endpoint{URLs: []string{"nats://" + e.client}})
	if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "Authorization Violation") {
		t.Errorf("without credentials: %v", err)
	}
	// An account without JetStream cannot hold a desk and says so.
	c := connect(t, e.endpoint(e.systemCreds))
	ctx, cancel := context.WithTimeout(t.Context(), attemptTimeout/10)
	defer cancel()
	if err := c.EnsureStream(ctx, SpecFor(testSubjects(t), 0, 64<<20)); err == nil {
		t.Error("the system account has a stream")
	} else {
		t.Log(err)
	}
}

func TestProbeDurability(t *testing.T) {
	for config, want := range map[string]Durability{"always": DurabilityAlways, "90s": DurabilityInterval} {
		e := newExternal(t, config)
		e.start(t)
		c, system := connect(t, e.endpoint(e.creds)), connect(t, e.endpoint(e.systemCreds))
		wantInterval := time.Duration(0)
		if want == DurabilityInterval {
			wantInterval = 90 * time.Second
		}
		if got, interval := ProbeDurability(t.Context(), c, "http://"+e.monitor); got != want || interval != wantInterval {
			t.Errorf("%s: monitoring says %s, %s", config, got, interval)
		}
		if got, interval := ProbeDurability(t.Context(), system, ""); got != want || interval != wantInterval {
			t.Errorf("%s: the system account is told %s, %s", config, got, interval)
		}
		if got, _ := ProbeDurability(t.Context(), c, ""); got != DurabilityUnknown {
			t.Errorf("%s: an ordinary account is told %s", config, got)
		}
		if got, _ := ProbeDurability(t.Context(), c, "http://"+net.JoinHostPort("127.0.0.1", "1")); got != DurabilityUnknown {
			t.Errorf("%s: nobody says %s", config, got)
		}
		http.DefaultClient.CloseIdleConnections()
	}
}

// What managers learned is kept by a bus of somebody else's too, also in a log that an earlier release made, and
// survives a kill of its server.
func TestLearnedIsKeptByAnExternalBus(t *testing.T) {
	e := newExternal(t, "always")
	e.start(t)
	s := testSubjects(t)
	c := connect(t, e.endpoint(e.creds))
	spec := SpecFor(s, 0, 64<<20)
	earlier := spec
	earlier.Subjects = []string{s.Conversations(), s.Decisions(), s.Claims(), s.Audit()}
	if err := c.EnsureStream(t.Context(), earlier); err != nil {
		t.Fatal(err)
	}
	l := c.Log(s.Stream())
	mustAppend(t, l, s.Decisions(), "d", AppendOptions{})
	within, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, _, err := l.Append(within, s.Learned("bots"), []byte("x"), AppendOptions{MsgID: "x"}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("a log that does not know the subject says %v", err)
	}
	if err := c.EnsureStream(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, l, s.Learned("bots"), "a week", AppendOptions{MsgID: "a"})
	last := mustAppend(t, l, s.Learned("bots"), "two weeks", AppendOptions{MsgID: "b"})
	if err := l.PurgeUpTo(t.Context(), s.Learned("bots"), last-1); err != nil {
		t.Fatal(err)
	}
	e.kill(t)
	e.start(t)
	if diff := cmp.Diff([]string{"two weeks"}, readAll(t, l, s.AllLearned(), 0)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"d"}, readAll(t, l, s.Decisions(), 0)); diff != "" {
		t.Error(diff)
	}
}
