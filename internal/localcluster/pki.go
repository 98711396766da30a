package localcluster

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"
)

const (
	caValidity   = 10 * 365 * 24 * time.Hour
	leafValidity = 365 * 24 * time.Hour
	// renewBefore is the remaining life below which Up makes a new certificate.
	renewBefore = 30 * 24 * time.Hour
	// clockSkew keeps a certificate valid right after the clock is set back a little.
	clockSkew = 5 * time.Minute
)

// identity is a certificate that the cluster's authority signs.
type identity struct {
	Name   string   // file name
	CN     string   // user name in Kubernetes
	Groups []string // groups in Kubernetes
	Server bool     // also usable by a server, for the names below
	DNS    []string
	IPs    []netip.Addr
}

// Users of the tool's own components; their roles are in manifests.yaml.
const (
	userKubeletClient = "deskfleet-local:kubelet-client"
	userCoreDNS       = "deskfleet-local:coredns"
	userProvisioner   = "deskfleet-local:provisioner"
)

func identities(name string, a addresses) []identity {
	loopback := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	return []identity{
		{Name: "etcd", CN: "etcd", Server: true, DNS: []string{"localhost"}, IPs: []netip.Addr{a.Node, loopback}},
		{Name: "etcd-client", CN: "kube-apiserver-etcd-client"},
		{
			Name: "apiserver", CN: "kube-apiserver", Server: true,
			DNS: []string{
				"localhost", name, "kubernetes", "kubernetes.default", "kubernetes.default.svc",
				"kubernetes.default.svc." + clusterDomain,
			},
			IPs: []netip.Addr{a.Node, a.APIServer, loopback},
		},
		{Name: "kubelet-client", CN: userKubeletClient},
		{Name: "kubelet-server", CN: "system:node:" + name, Groups: []string{"system:nodes"}, Server: true, DNS: []string{name}, IPs: []netip.Addr{a.Node}},
		{Name: "kubelet", CN: "system:node:" + name, Groups: []string{"system:nodes"}},
		{Name: "controller-manager", CN: "system:kube-controller-manager"},
		{Name: "scheduler", CN: "system:kube-scheduler"},
		{Name: "proxy", CN: "system:kube-proxy"},
		{Name: "coredns", CN: userCoreDNS},
		{Name: "provisioner", CN: userProvisioner},
		{Name: "admin", CN: "deskfleet-local:admin", Groups: []string{"system:masters"}},
	}
}

// authority signs the certificates of one cluster.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
	pem  []byte
}

// ensurePKI makes the authority, the certificates and the service account key
// pair that are missing, foreign or near their end, and keeps the others: a new
// certificate restarts the component that uses it.
func ensurePKI(l layout, ids []identity, now time.Time) (*authority, error) {
	ca, err := ensureAuthority(l, now)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if ca.issuedAndCurrent(l, id, now) {
			continue
		}
		if err := ca.issue(l, id, now); err != nil {
			return nil, fmt.Errorf("certificate %s: %w", id.Name, err)
		}
	}
	return ca, ensureServiceAccountKey(l)
}

func ensureAuthority(l layout, now time.Time) (*authority, error) {
	cert, certPEM, certErr := readCert(l.cert("ca"))
	key, keyErr := readKey(l.key("ca"))
	if certErr == nil && keyErr == nil && now.Add(leafValidity).Before(cert.NotAfter) && samePublicKey(cert, key) {
		return &authority{cert: cert, key: key, pem: certPEM}, nil
	}
	for _, err := range []error{certErr, keyErr} {
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("the cluster's certificate authority is unreadable (take the cluster down and up again): %w", err)
		}
	}
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "deskfleet-local-ca"},
		NotBefore:             now.Add(-clockSkew),
		NotAfter:              now.Add(caValidity),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := sign(template, template, signer.Public(), signer)
	if err != nil {
		return nil, err
	}
	if cert, err = x509.ParseCertificate(der); err != nil {
		return nil, err
	}
	ca := &authority{cert: cert, key: signer, pem: encodeCert(der)}
	return ca, writePair(l, "ca", ca.pem, signer)
}

func (ca *authority) issue(l layout, id identity, now time.Time) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: id.CN, Organization: id.Groups},
		NotBefore:             now.Add(-clockSkew),
		NotAfter:              now.Add(leafValidity),
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           id.usages(),
		DNSNames:              id.DNS,
		IPAddresses:           netIPs(id.IPs),
	}
	der, err := sign(template, ca.cert, key.Public(), ca.key)
	if err != nil {
		return err
	}
	return writePair(l, id.Name, encodeCert(der), key)
}

// usages: etcd and the API server are clients of their own kind too (peers,
// admission), so a server certificate is good for both.
func (id identity) usages() []x509.ExtKeyUsage {
	if id.Server {
		return []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	}
	return []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
}

// issuedAndCurrent reports whether the files of an identity hold what issue would make.
func (ca *authority) issuedAndCurrent(l layout, id identity, now time.Time) bool {
	cert, _, err := readCert(l.cert(id.Name))
	if err != nil {
		return false
	}
	key, err := readKey(l.key(id.Name))
	if err != nil || !samePublicKey(cert, key) {
		return false
	}
	return cert.CheckSignatureFrom(ca.cert) == nil &&
		now.Add(renewBefore).Before(cert.NotAfter) &&
		cert.Subject.CommonName == id.CN &&
		slices.Equal(cert.Subject.Organization, id.Groups) &&
		slices.Equal(cert.ExtKeyUsage, id.usages()) &&
		slices.Equal(cert.DNSNames, id.DNS) &&
		slices.EqualFunc(cert.IPAddresses, netIPs(id.IPs), net.IP.Equal)
}

// ensureServiceAccountKey makes the key pair that signs service account tokens.
// RSA, because that is what most clusters have: what verifies tokens offline
// must meet RS256 here.
func ensureServiceAccountKey(l layout) error {
	if _, err := readKey(l.key("sa")); err == nil {
		return nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("service account key (take the cluster down and up again): %w", err)
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	if err := writeFile(l.path("pki", "sa.pub"), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), 0o644); err != nil {
		return err
	}
	return writeKey(l.key("sa"), key)
}

func sign(template, parent *x509.Certificate, public crypto.PublicKey, signer crypto.Signer) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	template.SerialNumber = serial
	return x509.CreateCertificate(rand.Reader, template, parent, public, signer)
}

func netIPs(addrs []netip.Addr) []net.IP {
	out := make([]net.IP, 0, len(addrs))
	for _, a := range addrs {
		out = append(out, a.AsSlice())
	}
	return out
}

func encodeCert(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func writePair(l layout, name string, certPEM []byte, key crypto.Signer) error {
	if err := writeKey(l.key(name), key); err != nil {
		return err
	}
	return writeFile(l.cert(name), certPEM, 0o644)
}

func writeKey(path string, key crypto.Signer) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return writeFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
}

func readPEM(path string) (raw, der []byte, err error) {
	raw, err = os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	block, _ := pem.Decode(raw)
	if block == nil {
		return nil, nil, fmt.Errorf("%s holds no PEM block", path)
	}
	return raw, block.Bytes, nil
}

func readCert(path string) (*x509.Certificate, []byte, error) {
	raw, der, err := readPEM(path)
	if err != nil {
		return nil, nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return cert, raw, err
}

func readKey(path string) (crypto.Signer, error) {
	_, der, err := readPEM(path)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%s holds a %T, which cannot sign", path, key)
	}
	return signer, nil
}

func samePublicKey(cert *x509.Certificate, key crypto.Signer) bool {
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(cert.PublicKey)
}
