package server

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/deskfleet/deskfleet/internal/link"
)

// Times and bounds of the verification.
const (
	// leeway for clocks of other nodes.
	leeway = 10 * time.Second
	// keysPause is the shortest time between two fetches of the keys: a stranger's tokens with invented key ids
	// must not make calls to the API server.
	keysPause = 10 * time.Second
	// keysAge after which the keys are fetched anew, so that a key that was withdrawn ends being good.
	keysAge = time.Hour
	// fetchTimeout of the keys.
	fetchTimeout = 10 * time.Second
	// maxToken is beyond every token that an API server signs.
	maxToken = 8 << 10
	// maxVerified tokens are remembered, so that a signature is checked once and not each second.
	maxVerified = 65536
)

// algorithms by which API servers sign. Everything else is refused before a key
// is looked for: "none" and symmetric ones above all.
var algorithms = []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.ES256, jose.ES384, jose.ES512}

// Discovery is where an API server publishes what its tokens are verified with.
type Discovery interface {
	// OpenIDConfiguration is the body of /.well-known/openid-configuration.
	OpenIDConfiguration(ctx context.Context) ([]byte, error)
	// JSONWebKeySet is the body of /openid/v1/jwks.
	JSONWebKeySet(ctx context.Context) ([]byte, error)
}

// Identity is who a token is of.
type Identity struct {
	Namespace      string
	ServiceAccount string
	// Pod that the token was made for; empty for a token of no pod.
	Pod     string
	Expires time.Time
}

// Verifier verifies tokens without asking the API server about each. Make it
// with [NewVerifier]; it is safe for concurrent use.
type Verifier struct {
	discovery Discovery
	now       func() time.Time

	// fetching admits one fetch at a time; mu guards the rest and is never held while waiting.
	fetching sync.Mutex
	mu       sync.Mutex
	keys     *jose.JSONWebKeySet
	issuer   string
	fetched  time.Time // the last success
	tried    time.Time // the last try
	verified map[[sha256.Size]byte]Identity
}

// NewVerifier makes a verifier. The keys are fetched with the first token.
func NewVerifier(discovery Discovery, now func() time.Time) *Verifier {
	return &Verifier{discovery: discovery, now: now, verified: map[[sha256.Size]byte]Identity{}}
}

// Errors of Verify. They are safe to show to whoever sent the token.
var (
	// ErrToken is wrapped when the token is not good.
	ErrToken = errors.New("token refused")
	// ErrKeys is wrapped when nothing can be verified at the moment: try again.
	ErrKeys = errors.New("the cluster's signing keys could not be read")
)

// claims of a projected ServiceAccount token.
type claims struct {
	jwt.Claims
	Kubernetes struct {
		Namespace      string `json:"namespace"`
		ServiceAccount struct {
			Name string `json:"name"`
		} `json:"serviceaccount"`
		Pod struct {
			Name string `json:"name"`
		} `json:"pod"`
	} `json:"kubernetes.io"`
}

// Verify says who a token is of.
func (v *Verifier) Verify(ctx context.Context, raw string) (Identity, error) {
	if raw == "" || len(raw) > maxToken {
		return Identity{}, fmt.Errorf("%w: it has %d bytes", ErrToken, len(raw))
	}
	now := v.now()
	id := sha256.Sum256([]byte(raw))
	if known, ok := v.remembered(id, now); ok {
		return known, nil
	}
	token, err := jwt.ParseSigned(raw, algorithms)
	if err != nil {
		return Identity{}, fmt.Errorf("%w: it is no JSON Web Token signed with a public key", ErrToken)
	}
	keys, issuer, err := v.keysFor(ctx, token.Headers[0].KeyID, now)
	if err != nil {
		return Identity{}, err
	}
	c, err := signedClaims(token, keys)
	if err != nil {
		return Identity{}, err
	}
	who, err := c.identity(issuer, now)
	if err != nil {
		return Identity{}, fmt.Errorf("%w: %w", ErrToken, err)
	}
	v.remember(id, who, now)
	return who, nil
}

// signedClaims are the claims of a token that one of the keys has signed.
func signedClaims(token *jwt.JSONWebToken, keys *jose.JSONWebKeySet) (*claims, error) {
	for _, key := range keys.Key(token.Headers[0].KeyID) {
		var c claims
		if token.Claims(key.Key, &c) == nil {
			return &c, nil
		}
	}
	return nil, fmt.Errorf("%w: no key of this cluster has signed it", ErrToken)
}

// identity checks the claims.
func (c *claims) identity(issuer string, now time.Time) (Identity, error) {
	expected := jwt.Expected{Issuer: issuer, AnyAudience: jwt.Audience{link.Audience}, Time: now}
	switch err := c.ValidateWithLeeway(expected, leeway); {
	case errors.Is(err, jwt.ErrExpired):
		return Identity{}, errors.New("it has expired")
	case errors.Is(err, jwt.ErrInvalidAudience):
		return Identity{}, fmt.Errorf("its audience is %q, not %q", strings.Join(c.Audience, ","), link.Audience)
	case errors.Is(err, jwt.ErrInvalidIssuer):
		return Identity{}, errors.New("its issuer is not this cluster's")
	case err != nil:
		return Identity{}, errors.New("it is not valid yet")
	case c.Expiry == nil:
		return Identity{}, errors.New("it never expires")
	}
	k := &c.Kubernetes
	if k.Namespace == "" || k.ServiceAccount.Name == "" || c.Subject != "system:serviceaccount:"+k.Namespace+":"+k.ServiceAccount.Name {
		return Identity{}, errors.New("it is not of a ServiceAccount")
	}
	return Identity{Namespace: k.Namespace, ServiceAccount: k.ServiceAccount.Name, Pod: k.Pod.Name, Expires: c.Expiry.Time()}, nil
}

func (v *Verifier) remembered(id [sha256.Size]byte, now time.Time) (Identity, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	who, ok := v.verified[id]
	// Keys that are old may have been withdrawn: the token is looked at anew.
	return who, ok && now.Before(who.Expires) && now.Sub(v.fetched) < keysAge
}

func (v *Verifier) remember(id [sha256.Size]byte, who Identity, now time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.verified) >= maxVerified {
		for known, w := range v.verified {
			if !now.Before(w.Expires) {
				delete(v.verified, known)
			}
		}
	}
	if len(v.verified) < maxVerified {
		v.verified[id] = who
	}
}

// keysFor returns the keys, fetched anew when they are old or none has the id.
func (v *Verifier) keysFor(ctx context.Context, id string, now time.Time) (*jose.JSONWebKeySet, string, error) {
	if keys, issuer, good := v.current(id, now); good {
		return keys, issuer, nil
	}
	v.fetching.Lock()
	defer v.fetching.Unlock()
	keys, issuer, good := v.current(id, now) // another call may have fetched them meanwhile
	if good || !v.mayTry(now) {
		return v.known(keys, issuer)
	}
	if err := v.fetch(ctx, now); err != nil {
		if keys != nil {
			return keys, issuer, nil // the old ones are better than none
		}
		return nil, "", fmt.Errorf("%w: %w", ErrKeys, err)
	}
	keys, issuer, _ = v.current(id, now)
	return keys, issuer, nil
}

func (v *Verifier) known(keys *jose.JSONWebKeySet, issuer string) (*jose.JSONWebKeySet, string, error) {
	if keys == nil {
		return nil, "", fmt.Errorf("%w: the last try was a moment ago", ErrKeys)
	}
	return keys, issuer, nil
}

// current returns the keys, and whether they are young and have the id.
func (v *Verifier) current(id string, now time.Time) (keys *jose.JSONWebKeySet, issuer string, good bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.keys == nil {
		return nil, "", false
	}
	return v.keys, v.issuer, len(v.keys.Key(id)) > 0 && now.Sub(v.fetched) < keysAge
}

func (v *Verifier) mayTry(now time.Time) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.tried.IsZero() && now.Sub(v.tried) < keysPause {
		return false
	}
	v.tried = now
	return true
}

func (v *Verifier) fetch(ctx context.Context, now time.Time) error {
	// A caller that hangs up must not spoil what the others wait for.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
	defer cancel()
	body, err := v.discovery.OpenIDConfiguration(ctx)
	if err != nil {
		return err
	}
	var about struct {
		Issuer string `json:"issuer"`
	}
	if err := json.Unmarshal(body, &about); err != nil || about.Issuer == "" {
		return errors.New("the API server's OpenID configuration names no issuer")
	}
	if body, err = v.discovery.JSONWebKeySet(ctx); err != nil {
		return err
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(body, &set); err != nil {
		return fmt.Errorf("the API server's key set cannot be read: %w", err)
	}
	public := &jose.JSONWebKeySet{}
	for _, k := range set.Keys {
		if k.Valid() && k.IsPublic() {
			public.Keys = append(public.Keys, k)
		}
	}
	if len(public.Keys) == 0 {
		return errors.New("the API server's key set has no public key")
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.keys, v.issuer, v.fetched = public, about.Issuer, now
	clear(v.verified) // what a withdrawn key signed is not good any more
	return nil
}
