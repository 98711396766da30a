// Package client is the desk's side of the link: it posts the leading router's
// reports to all managers and hands on what the leading manager wants.
package client

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/deskfleet/deskfleet/internal/link"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

const (
	// resolveEvery so long the managers' addresses are looked up anew, and sooner after a failure.
	resolveEvery = 30 * time.Second
	// silent after so long without a report of the router it does not lead any more: nothing is posted.
	silent = 3 * time.Second
	// postTimeout of one post, from the connection to the end of the reply.
	postTimeout = 5 * time.Second
	// longestPause between two tries of a manager that does not answer.
	longestPause = 15 * time.Second
	// maxManagers that are posted to; an operator has one to three.
	maxManagers = 16
)

// Options of a client.
type Options struct {
	// Config tells host, port and authority of the managers, and takes the configuration that comes in a reply.
	Config *runtimeconfig.Store
	// TokenFile is the projected ServiceAccount token; the kubelet renews it, so it is read for each post.
	TokenFile string
	// OnWanted gets what the leading manager wants of the pools, with each reply. It must not block.
	OnWanted func(map[string]link.Wanted)
	// Keeper keeps at the desk what managers learn of its pools; nil for nobody, and then managers learn anew.
	Keeper Keeper
	// OnSeats gets what the leading manager says of the pools of people, with each reply. It must not block.
	OnSeats func(map[string]link.Seats)
	// Lookup resolves a host name; nil for the system's resolver.
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	// Dial connects to a manager's address; nil for TCP.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Metrics may be nil.
	Metrics *Metrics
	Logger  *slog.Logger
}

// Client posts reports. Make it with [New].
type Client struct {
	o Options

	mu     sync.Mutex
	report *link.Report // what is to be posted next
	at     time.Time    // when it came
	change chan struct{}
	// seq numbers the reports to all managers, refused is the revision of a configuration that cannot be read.
	seq     uint64
	refused string
	// ruling is when the manager began to lead whose word counts, heard when it last said so.
	ruling, heard time.Time
	// work is what reads beside the posters.
	work sync.WaitGroup
}

// New makes a client.
func New(o Options) *Client {
	if o.Lookup == nil {
		o.Lookup = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	if o.Dial == nil {
		o.Dial = (&net.Dialer{Timeout: postTimeout}).DialContext
	}
	return &Client{o: o, change: make(chan struct{})}
}

// Report says how the desk stands; call it each second while the router leads. It
// never blocks. What the client knows itself is filled in: version, number, desk
// and configuration. The report must not be changed afterwards.
func (c *Client) Report(r *link.Report) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.report, c.at = r, time.Now()
	close(c.change)
	c.change = make(chan struct{})
}

// latest returns the report to post, if there is one, and a channel that is
// closed with the next one.
func (c *Client) latest() (*link.Report, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.report == nil || time.Since(c.at) > silent {
		return nil, c.change
	}
	return c.report, c.change
}

// Run posts until ctx ends. A desk without managers waits for a configuration that names them.
func (c *Client) Run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer c.work.Wait()
	defer wg.Wait()
	defer cancel()

	configs := c.o.Config.Watch(ctx)
	posters := map[netip.Addr]context.CancelFunc{}
	var managers runtimeconfig.Link
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case snapshot, open := <-configs:
			if !open {
				return
			}
			var next runtimeconfig.Link // none
			if named := snapshot.Document.Link; named != nil {
				next = *named
			}
			if next == managers {
				continue
			}
			managers = next // a new host or authority: all begin anew
			for address, stop := range posters {
				stop()
				delete(posters, address)
			}
			timer.Reset(0)
		case <-timer.C:
			timer.Reset(c.follow(ctx, &wg, managers, posters))
		}
	}
}

// follow brings the posters in line with the managers' addresses, and says when to look again.
func (c *Client) follow(ctx context.Context, wg *sync.WaitGroup, managers runtimeconfig.Link, posters map[netip.Addr]context.CancelFunc) time.Duration {
	if managers.Host == "" {
		return resolveEvery
	}
	lookup, cancel := context.WithTimeout(ctx, postTimeout)
	defer cancel()
	found, err := c.o.Lookup(lookup, managers.Host)
	if err != nil || len(found) == 0 {
		// Those that are known go on: a resolver that fails is no sign that managers are gone.
		c.o.Metrics.failed(failedLookup)
		c.o.Logger.DebugContext(ctx, "managers not found", "host", managers.Host, "error", err)
		return jitter(link.Idle)
	}
	wanted := map[netip.Addr]bool{}
	for _, address := range found[:min(len(found), maxManagers)] {
		address = address.Unmap()
		wanted[address] = true
		if posters[address] != nil {
			continue
		}
		own, stop := context.WithCancel(ctx) //nolint:gosec // it is called when the address or the client goes
		posters[address] = stop
		p := newPoster(c, managers, address)
		wg.Go(func() { p.run(own) })
	}
	for address, stop := range posters {
		if !wanted[address] {
			stop()
			delete(posters, address)
		}
	}
	return jitter(resolveEvery)
}

// number is that of the next report; refused is the revision that is not wanted again.
func (c *Client) number() (seq uint64, refused string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seq++
	return c.seq, c.refused
}

func (c *Client) refuse(revision string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refused = revision
}

// take acts on the reply of a poster's manager.
func (c *Client) take(ctx context.Context, p *poster, reply *link.Reply) {
	if !reply.Leads || !c.rules(reply.Since) {
		return
	}
	if reply.Document != "" {
		changed, err := c.o.Config.Offer([]byte(reply.Document))
		switch {
		case err != nil:
			c.refuse(reply.Revision)
			c.o.Logger.WarnContext(ctx, "configuration from the manager is refused", "manager", reply.Manager, "revision", reply.Revision, "error", err)
		case changed:
			c.o.Logger.InfoContext(ctx, "configuration came over the link", "manager", reply.Manager, "revision", reply.Revision)
		}
	}
	if c.o.OnWanted != nil && len(reply.Pools) > 0 {
		c.o.OnWanted(reply.Pools)
	}
	if c.o.OnSeats != nil && len(reply.Seats) > 0 {
		c.o.OnSeats(reply.Seats)
	}
	if c.o.Keeper != nil {
		c.keep(ctx, p, reply)
	}
}

// rules says whether the manager that leads since a time is the one whose word
// counts. A manager that was cut off may believe to lead for a while after
// another one began; it is believed again only when nobody else has been heard.
func (c *Client) rules(since time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if since.Before(c.ruling) && time.Since(c.heard) < 3*link.Idle {
		return false
	}
	c.ruling, c.heard = since, time.Now()
	return true
}

// jitter spreads a time by a quarter, so that a thousand desks do not knock at once.
func jitter(d time.Duration) time.Duration {
	return d - d/8 + rand.N(d/4)
}
