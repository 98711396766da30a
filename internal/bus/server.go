package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

// ServerOptions say how an embedded server runs. What the desk's configuration
// decides comes from the document and may change while it runs, see [Server.Apply].
type ServerOptions struct {
	// Name of the server, unique in its cluster: the pod name.
	Name string
	// Dir holds the store. One server at a time may use it.
	Dir string
	// Listen is HOST:PORT for clients, port -1 for any free one. Empty: only
	// connections inside the process.
	Listen string
	// ClusterListen is HOST:PORT for the other servers; used when the document has routes.
	ClusterListen string
	// TLS of both listeners. Without it the server only listens when Plaintext is set.
	TLS TLSFiles
	// Plaintext allows listening without TLS, for a trial on loopback.
	Plaintext bool
	// Logger; [slog.Default] if nil.
	Logger *slog.Logger
}

// Server is an embedded NATS server with the desk's stream. It is a [Dialer]
// for connections inside the process, which may do everything.
type Server struct {
	opts     ServerOptions
	log      *slog.Logger
	logger   *serverLogger
	nats     *server.Server
	internal nkeys.KeyPair // signs on the connections inside the process

	mu   sync.Mutex // guards what Apply and ReloadTLS change
	doc  *runtimeconfig.Document
	tls  *tlsMaterial
	stop sync.Once
}

var _ Dialer = (*Server)(nil)

// StartServer starts a server and returns when it accepts connections. The
// stores of a cluster may still catch up then, see [Server.Ready]. End it with
// [Server.Shutdown].
func StartServer(ctx context.Context, doc *runtimeconfig.Document, opts ServerOptions) (*Server, error) {
	logger := opts.Logger
	if logger == nil {
		logger = slog.Default()
	}
	logger = logger.With("bus_server", opts.Name)
	internal, err := nkeys.CreateUser()
	if err != nil {
		return nil, fmt.Errorf("bus server: make the internal key: %w", err)
	}
	s := &Server{opts: opts, log: logger, logger: newServerLogger(logger), internal: internal, doc: doc}
	if opts.TLS.set() {
		if s.tls, err = opts.TLS.load(); err != nil {
			return nil, err
		}
	}
	natsOptions, err := s.options(doc, s.tls)
	if err != nil {
		return nil, err
	}
	if s.nats, err = server.NewServer(natsOptions); err != nil {
		return nil, fmt.Errorf("bus server: %w", err)
	}
	s.nats.SetLoggerV2(s.logger, logger.Enabled(ctx, slog.LevelDebug), false, false)
	go s.nats.Start()
	if err := s.waitStarted(ctx); err != nil {
		s.nats.Shutdown()
		s.nats.WaitForShutdown()
		return nil, fmt.Errorf("bus server with store %s: %w", opts.Dir, err)
	}
	return s, nil
}

// StartEmbedded starts a server without a listener for the desk of the
// document, makes its stream and returns when it is ready: the bus of a desk
// in one process, and of tests.
func StartEmbedded(ctx context.Context, doc *runtimeconfig.Document, dir string, logger *slog.Logger) (*Server, error) {
	s, err := StartServer(ctx, doc, ServerOptions{Name: "bus", Dir: dir, Logger: logger})
	if err != nil {
		return nil, err
	}
	if err := s.EnsureStream(ctx); err != nil {
		return nil, errors.Join(err, s.Shutdown(context.WithoutCancel(ctx)))
	}
	return s, nil
}

func (s *Server) waitStarted(ctx context.Context) error {
	for {
		if s.nats.ReadyForConnections(50 * time.Millisecond) {
			return s.logger.err()
		}
		select {
		case <-s.logger.died:
			return s.logger.err()
		case <-ctx.Done():
			return fmt.Errorf("did not start: %w", context.Cause(ctx))
		default:
		}
	}
}

// InProcessConn gives a connection without a network; it makes the server
// usable as nats.InProcessConnProvider.
func (s *Server) InProcessConn() (net.Conn, error) { return s.nats.InProcessConn() }

// Dial connects inside the process with all rights.
func (s *Server) Dial(ctx context.Context, opts ClientOptions) (Conn, error) {
	public, err := s.internal.PublicKey()
	if err != nil {
		return nil, fmt.Errorf("bus server: %w", err)
	}
	return dial(ctx, "", opts, []nats.Option{nats.InProcessServer(s), nats.Nkey(public, s.internal.Sign)})
}

// URL that clients reach the listener at; empty without one.
func (s *Server) URL() string {
	if s.opts.Listen == "" {
		return ""
	}
	return s.nats.ClientURL()
}

// EnsureStream makes or changes the stream of the desk as the document says.
// It waits for the other servers of a cluster until ctx ends.
func (s *Server) EnsureStream(ctx context.Context) error {
	doc := s.document()
	subjects, err := NewSubjects(doc.Namespace, doc.Desk)
	if err != nil {
		return err
	}
	c, err := s.Dial(ctx, ClientOptions{Name: s.opts.Name + "-stream", Logger: s.log})
	if err != nil {
		return err
	}
	defer c.Close()
	return c.EnsureStream(ctx, SpecFor(subjects, max(doc.Bus.Replicas, 1), streamBytes(doc.Bus)))
}

func (s *Server) document() *runtimeconfig.Document {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.doc
}

// Apply takes over users and limits of a changed document without a restart.
// Clients whose user is gone are disconnected. An error says what only a
// restart can change; the server then goes on with what it has.
func (s *Server) Apply(doc *runtimeconfig.Document) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.reload(doc, s.tls); err != nil {
		return err
	}
	s.doc = doc
	return nil
}

// ReloadTLS reads the certificate files again and uses them for new
// connections, if they changed and fit together. It says whether they changed.
func (s *Server) ReloadTLS() (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tls == nil {
		return false, nil
	}
	material, err := s.opts.TLS.load()
	if err != nil {
		return false, err
	}
	if material.digest == s.tls.digest {
		return false, nil
	}
	if err := s.reload(s.doc, material); err != nil {
		return false, err
	}
	s.tls = material
	return true, nil
}

func (s *Server) reload(doc *runtimeconfig.Document, material *tlsMaterial) error {
	options, err := s.options(doc, material)
	if err != nil {
		return err
	}
	if err := s.nats.ReloadOptions(options); err != nil {
		return fmt.Errorf("bus server: reload: %w: restart the bus to apply it", err)
	}
	return nil
}

// Time that a server of a cluster takes to hand over its clients.
const (
	lameDuckGrace    = 500 * time.Millisecond
	lameDuckDuration = 4 * time.Second
)

// Shutdown ends the server and waits until its store is closed: a process that
// ends earlier may leave a damaged store. In a cluster it first hands its
// leaderships and clients to the others. When ctx ends, it hurries.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stop.Do(func() {
		if s.clustered() {
			handedOver := make(chan struct{})
			go func() {
				s.nats.LameDuckShutdown()
				close(handedOver)
			}()
			select {
			case <-handedOver:
			case <-ctx.Done():
			}
		}
		s.nats.Shutdown()
		s.nats.WaitForShutdown()
		s.internal.Wipe()
	})
	return nil
}

func (s *Server) clustered() bool {
	return s.opts.Listen != "" && len(s.document().Bus.Routes) > 0
}
