package chattest

import (
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// Proxy passes connections on and cuts them. A cut is a reset in the middle of whatever is under way: the
// ends do not learn how much of it arrived.
type Proxy struct {
	t        testing.TB
	target   string
	listener net.Listener
	work     sync.WaitGroup

	mu sync.Mutex
	// budget gives how many bytes the next connection may carry, both ways together; below 0 for any number.
	budget func() int
	open   map[*pair]struct{}
	made   int
	// stalled is closed when the proxy no longer stalls; nil while it never did.
	stalled chan struct{}
}

// pair is one connection through the proxy.
type pair struct {
	client, server net.Conn
	mu             sync.Mutex
	left           int
}

// NewProxy listens in front of the server at an http URL, until the test ends.
func NewProxy(t testing.TB, url string) *Proxy {
	t.Helper()
	var lc net.ListenConfig
	listener, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{
		t: t, target: strings.TrimPrefix(url, "http://"), listener: listener,
		budget: func() int { return -1 }, open: map[*pair]struct{}{},
	}
	p.work.Go(p.accept)
	t.Cleanup(func() {
		_ = listener.Close()
		p.Cut()
		p.mu.Lock()
		if p.stalled != nil {
			close(p.stalled)
		}
		p.mu.Unlock()
		p.work.Wait()
	})
	return p
}

// URL of the proxy.
func (p *Proxy) URL() string { return "http://" + p.listener.Addr().String() }

// Turn sends the next connections to another server.
func (p *Proxy) Turn(url string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = strings.TrimPrefix(url, "http://")
}

// CutAfter cuts each further connection after as many bytes as f gives; below 0 never.
func (p *Proxy) CutAfter(f func() int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.budget = f
}

// Cut cuts the open connections now.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		c.cut()
	}
}

// Stall keeps everything that arrives from now on, until the test ends: connections stay open and silent.
func (p *Proxy) Stall() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stalled = make(chan struct{})
}

// waitStalled waits while the proxy stalls.
func (p *Proxy) waitStalled() {
	p.mu.Lock()
	stalled := p.stalled
	p.mu.Unlock()
	if stalled != nil {
		<-stalled
	}
}

// Connections that were made so far.
func (p *Proxy) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.made
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		p.work.Go(func() { p.serve(client) })
	}
}

func (p *Proxy) serve(client net.Conn) {
	p.mu.Lock()
	target, budget := p.target, p.budget()
	p.mu.Unlock()
	var dialer net.Dialer
	server, err := dialer.DialContext(context.WithoutCancel(p.t.Context()), "tcp", target)
	if err != nil {
		_ = client.Close()
		return
	}
	c := &pair{client: client, server: server, left: budget}
	p.mu.Lock()
	p.open[c] = struct{}{}
	p.made++
	p.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { c.copy(p, server, client) })
	both.Go(func() { c.copy(p, client, server) })
	both.Wait()
	p.mu.Lock()
	delete(p.open, c)
	p.mu.Unlock()
}

// copy passes one direction on until the connection ends or has carried what it may.
func (c *pair) copy(p *Proxy, dst io.Writer, src io.Reader) {
	defer c.cut()
	buffer := make([]byte, 4<<10)
	for {
		n, err := src.Read(buffer)
		p.waitStalled()
		n, last := c.spend(n)
		if _, failed := dst.Write(buffer[:n]); failed != nil || err != nil || last {
			return
		}
	}
}

// spend takes up to n bytes from the budget and says whether these are the last.
func (c *pair) spend(n int) (int, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left < 0 {
		return n, false
	}
	n = min(n, c.left)
	c.left -= n
	return n, c.left == 0
}

// cut resets both ends, so that nothing that was buffered arrives after all.
func (c *pair) cut() {
	for _, conn := range []net.Conn{c.client, c.server} {
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = conn.Close()
	}
}
