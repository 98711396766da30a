package bus

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

// Time-outs of the client. A server that is gone without a word is noticed
// after pingInterval*(maxPingsOut+1), which must stay well below the 10 s in
// which a lost agent's conversations are back in the queue.
const (
	connectTimeout = 3 * time.Second
	pingInterval   = 2 * time.Second
	maxPingsOut    = 2
	minReconnect   = 50 * time.Millisecond
	maxReconnect   = 2 * time.Second
)

// Endpoint says how to reach a bus over the network. It is a [Dialer].
type Endpoint struct {
	// URLs of the servers, at least one; scheme nats or tls.
	URLs []string
	// CAFile holds the certificates that sign the servers', in PEM. It is read
	// again at each reconnect, so that a rotated CA needs no restart. When
	// empty, URLs of scheme tls are verified with the system's roots.
	CAFile string
	// SeedFile holds the seed of the role's NKey; it is read at each sign-on
	// and never kept. The public half is fixed at Dial.
	SeedFile string
	// CredsFile holds the credentials (JWT and seed) for an external NATS,
	// read at each sign-on. Set at most one of SeedFile and CredsFile.
	CredsFile string
	// InboxPrefix of reply subjects, see [InboxPrefix]. Empty for the default
	// of NATS, which an external NATS expects.
	InboxPrefix string
}

var _ Dialer = Endpoint{}

// Files are the paths of the mounted secrets of a role. Missing files of
// things that are not configured stay empty.
type Files struct {
	CA, Seed, Creds string
}

// EndpointFor gives the endpoint that a role uses by its configuration.
func EndpointFor(doc *runtimeconfig.Document, role runtimeconfig.Role, files Files) Endpoint {
	e := Endpoint{URLs: doc.Bus.URLs, CAFile: files.CA}
	if doc.Bus.External {
		e.CredsFile = files.Creds
		return e
	}
	e.SeedFile = files.Seed
	e.InboxPrefix = InboxPrefix(role)
	return e
}

// InboxPrefix is the prefix of a role's reply subjects. It differs by role, so
// that the server's permissions keep roles from reading each other's replies.
func InboxPrefix(role runtimeconfig.Role) string { return inboxRoot + "_" + string(role) }

// Dial connects, see [Dialer].
func (e Endpoint) Dial(ctx context.Context, opts ClientOptions) (Conn, error) {
	options, err := e.options()
	if err != nil {
		return nil, err
	}
	return dial(ctx, strings.Join(e.URLs, ","), opts, options)
}

func (e Endpoint) options() ([]nats.Option, error) {
	if err := e.validate(); err != nil {
		return nil, err
	}
	var options []nats.Option
	if e.CAFile != "" {
		if _, err := readPool(e.CAFile); err != nil {
			return nil, err
		}
		options = append(options, nats.RootCAs(e.CAFile), minTLS)
	}
	if e.SeedFile != "" {
		public, err := publicKey(e.SeedFile)
		if err != nil {
			return nil, err
		}
		options = append(options, nats.Nkey(public, func(nonce []byte) ([]byte, error) {
			return signWithFile(e.SeedFile, nonce)
		}))
	}
	if e.CredsFile != "" {
		if _, err := os.Stat(e.CredsFile); err != nil {
			return nil, fmt.Errorf("bus credentials: %w: mount the Secret that holds them", err)
		}
		options = append(options, nats.UserCredentials(e.CredsFile))
	}
	if e.InboxPrefix != "" {
		options = append(options, nats.CustomInboxPrefix(e.InboxPrefix))
	}
	return options, nil
}

func (e Endpoint) validate() error {
	if len(e.URLs) == 0 {
		return errors.New("the bus has no URL: set at least one")
	}
	for _, raw := range e.URLs {
		u, err := url.Parse(raw)
		if err != nil || (u.Scheme != "nats" && u.Scheme != "tls") || u.Host == "" {
			return fmt.Errorf("bus URL %q is not of the form nats://HOST:PORT or tls://HOST:PORT", redact(raw))
		}
	}
	if e.SeedFile != "" && e.CredsFile != "" {
		return fmt.Errorf("bus seed %s and credentials %s are both set: use one", e.SeedFile, e.CredsFile)
	}
	return nil
}

func minTLS(o *nats.Options) error {
	if o.TLSConfig == nil {
		o.TLSConfig = &tls.Config{}
	}
	o.TLSConfig.MinVersion = tls.VersionTLS13
	return nil
}

func dial(ctx context.Context, servers string, opts ClientOptions, options []nats.Option) (Conn, error) {
	logger := opts.Logger
	if logger == nil {
		logger = slog.Default()
	}
	c := &conn{
		log:     logger.With("bus_client", opts.Name),
		opts:    opts,
		link:    newLink(),
		waiting: map[string]map[*waiter]struct{}{},
		subs:    map[*subscription]struct{}{},
	}
	options = append(options,
		nats.Name(opts.Name),
		nats.Timeout(connectTimeout),
		nats.PingInterval(pingInterval),
		nats.MaxPingsOutstanding(maxPingsOut),
		nats.MaxReconnects(-1),
		nats.RetryOnFailedConnect(true),
		// A role starts before its key has reached every server, and keys rotate.
		nats.IgnoreAuthErrorAbort(),
		nats.CustomReconnectDelay(c.beforeReconnect),
		// Without a buffer a publish fails at once while disconnected. A buffered
		// one would be sent long after its caller has been told that it failed.
		nats.ReconnectBufSize(-1),
		nats.PermissionErrOnSubscribe(true),
		// The library reserves the memory of the whole queue for each subscription.
		nats.SyncQueueLen(DefaultPendingMessages),
		nats.NoCallbacksAfterClientClose(),
		nats.ConnectHandler(c.onConnect),
		nats.ReconnectHandler(c.onReconnect),
		nats.DisconnectErrHandler(c.onDisconnect),
		nats.ReconnectErrHandler(c.onReconnectError),
		nats.ErrorHandler(c.onError),
	)
	nc, err := nats.Connect(servers, options...)
	if err != nil {
		return nil, fmt.Errorf("connect to bus %s: %w", redact(servers), err)
	}
	if err := c.attach(nc); err != nil {
		nc.Close()
		return nil, err
	}
	if err := c.link.wait(ctx); err != nil {
		c.Close()
		return nil, fmt.Errorf("connect to bus %s: %w", redact(servers), errors.Join(err, c.lastError()))
	}
	return c, nil
}

// reconnectDelay doubles up to the limit; the jitter keeps a whole desk from
// returning in the same instant.
func reconnectDelay(attempts int) time.Duration {
	d := min(minReconnect<<min(max(attempts-1, 0), 10), maxReconnect)
	return d/2 + rand.N(d/2)
}

func publicKey(file string) (string, error) {
	pair, err := readSeed(file)
	if err != nil {
		return "", err
	}
	defer pair.Wipe()
	public, err := pair.PublicKey()
	if err != nil || !nkeys.IsValidPublicUserKey(public) {
		return "", fmt.Errorf("bus seed %s is not the seed of a user: it must begin with \"SU\"", file)
	}
	return public, nil
}

func signWithFile(file string, nonce []byte) ([]byte, error) {
	pair, err := readSeed(file)
	if err != nil {
		return nil, err
	}
	defer pair.Wipe()
	return pair.Sign(nonce)
}

func readSeed(file string) (nkeys.KeyPair, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("bus seed: %w: mount the Secret that holds it", err)
	}
	defer clear(data)
	pair, err := nkeys.ParseDecoratedNKey(data)
	if err != nil {
		// The library's error may hold what it read.
		return nil, fmt.Errorf("bus seed %s is not an NKey seed", file)
	}
	return pair, nil
}

func readPool(file string) (*x509.CertPool, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("bus CA: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("bus CA %s holds no certificate in PEM", file)
	}
	return pool, nil
}

// redact removes passwords from a list of URLs.
func redact(servers string) string {
	list := strings.Split(servers, ",")
	for i, raw := range list {
		u, err := url.Parse(raw)
		if err != nil {
			list[i] = "(not a URL)"
			continue
		}
		if u.User != nil {
			u.User = url.User("xxxxx")
		}
		list[i] = u.String()
	}
	return strings.Join(list, ",")
}
