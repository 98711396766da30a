package fault

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
)

// The bus is killed and stopped under load, and comes back.
func TestTheBusIsRestartedUnderLoad(t *testing.T) {
	t.Parallel()
	r := newRig(t, shape{routers: 2})
	tr := r.talk(customers, true)
	for _, end := range []func(){r.buses[0].kill, r.buses[0].stop, r.buses[0].kill} {
		r.ends(3)
		end()
		r.buses[0].start()
	}
	r.ends(3)
	tr.end()
}

// A bus of three servers loses the leader of the log, and then one that follows, which may be the one that feeds the
// router: it hears of messages seconds after they were stored, and decides nothing as if they were not there.
func TestTheClusterLosesAServer(t *testing.T) {
	t.Parallel()
	r := newRig(t, shape{buses: 3, routers: 2})
	tr := r.talk(5, true) // one more than the agents have slots for: three servers take enough of the processors
	r.ends(3)
	for _, leads := range []bool{true, false} {
		lost := r.server(leads)
		lost.kill()
		r.ends(4)
		lost.start()
		r.current()
		r.ends(2)
	}
	tr.end()
}

// server of the bus that leads the log, or one that follows.
func (r *rig) server(leads bool) (found *process) {
	r.t.Helper()
	eventually.True(r.t, "the log has a leader", func() bool {
		info := r.streamInfo()
		if info == nil || info.Cluster == nil || info.Cluster.Leader == "" {
			return false
		}
		for _, p := range r.buses {
			if (p.spec.Name == info.Cluster.Leader) == leads {
				found = p
			}
		}
		return found != nil
	})
	return found
}

// current waits until all servers of the bus have the whole log: only then may another one be lost.
func (r *rig) current() {
	r.t.Helper()
	eventually.True(r.t, "all servers are current", func() bool {
		info := r.streamInfo()
		if info == nil || info.Cluster == nil || len(info.Cluster.Replicas) != len(r.buses)-1 {
			return false
		}
		for _, replica := range info.Cluster.Replicas {
			if !replica.Current || replica.Offline {
				return false
			}
		}
		return true
	})
}

// streamInfo is nil while nobody answers.
func (r *rig) streamInfo() *jetstream.StreamInfo {
	ctx, cancel := context.WithTimeout(r.ctx, 3*time.Second)
	defer cancel()
	nc, err := r.connect(runtimeconfig.RoleArchive)
	if err != nil {
		return nil
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return nil
	}
	stream, err := js.Stream(ctx, r.names.Stream())
	if err != nil {
		return nil
	}
	return stream.CachedInfo()
}

// connect with the bare client library.
func (r *rig) connect(role runtimeconfig.Role, options ...nats.Option) (*nats.Conn, error) {
	seed, err := os.ReadFile(r.seed(role))
	if err != nil {
		return nil, err
	}
	pair, err := nkeys.FromSeed(seed)
	if err != nil {
		return nil, err
	}
	public, err := pair.PublicKey()
	if err != nil {
		return nil, err
	}
	return nats.Connect(strings.Join(r.doc.Bus.URLs, ","), append(options, nats.Nkey(public, pair.Sign), nats.CustomInboxPrefix(bus.InboxPrefix(role)))...)
}

// diskSize is far more than the traffic of the test, and less than the bus may store.
const diskSize = "size=96m"

// The volume of the bus is full: the server gives up and nothing is acknowledged that is not stored. When there is room
// again, it goes on where it was.
func TestTheDiskIsFull(t *testing.T) {
	t.Parallel()
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, diskSize); err != nil {
		t.Skipf("a full disk needs a file system of its own, which only root can mount: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	r := newRig(t, shape{routers: 2, store: filepath.Join(disk, "store")})
	tr := r.talk(customers, true)
	r.ends(3)
	filler := fill(t, filepath.Join(disk, "filler"))
	r.buses[0].says("failed to store a msg")
	r.buses[0].kill() // as somebody would who finds it like that
	r.buses[0].start()
	r.buses[0].says("failed to store a msg")
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	r.recovers(r.buses[0], 3)
	tr.end()
}

// fill the file system with one file.
func fill(t *testing.T, path string) string {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	block := make([]byte, 64<<10)
	for size := len(block); size > 0; {
		if _, err := file.Write(block[:size]); err != nil {
			size /= 2 // the last bytes, too
		}
	}
	return path
}

// Somebody subscribes and does not read. The desk does not wait for them, and the bus throws them out.
func TestASlowConsumerHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	r := newRig(t, shape{routers: 1})
	tr := r.talk(customers, true)
	r.ends(2)
	dialer := &deafDialer{gate: make(chan struct{})}
	open := sync.OnceFunc(func() { close(dialer.gate) })
	t.Cleanup(open)
	thrownOut := make(chan struct{}, 1)
	slow, err := r.connect(runtimeconfig.RoleConsole, nats.SetCustomDialer(dialer), nats.NoReconnect(), nats.ClosedHandler(func(*nats.Conn) { thrownOut <- struct{}{} }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(slow.Close)
	if _, err := slow.Subscribe(r.names.AllLive(), func(*nats.Msg) {}); err != nil {
		t.Fatal(err)
	}
	if err := slow.Flush(); err != nil {
		t.Fatal(err)
	}
	dialer.shut()
	loud, err := r.connect(runtimeconfig.RoleGateway)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(loud.Close)
	// More than the bus keeps for one client. Nobody else has to do with the conversation of the subject.
	for range 400 {
		if err := loud.Publish(r.names.Live("nobody"), make([]byte, 200<<10)); err != nil {
			t.Fatal(err)
		}
	}
	if err := loud.Flush(); err != nil {
		t.Fatal(err)
	}
	r.ends(5)
	open()
	eventually.Receive(t, "the slow one is thrown out", thrownOut)
	tr.end()
}

// deafDialer makes connections that are not read while they are shut.
type deafDialer struct {
	mu     sync.Mutex
	closed bool
	gate   chan struct{}
}

func (d *deafDialer) shut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
}

// Dial implements nats.CustomDialer.
func (d *deafDialer) Dial(network, address string) (net.Conn, error) {
	c, err := net.Dial(network, address)
	if err != nil {
		return nil, err
	}
	return &deafConn{Conn: c, dialer: d}, nil
}

type deafConn struct {
	net.Conn
	dialer *deafDialer
}

// Read implements io.Reader.
func (c *deafConn) Read(b []byte) (int, error) {
	c.dialer.mu.Lock()
	closed := c.dialer.closed
	c.dialer.mu.Unlock()
	if closed {
		<-c.dialer.gate
	}
	return io.Reader(c.Conn).Read(b)
}
