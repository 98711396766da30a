package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
	"github.com/deskfleet/deskfleet/internal/testing/ports"
)

// testCluster is three servers on loopback with TLS on all listeners.
type testCluster struct {
	doc     *runtimeconfig.Document
	options []ServerOptions
	servers []*Server
}

func startCluster(t testing.TB, files TLSFiles, users []runtimeconfig.BusUser) *testCluster {
	t.Helper()
	const n = 3
	addresses := ports.Free(t, 2*n)
	doc := testDocument(64 << 20)
	doc.Bus.Users, doc.Bus.Replicas = users, n
	c := &testCluster{doc: doc, servers: make([]*Server, n)}
	for i := range n {
		doc.Bus.URLs = append(doc.Bus.URLs, "tls://"+addresses[i])
		doc.Bus.Routes = append(doc.Bus.Routes, "tls://"+addresses[n+i])
		c.options = append(c.options, ServerOptions{Name: fmt.Sprintf("bus-%d", i), Dir: t.TempDir(),
			Listen: addresses[i], ClusterListen: addresses[n+i], TLS: files, Logger: quiet(t)})
	}
	t.Cleanup(func() {
		for _, s := range c.servers {
			if s != nil {
				// Without grace: nothing is left to hand over to.
				ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
				cancel()
				if err := s.Shutdown(ctx); err != nil {
					t.Error(err)
				}
			}
		}
	})
	for i := range n {
		c.start(t, i)
	}
	if err := c.servers[0].EnsureStream(deadline(t)); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *testCluster) start(t testing.TB, i int) {
	t.Helper()
	s, err := StartServer(t.Context(), c.doc, c.options[i])
	if err != nil {
		t.Fatal(err)
	}
	c.servers[i] = s
}

// kill ends a server without handing anything over.
func (c *testCluster) kill(i int) {
	s := c.servers[i]
	c.servers[i] = nil
	s.nats.Shutdown()
	s.nats.WaitForShutdown()
}

// leader of the desk's stream.
func (c *testCluster) leader(t testing.TB, conn Conn) int {
	t.Helper()
	info, err := conn.Log(testSubjects(t).Stream()).(*streamLog).info(deadline(t))
	if err != nil {
		t.Fatal(err)
	}
	return slices.IndexFunc(c.options, func(o ServerOptions) bool { return o.Name == info.Cluster.Leader })
}

// Three servers, one after the other killed, rolled and back: appends go on,
// and at the end everything acknowledged is there once, in order, and was tailed.
func TestClusterLosesAServer(t *testing.T) {
	ca, files := newAuthority(t, "desk CA"), tlsFiles(t)
	ca.write(t, files, ca)
	seed, public := newSeed(t)
	cluster := startCluster(t, files, routerUser(public))
	s := testSubjects(t)
	c := connect(t, EndpointFor(cluster.doc, routerRole, Files{CA: files.CA, Seed: seed}))
	l := c.Log(s.Stream())
	info, err := l.Info(deadline(t))
	if err != nil || info.Replicas != 3 {
		t.Fatalf("info is %+v, %v", info, err)
	}
	tail := startTail(t, l, 0, s.Decisions())
	var last uint64
	var want []string
	appendSome := func(n int) {
		t.Helper()
		for range n {
			data := fmt.Sprint(len(want))
			want = append(want, data)
			seq, _, err := l.Append(deadline(t), s.Decisions(), []byte(data), AppendOptions{MsgID: "d" + data, ExpectLast: Expect(last)})
			if err != nil {
				t.Fatal(err)
			}
			last = seq
		}
	}
	appendSome(20)
	killed := cluster.leader(t, c)
	cluster.kill(killed)
	appendSome(20)
	cluster.start(t, killed)
	eventually.Nil(t, "the killed server is current again", func() error { return cluster.servers[killed].Ready() })
	appendSome(5)
	// A graceful end hands the leaderships over.
	rolled := cluster.leader(t, c)
	if err := cluster.servers[rolled].Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	cluster.servers[rolled] = nil
	appendSome(20)
	tail.waitFor(t, want...)
	var got []string
	for m, err := range l.Read(deadline(t), s.Decisions(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(m.Data))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Messages that expect the same ownership are in flight together. A replicated
// log answers some of them with a conflict that is none.
func TestClusterConcurrentExpectations(t *testing.T) {
	ca, files := newAuthority(t, "desk CA"), tlsFiles(t)
	ca.write(t, files, ca)
	cluster := startCluster(t, files, nil)
	s := testSubjects(t)
	c := connect(t, cluster.servers[0])
	l := c.Log(s.Stream())
	own := mustAppend(t, l, s.Ownership("c1"), "bot", AppendOptions{MsgID: "o", ExpectLast: Expect(0)})
	const n = 30
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			opts := AppendOptions{ExpectLast: Expect(own), ExpectFilter: s.Ownership("c1")}
			if i%2 == 0 {
				opts.MsgID = fmt.Sprint(i)
			}
			if _, _, err := l.Append(deadline(t), s.Messages("c1"), fmt.Append(nil, i), opts); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := readAll(t, l, s.Messages("c1"), 0); len(got) != n {
		t.Errorf("%d of %d messages are stored", len(got), n)
	}
	again, duplicate, err := l.Append(deadline(t), s.Ownership("c1"), []byte("bot"), AppendOptions{MsgID: "o", ExpectLast: Expect(0)})
	if err != nil || !duplicate || again != own {
		t.Errorf("repeated append gives %d, %t, %v", again, duplicate, err)
	}
	_, _, err = l.Append(deadline(t), s.Ownership("c1"), nil, AppendOptions{MsgID: "other", ExpectLast: Expect(0)})
	if !errors.Is(err, ErrFenced) {
		t.Errorf("a deposed writer gets %v, want %v", err, ErrFenced)
	}
	if err := l.PurgeUpTo(deadline(t), s.Conversation("c1"), own); err != nil {
		t.Error(err)
	}
}
