// Package credentials makes the generated Secrets of a desk: the certificate
// authority of its bus, server certificates, the roles' bus identities and the
// key that signs customers' tokens. Given what exists and the time, it says what
// must be made or renewed; it reads and writes no cluster.
package credentials

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/nats-io/nkeys"

	"github.com/deskfleet/deskfleet/internal/render"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

// Keys of the generated Secrets, which are the names of the mounted files.
const (
	FileCA              = "ca.crt"
	FileCAKey           = "ca.key"
	FileCertificate     = "tls.crt"
	FilePrivateKey      = "tls.key"
	FileNKeySeed        = "nkey.seed"
	FileContactTokenKey = "contact-token.key"
)

const (
	authorityValidity = 10 * 365 * 24 * time.Hour
	serverValidity    = 365 * 24 * time.Hour
	// renewBefore the end of a certificate's life it is renewed: two thirds through. Roles reload mounted files.
	renewShare = 3
	// backdate tolerates clocks of other nodes that are behind.
	backdate = time.Hour
)

// Set is the content of a desk's generated Secrets by the Secret's name.
type Set map[string]map[string][]byte

// Result is what Ensure comes to.
type Result struct {
	// Set is the complete content of all wanted Secrets.
	Set Set
	// Changed names the Secrets whose content differs from what exists.
	Changed []string
	// Users are the public halves of the roles' bus identities, in a fixed order.
	Users []runtimeconfig.BusUser
	// RenewAt is when the next certificate or key must be renewed; zero for none.
	RenewAt time.Time
}

// Ensure completes what exists to what is wanted. What exists and is still good
// is never touched: a new key would sign off everybody who holds the old one.
func Ensure(wanted []render.Secret, existing Set, now time.Time) (*Result, error) {
	r := &Result{Set: Set{}}
	var authority *authority
	for i := range wanted {
		if wanted[i].Authority {
			a, err := r.ensureAuthority(&wanted[i], existing[wanted[i].Name], now)
			if err != nil {
				return nil, err
			}
			authority = a
		}
	}
	for i := range wanted {
		if wanted[i].Authority {
			continue
		}
		if err := r.ensureRole(&wanted[i], existing[wanted[i].Name], authority, now); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r *Result) store(name string, content map[string][]byte, changed bool) {
	r.Set[name] = content
	if changed {
		r.Changed = append(r.Changed, name)
	}
}

func (r *Result) expires(certificate *x509.Certificate) { r.renewBy(renewal(certificate)) }

func (r *Result) renewBy(at time.Time) {
	if r.RenewAt.IsZero() || at.Before(r.RenewAt) {
		r.RenewAt = at
	}
}

// renewal is when a certificate is renewed: two thirds through its life.
func renewal(c *x509.Certificate) time.Time {
	return c.NotAfter.Add(-c.NotAfter.Sub(c.NotBefore) / renewShare)
}

// authority is a certificate authority that can sign.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	// bundle is what clients trust: this authority, and the one before it.
	bundle []byte
}

// trusts reports whether whoever holds the bundle accepts a server certificate.
func (a *authority) trusts(c *x509.Certificate, now time.Time) bool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(a.bundle)
	_, err := c.Verify(x509.VerifyOptions{Roots: pool, CurrentTime: now})
	return err == nil
}

// serving is the certificate of a role's Secret; nil where it cannot serve.
func serving(content map[string][]byte) *x509.Certificate {
	pair, err := tls.X509KeyPair(content[FileCertificate], content[FilePrivateKey])
	if err != nil {
		return nil
	}
	return pair.Leaf
}

func (r *Result) ensureAuthority(wanted *render.Secret, existing map[string][]byte, now time.Time) (*authority, error) {
	if a, err := parseAuthority(existing); err == nil && now.Before(renewal(a.certificate)) {
		r.expires(a.certificate)
		r.store(wanted.Name, existing, false)
		return a, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the key of %s: %w", wanted.Name, err)
	}
	template := certificateTemplate(wanted.Name, now, authorityValidity)
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("make the certificate of %s: %w", wanted.Name, err)
	}
	keyPEM, err := encodeKey(key)
	if err != nil {
		return nil, err
	}
	// The former authority stays in the bundle, so that what it signed is trusted until it has been renewed too.
	content := map[string][]byte{FileCA: slices.Concat(encodeCertificate(certificate), firstCertificate(existing[FileCA])), FileCAKey: keyPEM}
	a, err := parseAuthority(content)
	if err != nil {
		return nil, err
	}
	r.expires(a.certificate)
	r.store(wanted.Name, content, true)
	return a, nil
}

func (r *Result) ensureRole(wanted *render.Secret, existing map[string][]byte, a *authority, now time.Time) error {
	content := map[string][]byte{}
	changed := existing == nil
	keep := func(file string, good func([]byte) bool, create func() ([]byte, error)) error {
		if value := existing[file]; good(value) {
			content[file] = value
			return nil
		}
		value, err := create()
		if err != nil {
			return fmt.Errorf("make %s of %s: %w", file, wanted.Name, err)
		}
		content[file], changed = value, true
		return nil
	}
	if a != nil {
		changed = changed || string(existing[FileCA]) != string(a.bundle)
		content[FileCA] = a.bundle
	}
	var errs []error
	if wanted.NKey {
		errs = append(errs, keep(FileNKeySeed, isUserSeed, newSeed), r.addUser(wanted, content))
	}
	if wanted.ContactTokenKey {
		changed = r.contactTokenKeys(existing, content, now) || changed
	}
	if len(wanted.ServerNames) > 0 {
		renewed, err := r.serverCertificate(wanted, existing, content, a, now)
		changed = changed || renewed
		errs = append(errs, err)
	}
	r.store(wanted.Name, content, changed)
	return errors.Join(errs...)
}

func (r *Result) addUser(wanted *render.Secret, content map[string][]byte) error {
	public, err := publicKey(content[FileNKeySeed])
	if err != nil {
		return fmt.Errorf("public half of %s in Secret %s: %w", FileNKeySeed, wanted.Name, err)
	}
	r.Users = append(r.Users, runtimeconfig.BusUser{Role: wanted.Role, PublicKey: public})
	return nil
}

// serverCertificate keeps a certificate that is good for the wanted names and
// trusted by the bundle, else makes one. One that the former authority signed is
// kept until its own time comes: by then everybody holds the new bundle, whereas
// now a client that does not yet would refuse it.
func (r *Result) serverCertificate(wanted *render.Secret, existing, content map[string][]byte, a *authority, now time.Time) (bool, error) {
	if a == nil {
		return false, fmt.Errorf("Secret %s wants a server certificate, but the desk has no certificate authority", wanted.Name)
	}
	if c := serving(existing); c != nil && now.Before(renewal(c)) && slices.Equal(c.DNSNames, wanted.ServerNames) && a.trusts(c, now) {
		r.expires(c)
		content[FileCertificate], content[FilePrivateKey] = existing[FileCertificate], existing[FilePrivateKey]
		return false, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return false, fmt.Errorf("make the key of %s: %w", wanted.Name, err)
	}
	template := certificateTemplate(wanted.ServerNames[0], now, serverValidity)
	template.DNSNames = wanted.ServerNames
	template.KeyUsage = x509.KeyUsageDigitalSignature
	// The servers of a clustered bus are each other's clients too.
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, &key.PublicKey, a.key)
	if err != nil {
		return false, fmt.Errorf("sign the certificate of %s: %w", wanted.Name, err)
	}
	keyPEM, err := encodeKey(key)
	if err != nil {
		return false, err
	}
	content[FileCertificate], content[FilePrivateKey] = encodeCertificate(der), keyPEM
	certificate, err := parseCertificate(content[FileCertificate])
	if err != nil {
		return false, err
	}
	r.expires(certificate)
	return true, nil
}

func newSeed() ([]byte, error) {
	pair, err := nkeys.CreateUser()
	if err != nil {
		return nil, err
	}
	seed, err := pair.Seed()
	seed = bytes.Clone(seed) // Wipe overwrites the pair's own bytes
	pair.Wipe()
	return seed, err
}

func publicKey(seed []byte) (string, error) {
	pair, err := nkeys.FromSeed(seed)
	if err != nil {
		return "", err
	}
	defer pair.Wipe()
	return pair.PublicKey()
}

// isUserSeed reports whether the bus would take a seed for a user's. One that was
// damaged signs nobody on, so nothing is lost when it is made anew.
func isUserSeed(seed []byte) bool {
	public, err := publicKey(seed)
	return err == nil && nkeys.IsValidPublicUserKey(public)
}

func certificateTemplate(name string, now time.Time, validity time.Duration) *x509.Certificate {
	serial := make([]byte, 16)
	_, _ = rand.Read(serial) // never fails: crypto/rand ends the program when the system has no randomness
	return &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial),
		Subject:      pkix.Name{CommonName: name[:min(len(name), 64)], Organization: []string{"deskfleet"}},
		NotBefore:    now.Add(-backdate),
		NotAfter:     now.Add(validity),
	}
}

func encodeCertificate(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode a private key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

var errNoPEM = errors.New("no PEM block")

func parseCertificate(data []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, errNoPEM
	}
	return x509.ParseCertificate(block.Bytes)
}

// firstCertificate of a bundle, as PEM; nil when there is none.
func firstCertificate(bundle []byte) []byte {
	block, _ := pem.Decode(bundle)
	if block == nil {
		return nil
	}
	return pem.EncodeToMemory(block)
}

func parseAuthority(content map[string][]byte) (*authority, error) {
	certificate, err := parseCertificate(content[FileCA])
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(content[FileCAKey])
	if block == nil {
		return nil, errNoPEM
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || !key.PublicKey.Equal(certificate.PublicKey) {
		return nil, errors.New("key and certificate do not belong together")
	}
	return &authority{certificate: certificate, key: key, bundle: content[FileCA]}, nil
}
