package bus

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

// Limits of the embedded server.
const (
	// headerRoom is what a message's headers may take beyond [MaxMessage] in a
	// core message, such as a reply.
	headerRoom = 16 << 10
	// maxConnections of one server: pods of a desk, not customers.
	maxConnections = 2048
	// maxSubscriptions of one connection: roles subscribe with wildcards.
	maxSubscriptions = 4096
	// maxPending bytes for one slow client before it is disconnected.
	maxPending = 32 << 20
	// maxMemory of memory streams. There are none; consumers take a little.
	maxMemory = 64 << 20
	// DefaultMaxStore in bytes, when the document sets none.
	DefaultMaxStore = 1 << 30
	// streamShare of the store in percent. The rest is for what the server
	// writes besides: indices, consensus logs, blocks that are being compacted.
	streamShare = 80
)

func maxStore(b runtimeconfig.Bus) int64 {
	if b.MaxStoreBytes > 0 {
		return b.MaxStoreBytes
	}
	return DefaultMaxStore
}

func streamBytes(b runtimeconfig.Bus) int64 { return maxStore(b) / 100 * streamShare }

func (s *Server) options(doc *runtimeconfig.Document, material *tlsMaterial) (*server.Options, error) {
	subjects, err := NewSubjects(doc.Namespace, doc.Desk)
	if err != nil {
		return nil, err
	}
	users, err := s.users(doc, subjects)
	if err != nil {
		return nil, err
	}
	o := &server.Options{
		ServerName: s.opts.Name,
		DontListen: s.opts.Listen == "",
		NoSigs:     true,
		NoLog:      true,
		Nkeys:      users,

		JetStream:          true,
		StoreDir:           s.opts.Dir,
		JetStreamMaxMemory: maxMemory,
		JetStreamMaxStore:  maxStore(doc.Bus),
		// Acknowledged means on disk. The default would lose up to two minutes.
		SyncAlways: true,

		MaxPayload: MaxMessage + headerRoom,
		MaxConn:    maxConnections,
		MaxSubs:    maxSubscriptions,
		MaxPending: maxPending,

		LameDuckDuration:    lameDuckDuration,
		LameDuckGracePeriod: lameDuckGrace,

		DisableJetStreamBanner: true,
	}
	if !o.DontListen {
		if err := s.listen(o, material); err != nil {
			return nil, err
		}
	}
	if len(doc.Bus.Routes) > 0 {
		if err := s.cluster(o, doc, subjects, material); err != nil {
			return nil, err
		}
	}
	return o, nil
}

func (s *Server) users(doc *runtimeconfig.Document, subjects Subjects) ([]*server.NkeyUser, error) {
	public, err := s.internal.PublicKey()
	if err != nil {
		return nil, fmt.Errorf("bus server: %w", err)
	}
	users := []*server.NkeyUser{{Nkey: public}}
	known := map[runtimeconfig.Role]bool{}
	for _, role := range runtimeconfig.ClientRoles() {
		known[role] = true
	}
	for _, u := range doc.Bus.Users {
		if !known[u.Role] {
			return nil, fmt.Errorf("bus user with role %q: no such role signs on to the bus", u.Role)
		}
		if !validUser(u.PublicKey) {
			return nil, fmt.Errorf("bus user of role %s has the public key %q, which is not an NKey of a user: it must begin with \"U\"", u.Role, u.PublicKey)
		}
		users = append(users, &server.NkeyUser{Nkey: u.PublicKey, Permissions: permissionsFor(u.Role, subjects)})
	}
	return users, nil
}

func (s *Server) listen(o *server.Options, material *tlsMaterial) error {
	if material == nil && !s.opts.Plaintext {
		return fmt.Errorf("bus server would listen on %s without TLS: give certificate, key and CA files", s.opts.Listen)
	}
	var err error
	if o.Host, o.Port, err = hostPort(s.opts.Listen); err != nil {
		return err
	}
	if material != nil {
		o.TLSConfig = material.clients()
		o.TLSTimeout = connectTimeout.Seconds()
	}
	return nil
}

func (s *Server) cluster(o *server.Options, doc *runtimeconfig.Document, subjects Subjects, material *tlsMaterial) error {
	if o.DontListen || s.opts.ClusterListen == "" {
		return errors.New("bus server has routes but does not listen for clients and for its cluster: set both listeners")
	}
	if material == nil && !s.opts.Plaintext {
		return errors.New("bus server would join its cluster without TLS: give certificate, key and CA files")
	}
	host, port, err := hostPort(s.opts.ClusterListen)
	if err != nil {
		return err
	}
	for _, raw := range doc.Bus.Routes {
		u, err := url.Parse(raw)
		if err != nil || u.Host == "" {
			return fmt.Errorf("bus route %q is not of the form tls://HOST:PORT", redact(raw))
		}
		o.Routes = append(o.Routes, u)
	}
	o.Cluster = server.ClusterOpts{
		Name: subjects.Stream(),
		Host: host,
		Port: port,
		// Clients know all servers by name from the configuration. Addresses of
		// pods, which the servers would tell them, are in no certificate.
		NoAdvertise: true,
	}
	if material != nil {
		o.Cluster.TLSConfig = material.routes()
		o.Cluster.TLSTimeout = connectTimeout.Seconds()
	}
	return nil
}

func hostPort(address string) (string, int, error) {
	host, raw, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, fmt.Errorf("bus listen address %q is not HOST:PORT: %w", address, err)
	}
	port, err := strconv.Atoi(raw)
	if err != nil || port == 0 || port < -1 || port > 65535 {
		return "", 0, fmt.Errorf("bus listen address %q: port is not 1 to 65535, or -1 for any", address)
	}
	return host, port, nil
}
