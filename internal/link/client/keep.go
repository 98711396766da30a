package client

import (
	"context"

	"github.com/deskfleet/deskfleet/internal/link"
)

// Keeper keeps at the desk what managers learn of its pools, by their names.
type Keeper interface {
	// Keep stores it in place of what was kept before. It must not block, and may fail: the manager gives it again later.
	Keep(learned map[string][]byte)
	// Kept reads what is kept of pools: empty bytes for one of which nothing is. An error is no answer about any of them.
	Kept(ctx context.Context, pools []string) (map[string][]byte, error)
}

// keep hands what the manager learned to the keeper, and begins to read what the manager wants to have back.
func (c *Client) keep(ctx context.Context, p *poster, reply *link.Reply) {
	if len(reply.Learned) > 0 {
		c.o.Keeper.Keep(reply.Learned)
	}
	pools := reply.Recall[:min(len(reply.Recall), link.MaxLearnedPools)]
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(pools) == 0 || p.reading {
		return
	}
	p.reading = true
	// The bus may take its time, and figures must not wait for it.
	c.work.Go(func() {
		kept, err := c.o.Keeper.Kept(ctx, pools)
		if err != nil && ctx.Err() == nil {
			c.o.Logger.WarnContext(ctx, "what was learned of pools cannot be read, the manager asks again", "pools", pools, "error", err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		p.reading = false
		if err == nil {
			p.back = kept
			close(c.change)
			c.change = make(chan struct{})
		}
	})
}

// givesBack says whether something waits to be given back to the poster's manager.
func (p *poster) givesBack() bool {
	p.client.mu.Lock()
	defer p.client.mu.Unlock()
	return p.back != nil
}

// giveBack takes what is to be given back, once: if it does not arrive, the manager asks again.
func (p *poster) giveBack() map[string][]byte {
	p.client.mu.Lock()
	defer p.client.mu.Unlock()
	back := p.back
	p.back = nil
	return back
}
