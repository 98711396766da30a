package console

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/deskfleet/deskfleet/internal/router/protocol"
)

// reserveReply lists pools with their reserve tiers.
type reserveReply struct {
	Pools []protocol.PoolReserve `json:"pools"`
}

// reserve lists the reserve tiers of the pools.
func (c *Console) reserve(k *call) (any, error) {
	return askReserve(k, protocol.Request{Type: protocol.Reserve})
}

func askReserve(k *call, req protocol.Request) (any, error) {
	reply, err := k.link.router.Ask(k.Context(), k.user.Name, req)
	if err != nil {
		return nil, err
	}
	return reserveReply{orEmpty(reply.Reserve)}, nil
}

// callReserve calls a reserve tier in until a time, after that was stored for the audit.
func (c *Console) callReserve(k *call) (any, error) {
	body, err := readHeldUntil(k, "the people are released")
	if err != nil {
		return nil, err
	}
	return c.changeReserve(k, "pool.reserveCalled", protocol.Request{Type: protocol.CallReserve, Until: body.Until, Reason: body.Reason})
}

// releaseReserve ends the call of a supervisor, after that was stored for the audit.
func (c *Console) releaseReserve(k *call) (any, error) {
	return c.changeReserve(k, "pool.reserveReleased", protocol.Request{Type: protocol.ReleaseReserve})
}

// changeReserve asks the router to call or to release a tier. What it would refuse as unknown is no news for the audit.
func (c *Console) changeReserve(k *call, action string, req protocol.Request) (any, error) {
	req.Pool, req.Tier = k.PathValue("pool"), k.PathValue("tier")
	before, err := k.link.router.Ask(k.Context(), k.user.Name, protocol.Request{Type: protocol.Reserve})
	if err != nil {
		return nil, err
	}
	if hasTier(before.Reserve, req.Pool, req.Tier) {
		details, err := json.Marshal(struct {
			Pool   string    `json:"pool"`
			Tier   string    `json:"tier"`
			Until  time.Time `json:"until,omitzero"`
			Reason string    `json:"reason,omitempty"`
		}{req.Pool, req.Tier, req.Until, req.Reason})
		if err != nil {
			return nil, err
		}
		if err := k.link.report(k.Context(), action, k.user, "", details); err != nil {
			return nil, err
		}
	}
	return askReserve(k, req)
}

func hasTier(pools []protocol.PoolReserve, pool, tier string) bool {
	i := slices.IndexFunc(pools, func(p protocol.PoolReserve) bool { return p.Pool == pool })
	return i >= 0 && slices.ContainsFunc(pools[i].Tiers, func(t protocol.ReserveFigures) bool { return t.Name == tier })
}
