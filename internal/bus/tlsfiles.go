package bus

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"github.com/nats-io/nkeys"
)

// TLSFiles are mounted PEM files. The certificate must be valid for server and
// client use and name every host that clients and servers dial; the servers of
// a cluster accept each other by the CA, so that it must sign nothing else.
type TLSFiles struct {
	Cert, Key, CA string
}

func (f TLSFiles) set() bool { return f != TLSFiles{} }

// tlsMaterial is a consistent read of the files.
type tlsMaterial struct {
	cert   tls.Certificate
	pool   *x509.CertPool
	digest [sha256.Size]byte
}

func (f TLSFiles) load() (*tlsMaterial, error) {
	hash := sha256.New()
	var contents [3][]byte
	for i, path := range []string{f.Cert, f.Key, f.CA} {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("bus TLS: %w: give certificate, key and CA files", err)
		}
		contents[i] = data
		sum := sha256.Sum256(data)
		hash.Write(sum[:])
	}
	cert, err := tls.X509KeyPair(contents[0], contents[1])
	if err != nil {
		return nil, fmt.Errorf("bus TLS: certificate %s and key %s: %w", f.Cert, f.Key, err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(contents[2]) {
		return nil, fmt.Errorf("bus TLS: CA %s holds no certificate in PEM", f.CA)
	}
	m := &tlsMaterial{cert: cert, pool: pool}
	hash.Sum(m.digest[:0])
	return m, nil
}

// clients sign on with NKeys, not with certificates.
func (m *tlsMaterial) clients() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{m.cert}}
}

// routes need a certificate of the CA on both sides: the servers of a cluster
// trust each other with everything.
func (m *tlsMaterial) routes() *tls.Config {
	return &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{m.cert},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    m.pool,
		RootCAs:      m.pool,
	}
}

func validUser(public string) bool { return nkeys.IsValidPublicUserKey(public) }
