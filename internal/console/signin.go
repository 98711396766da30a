package console

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/deskfleet/deskfleet/internal/console/tokens"
	"github.com/deskfleet/deskfleet/internal/web/problem"
	"github.com/deskfleet/deskfleet/internal/web/socket"
)

// everybody is the key under which wrong tokens of all addresses are counted, and how many times as many
// they may be.
const (
	everybody      = "*"
	everybodyTimes = 60
)

// user is who signed in, and with what.
type user struct {
	tokens.User
	hash tokens.Hash
}

// signIn finds the user of a token. Wrong tokens are counted by address and in all; when there were too
// many, tokens are not even looked at. Errors are problems.
func (c *Console) signIn(token string, addr netip.Addr, now time.Time) (user, error) {
	for _, l := range c.signInLimits(addr) {
		if wait, empty := c.wrongTokens.Empty(l.key, l.perMinute, l.perMinute, now); empty {
			c.metrics.signIns.WithLabelValues("limited").Inc()
			return user{}, problem.New(http.StatusTooManyRequests, problem.CodeRate, "too many wrong tokens were tried", "wait, then sign in").RetryAfter(wait)
		}
	}
	set, err := c.tokens.Users(now)
	if err != nil && set.Len() == 0 {
		c.metrics.signIns.WithLabelValues("unconfigured").Inc()
		c.tokensMissing.Do(func() { c.log.Warn("agents cannot sign in", "error", err) })
		return user{}, problem.New(http.StatusServiceUnavailable, problem.CodeUnconfigured,
			"the desk has no tokens of agents: tokens.yaml is missing or wrong",
			"the desk's operator makes the Secret that agentsAuth.tokensSecretRef names").RetryAfter(30 * time.Second)
	}
	hash := tokens.HashOf(token)
	found, ok := set.Find(hash)
	if !ok {
		for _, l := range c.signInLimits(addr) {
			c.wrongTokens.Take(l.key, l.perMinute, l.perMinute, now)
		}
		c.metrics.signIns.WithLabelValues("wrong").Inc()
		c.log.Warn("a wrong token was presented", "address", addr.String())
		return user{}, problem.New(http.StatusUnauthorized, problem.CodeToken, "nobody has this token", "sign in with the token that the desk's operator gave you")
	}
	c.metrics.signIns.WithLabelValues("accepted").Inc()
	return user{User: found, hash: hash}, nil
}

type signInLimit struct {
	key       string
	perMinute int
}

func (c *Console) signInLimits(addr netip.Addr) []signInLimit {
	limits := []signInLimit{{everybody, everybodyTimes * c.opts.WrongTokensPerMinute}}
	if addr.IsValid() {
		limits = append(limits, signInLimit{addr.String(), c.opts.WrongTokensPerMinute})
	}
	return limits
}

// bearer is the token in the request's header, empty for none.
func bearer(r *http.Request) string {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return ""
	}
	return strings.TrimSpace(token)
}

// watchTokens ends the sockets of tokens that were withdrawn or whose role changed.
func (c *Console) watchTokens(ctx context.Context) {
	ticker := time.NewTicker(c.opts.TokensEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		l := c.link.Load()
		if l == nil {
			continue
		}
		set, err := c.tokens.Users(time.Now())
		if err != nil {
			c.log.DebugContext(ctx, "agents' tokens have a problem", "error", err)
		}
		for _, s := range l.agents.all() {
			if now, ok := set.Find(s.user.hash); !ok || now != s.user.User {
				c.log.InfoContext(ctx, "a token was withdrawn", "agent", s.user.Name)
				go s.sock.End(socket.CodeUnauthorised, "the token was withdrawn")
			}
		}
	}
}
