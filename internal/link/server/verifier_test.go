package server_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/deskfleet/deskfleet/internal/link/linktest"
	"github.com/deskfleet/deskfleet/internal/link/server"
)

// clock is the time that a test sets.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Now()} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func TestGoodTokens(t *testing.T) {
	for _, algorithm := range []jose.SignatureAlgorithm{jose.RS256, jose.ES256} {
		c := linktest.NewCluster(t)
		key := linktest.NewKey(t, "k", algorithm)
		c.Rotate(key)
		v := server.NewVerifier(c, time.Now)
		for range 3 {
			who, err := v.Verify(t.Context(), c.Token("shop", "web-desk", linktest.Claims{}))
			if err != nil || who.Namespace != "shop" || who.ServiceAccount != "web-desk" || who.Pod != "router-0" {
				t.Errorf("%s: %+v, %v", algorithm, who, err)
			}
		}
		if c.Fetches() != 1 {
			t.Errorf("%s: the keys were fetched %d times for 3 tokens", algorithm, c.Fetches())
		}
	}
}

func TestBadTokens(t *testing.T) {
	c := linktest.NewCluster(t)
	good := c.Token("shop", "web-desk", linktest.Claims{})
	parts := strings.Split(good, ".")
	forger := linktest.NewKey(t, "first", jose.ES256) // the id of the cluster's key, and another key
	encode := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	now := time.Now()
	for name, bad := range map[string]struct{ token, why string }{
		"empty":              {"", "0 bytes"},
		"too long":           {strings.Repeat("a", 9000), "9000 bytes"},
		"no token":           {"not.a.token", "no JSON Web Token"},
		"unsigned":           {encode(`{"alg":"none"}`) + "." + parts[1] + ".", "no JSON Web Token"},
		"symmetric":          {encode(`{"alg":"HS256","kid":"first"}`) + "." + parts[1] + "." + encode("signature"), "no JSON Web Token"},
		"claims were edited": {parts[0] + "." + encode(`{"sub":"system:serviceaccount:rival:web-desk"}`) + "." + parts[2], "no key of this cluster"},
		"another cluster's":  {linktest.NewCluster(t).Token("shop", "web-desk", linktest.Claims{}), "no key of this cluster"},
		"forged":             {c.Token("shop", "web-desk", linktest.Claims{Key: &forger}), "no key of this cluster"},
		"other issuer":       {c.Token("shop", "web-desk", linktest.Claims{Issuer: "https://example.com"}), "issuer"},
		"the API server's":   {c.Token("shop", "web-desk", linktest.Claims{Audience: []string{"https://kubernetes.default.svc"}}), "audience"},
		"no audience":        {c.Token("shop", "web-desk", linktest.Claims{Audience: []string{}}), "audience"},
		"expired":            {c.Token("shop", "web-desk", linktest.Claims{NotBefore: now.Add(-time.Hour), Expiry: now.Add(-time.Minute)}), "expired"},
		"not yet valid":      {c.Token("shop", "web-desk", linktest.Claims{NotBefore: now.Add(time.Hour), Expiry: now.Add(2 * time.Hour)}), "not valid yet"},
		"never expires":      {c.Token("shop", "web-desk", linktest.Claims{Forever: true}), "never expires"},
		"of a user":          {c.Token("shop", "web-desk", linktest.Claims{Subject: "admin"}), "not of a ServiceAccount"},
		"of two accounts":    {c.Token("shop", "web-desk", linktest.Claims{Subject: "system:serviceaccount:rival:web-desk"}), "not of a ServiceAccount"},
		"of no namespace":    {c.Token("", "web-desk", linktest.Claims{}), "not of a ServiceAccount"},
	} {
		t.Run(name, func(t *testing.T) {
			v := server.NewVerifier(c, time.Now)
			for range 2 { // a bad token is not remembered as a good one
				_, err := v.Verify(t.Context(), bad.token)
				if !errors.Is(err, server.ErrToken) || !strings.Contains(err.Error(), bad.why) {
					t.Errorf("error is %v, expected one that says %q", err, bad.why)
				}
				if err != nil && len(bad.token) > 20 && strings.Contains(err.Error(), bad.token[:20]) {
					t.Errorf("the error shows the token: %v", err)
				}
			}
		})
	}
}

func TestTokensExpireWhileRemembered(t *testing.T) {
	c, clock := linktest.NewCluster(t), newClock()
	v := server.NewVerifier(c, clock.Now)
	token := c.Token("shop", "web-desk", linktest.Claims{Expiry: clock.Now().Add(10 * time.Minute)})
	if _, err := v.Verify(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	clock.pass(11 * time.Minute)
	if _, err := v.Verify(t.Context(), token); !errors.Is(err, server.ErrToken) {
		t.Errorf("a minute after its end: %v", err)
	}
}

func TestKeysRotate(t *testing.T) {
	c, clock := linktest.NewCluster(t), newClock()
	v := server.NewVerifier(c, clock.Now)
	long := linktest.Claims{Expiry: clock.Now().Add(24 * time.Hour)}
	old := c.Token("shop", "web-desk", long)
	if _, err := v.Verify(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	next := linktest.NewKey(t, "second", jose.RS256)
	c.Rotate(next)
	clock.pass(time.Minute)
	if _, err := v.Verify(t.Context(), c.Token("shop", "web-desk", long)); err != nil {
		t.Errorf("a token of the new key: %v", err)
	}
	// The old key has been withdrawn: what it signed is not good any more, though it was remembered.
	if _, err := v.Verify(t.Context(), old); !errors.Is(err, server.ErrToken) {
		t.Errorf("a token of the withdrawn key: %v", err)
	}
}

func TestWithdrawnKeyIsNoticedWithoutANewOne(t *testing.T) {
	c, clock := linktest.NewCluster(t), newClock()
	first, second := linktest.NewKey(t, "first", jose.ES256), linktest.NewKey(t, "second", jose.ES256)
	c.Rotate(first, second)
	v := server.NewVerifier(c, clock.Now)
	token := c.Token("shop", "web-desk", linktest.Claims{Expiry: clock.Now().Add(24 * time.Hour)})
	if _, err := v.Verify(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	c.Rotate(second)
	clock.pass(59 * time.Minute)
	if _, err := v.Verify(t.Context(), token); err != nil {
		t.Errorf("within the hour: %v", err)
	}
	clock.pass(2 * time.Minute)
	if _, err := v.Verify(t.Context(), token); !errors.Is(err, server.ErrToken) {
		t.Errorf("after the hour: %v", err)
	}
}

// A stranger who invents key ids makes no calls to the API server.
func TestInventedKeysDoNotReachTheAPIServer(t *testing.T) {
	c, clock := linktest.NewCluster(t), newClock()
	v := server.NewVerifier(c, clock.Now)
	stranger := linktest.NewKey(t, "", jose.ES256)
	var wg sync.WaitGroup
	for i := range 200 {
		key := stranger
		key.ID = fmt.Sprintf("invented-%d", i)
		token := c.Token("shop", "web-desk", linktest.Claims{Key: &key})
		wg.Go(func() {
			if _, err := v.Verify(t.Context(), token); err == nil {
				t.Error("an invented key was accepted")
			}
		})
	}
	wg.Wait()
	if c.Fetches() > 1 {
		t.Errorf("%d fetches of the keys", c.Fetches())
	}
	clock.pass(time.Minute)
	if _, err := v.Verify(t.Context(), c.Token("shop", "web-desk", linktest.Claims{})); err != nil {
		t.Errorf("a good token after that: %v", err)
	}
}

func TestWithoutKeysNothingIsVerified(t *testing.T) {
	c, clock := linktest.NewCluster(t), newClock()
	c.Break(true)
	v := server.NewVerifier(c, clock.Now)
	good := c.Token("shop", "web-desk", linktest.Claims{Expiry: clock.Now().Add(24 * time.Hour)})
	for range 2 {
		if _, err := v.Verify(t.Context(), good); !errors.Is(err, server.ErrKeys) {
			t.Errorf("without keys: %v", err)
		}
	}
	c.Break(false)
	clock.pass(time.Minute)
	if _, err := v.Verify(t.Context(), good); err != nil {
		t.Errorf("with keys: %v", err)
	}
	// The old keys are better than none while the API server is away.
	c.Break(true)
	clock.pass(2 * time.Hour)
	if _, err := v.Verify(t.Context(), good); err != nil {
		t.Errorf("with old keys: %v", err)
	}
}
