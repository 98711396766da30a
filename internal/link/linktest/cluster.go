// Package linktest stands in for a cluster in tests of the link: it signs tokens
// as an API server does, publishes the keys, and makes certificates.
package linktest

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/deskfleet/deskfleet/internal/credentials"
	"github.com/deskfleet/deskfleet/internal/link"
)

// Issuer of the cluster's tokens.
const Issuer = "https://kubernetes.default.svc.cluster.local"

// Host is the name of the managers.
const Host = "deskfleet-link.deskfleet-system.svc"

// Cluster signs tokens. Make it with [NewCluster].
type Cluster struct {
	t testing.TB

	mu      sync.Mutex
	keys    []Key
	fetches int
	broken  bool
	serving map[string][]byte
}

// Key signs tokens.
type Key struct {
	ID        string
	Algorithm jose.SignatureAlgorithm
	Private   crypto.Signer
}

// NewKey makes an RSA key, or an elliptic one for ES256.
func NewKey(t testing.TB, id string, algorithm jose.SignatureAlgorithm) Key {
	t.Helper()
	var private crypto.Signer
	var err error
	if algorithm == jose.ES256 {
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	} else {
		private, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		t.Fatal(err)
	}
	return Key{ID: id, Algorithm: algorithm, Private: private}
}

// NewCluster makes a cluster with one key.
func NewCluster(t testing.TB) *Cluster {
	t.Helper()
	c := &Cluster{t: t, keys: []Key{NewKey(t, "first", jose.ES256)}}
	serving, err := credentials.EnsureServing("deskfleet-link-tls", []string{Host}, nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	c.serving = serving.Content
	return c
}

// Certificate of the managers.
func (c *Cluster) Certificate() (*tls.Certificate, error) {
	pair, err := tls.X509KeyPair(c.serving[credentials.FileCertificate], c.serving[credentials.FilePrivateKey])
	return &pair, err
}

// CA that signed the managers' certificate.
func (c *Cluster) CA() string { return string(c.serving[credentials.FileCA]) }

// Rotate publishes other keys; the first one signs.
func (c *Cluster) Rotate(keys ...Key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keys = keys
}

// Break lets the publishing fail.
func (c *Cluster) Break(broken bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.broken = broken
}

// Fetches is how often the keys have been fetched.
func (c *Cluster) Fetches() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fetches
}

// OpenIDConfiguration publishes the issuer.
func (c *Cluster) OpenIDConfiguration(context.Context) ([]byte, error) {
	return json.Marshal(map[string]any{"issuer": Issuer, "jwks_uri": Issuer + "/openid/v1/jwks"})
}

// JSONWebKeySet publishes the public keys.
func (c *Cluster) JSONWebKeySet(context.Context) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fetches++
	if c.broken {
		return nil, errors.New("the API server does not answer")
	}
	set := jose.JSONWebKeySet{}
	for _, k := range c.keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: k.Private.Public(), KeyID: k.ID, Algorithm: string(k.Algorithm), Use: "sig"})
	}
	return json.Marshal(set)
}

// Claims of a token; the zero value of each field stands for what is usual.
type Claims struct {
	Issuer    string
	Subject   string
	Audience  []string
	NotBefore time.Time
	Expiry    time.Time
	// Forever leaves the expiry out.
	Forever bool
	// Key that signs; nil for the cluster's first one.
	Key *Key
}

// Token of the ServiceAccount of a namespace.
func (c *Cluster) Token(namespace, account string, claims Claims) string {
	c.t.Helper()
	now := time.Now()
	if claims.Issuer == "" {
		claims.Issuer = Issuer
	}
	if claims.Subject == "" {
		claims.Subject = fmt.Sprintf("system:serviceaccount:%s:%s", namespace, account)
	}
	if claims.Audience == nil {
		claims.Audience = []string{link.Audience}
	}
	if claims.NotBefore.IsZero() {
		claims.NotBefore = now.Add(-time.Minute)
	}
	if claims.Expiry.IsZero() {
		claims.Expiry = now.Add(time.Hour)
	}
	key := claims.Key
	if key == nil {
		c.mu.Lock()
		key = &c.keys[0]
		c.mu.Unlock()
	}
	return c.sign(key, map[string]any{"namespace": namespace, "serviceaccount": map[string]any{"name": account}, "pod": map[string]any{"name": "router-0"}}, claims)
}

func (c *Cluster) sign(key *Key, kubernetes map[string]any, claims Claims) string {
	c.t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: key.Algorithm, Key: jose.JSONWebKey{Key: key.Private, KeyID: key.ID}}, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	standard := jwt.Claims{
		Issuer: claims.Issuer, Subject: claims.Subject, Audience: claims.Audience,
		NotBefore: jwt.NewNumericDate(claims.NotBefore), IssuedAt: jwt.NewNumericDate(claims.NotBefore), Expiry: jwt.NewNumericDate(claims.Expiry),
	}
	if claims.Forever {
		standard.Expiry = nil
	}
	token, err := jwt.Signed(signer).Claims(standard).Claims(map[string]any{"kubernetes.io": kubernetes}).Serialize()
	if err != nil {
		c.t.Fatal(err)
	}
	return token
}
