// Package server is the managers' side of the link: it takes reports over HTTPS,
// keeps the last one of each desk, and answers what the desk is to do.
package server

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"golang.org/x/net/netutil"

	"github.com/deskfleet/deskfleet/internal/link"
)

// Limits of the server, so that nobody who reaches it can hold it up.
const (
	headerTimeout = 3 * time.Second
	readTimeout   = 5 * time.Second
	writeTimeout  = 10 * time.Second
	// idleTimeout outlives the longest time between two reports, so that a quiet desk keeps its connection.
	idleTimeout     = 3 * link.Idle
	maxHeader       = 16 << 10
	maxConnections  = 2 * maxDesks
	shutdownTimeout = 5 * time.Second
)

// Answer is what the leading manager wants of a desk.
type Answer struct {
	// Revision of the configuration that the desk is to run; empty while it is not known.
	Revision string
	// Document reads that configuration. It is called only when the desk runs another revision. Nil when there is none to send.
	Document func() (string, error)
	// Pools by name, and Seats of those of people.
	Pools map[string]link.Wanted
	Seats map[string]link.Seats
	// Learned is what the desk is to keep of its pools, Recall names those of which it is to give back what it keeps.
	Learned map[string][]byte
	Recall  []string
}

// Options of a server.
type Options struct {
	// Name of this manager, such as the pod's.
	Name string
	// Verifier of tokens.
	Verifier *Verifier
	// AccountOf is the ServiceAccount that speaks for a desk. Two desks of a namespace have two accounts.
	AccountOf func(desk string) string
	// Known says whether a desk exists: a token outlives its desk by up to an hour.
	Known func(namespace, desk string) bool
	// Desks keeps what comes in.
	Desks *Desks
	// Leads says whether this manager leads, since when.
	Leads func() (since time.Time, leads bool)
	// Answer says what the leading manager wants of a desk.
	Answer func(namespace, desk string) Answer
	// Recalled gets what a desk gives back of its pools, before it is answered, while this manager leads. Nil for nobody.
	Recalled func(namespace, desk string, learned map[string][]byte)
	// Certificate to serve with.
	Certificate func() (*tls.Certificate, error)
	// Metrics may be nil.
	Metrics *Metrics
	Logger  *slog.Logger
}

// Server takes reports. Make it with [New].
type Server struct{ o Options }

// New makes a server.
func New(o Options) *Server { return &Server{o: o} }

// Serve takes reports until ctx ends. It closes the listener.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	protocols := &http.Protocols{}
	// HTTP/1 alone: one small request at a time needs no streams, and a connection costs a third of the memory.
	protocols.SetHTTP1(true)
	server := &http.Server{
		Handler:           s.Handler(),
		Protocols:         protocols,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.o.Logger.Handler(), slog.LevelDebug),
		TLSConfig: &tls.Config{
			MinVersion: tls.VersionTLS13,
			NextProtos: []string{"http/1.1"},
			GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
				return s.o.Certificate()
			},
		},
	}
	served := make(chan error, 1)
	go func() { served <- server.ServeTLS(netutil.LimitListener(listener, maxConnections), "", "") }()
	s.o.Logger.InfoContext(ctx, "link serves", "address", listener.Addr().String())
	select {
	case err := <-served:
		return fmt.Errorf("link: %w", err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	err := server.Shutdown(stop)
	if err != nil {
		err = errors.Join(fmt.Errorf("link: shutdown: %w", err), server.Close())
	}
	<-served
	return err
}

// Handler of the reports.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/desks/{namespace}/{desk}/report", s.report)
	return mux
}

// refusal of a report.
type refusal struct {
	status int
	result string // for the metric
	what   string
	remedy string
}

func (s *Server) report(w http.ResponseWriter, request *http.Request) {
	reply, refused := s.take(w, request)
	if refused != nil {
		s.o.Metrics.count(refused.result)
		s.o.Logger.DebugContext(request.Context(), "report refused", "result", refused.result, "what", refused.what, "from", request.RemoteAddr)
		if refused.status == http.StatusTooManyRequests || refused.status == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", "5")
		}
		write(w, refused.status, link.Problem{What: refused.what, Remedy: refused.remedy})
		return
	}
	s.o.Metrics.count(resultTaken)
	write(w, http.StatusOK, reply)
}

// take checks who reports for whom before it reads what is reported.
func (s *Server) take(w http.ResponseWriter, request *http.Request) (*link.Reply, *refusal) {
	key := Key{request.PathValue("namespace"), request.PathValue("desk")}
	who, refused := s.authenticate(request)
	switch {
	case refused != nil:
		return nil, refused
	case who.Namespace != key.Namespace || who.ServiceAccount != s.o.AccountOf(key.Desk):
		return nil, &refusal{http.StatusForbidden, resultForbidden,
			fmt.Sprintf("ServiceAccount %s of namespace %s does not speak for desk %s of namespace %s", who.ServiceAccount, who.Namespace, key.Desk, key.Namespace),
			"report for the desk that the pod belongs to"}
	case !s.o.Known(key.Namespace, key.Desk):
		return nil, &refusal{http.StatusNotFound, resultUnknown, fmt.Sprintf("ServiceDesk %s does not exist in namespace %s", key.Desk, key.Namespace),
			"apply the ServiceDesk, or stop the router"}
	case !s.o.Desks.admit(key):
		return nil, &refusal{http.StatusTooManyRequests, resultTooMany, "the desk reports too often", fmt.Sprintf("report at most once in %s", link.OnChange)}
	}
	report, refused := decode(w, request)
	if refused != nil {
		return nil, refused
	}
	if report.Namespace != key.Namespace || report.Desk != key.Desk {
		return nil, &refusal{http.StatusForbidden, resultForbidden,
			fmt.Sprintf("the report is of desk %s of namespace %s and came for desk %s of namespace %s", report.Desk, report.Namespace, key.Desk, key.Namespace),
			"report for the desk that the pod belongs to"}
	}
	// It is for the leader alone and large: whoever keeps reports must not keep it.
	learned := report.Learned
	report.Learned = nil
	s.o.Desks.keep(report)
	return s.reply(request.Context(), report, learned), nil
}

func (s *Server) authenticate(request *http.Request) (Identity, *refusal) {
	const remedy = "send the projected ServiceAccount token of audience " + link.Audience + ", read anew from its file"
	scheme, token, _ := strings.Cut(request.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return Identity{}, &refusal{http.StatusUnauthorized, resultUnauthenticated, "the request has no bearer token", remedy}
	}
	who, err := s.o.Verifier.Verify(request.Context(), token)
	switch {
	case errors.Is(err, ErrKeys):
		return Identity{}, &refusal{http.StatusServiceUnavailable, resultUnavailable, err.Error(), "send the report again later"}
	case err != nil:
		return Identity{}, &refusal{http.StatusUnauthorized, resultUnauthenticated, err.Error(), remedy}
	}
	return who, nil
}

func decode(w http.ResponseWriter, request *http.Request) (*link.Report, *refusal) {
	malformed := func(what string) *refusal {
		return &refusal{http.StatusBadRequest, resultMalformed, what, "send the JSON of a report"}
	}
	var report link.Report
	decoder := json.NewDecoder(http.MaxBytesReader(w, request.Body, link.MaxReportBytes))
	if err := decoder.Decode(&report); err != nil {
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			return nil, &refusal{http.StatusRequestEntityTooLarge, resultMalformed, fmt.Sprintf("the report has more than %d bytes", tooLarge.Limit), "report less"}
		}
		return nil, malformed("the body is not the JSON of a report")
	}
	if err := report.Validate(); err != nil {
		return nil, malformed("the report's " + err.Error())
	}
	return &report, nil
}

func (s *Server) reply(ctx context.Context, report *link.Report, learned map[string][]byte) *link.Reply {
	reply := &link.Reply{V: link.Version, Manager: s.o.Name}
	since, leads := s.o.Leads()
	if !leads {
		return reply
	}
	reply.Leads, reply.Since = true, since
	if len(learned) > 0 && s.o.Recalled != nil {
		s.o.Recalled(report.Namespace, report.Desk, learned)
	}
	answer := s.o.Answer(report.Namespace, report.Desk)
	reply.Revision, reply.Pools, reply.Seats = answer.Revision, answer.Pools, answer.Seats
	reply.Learned, reply.Recall = answer.Learned, answer.Recall
	if answer.Document == nil {
		return reply
	}
	switch answer.Revision {
	case "", report.Revision, report.Refused:
		return reply
	}
	document, err := answer.Document()
	if err != nil {
		// The next report asks again.
		s.o.Logger.WarnContext(ctx, "configuration cannot be read", "namespace", report.Namespace, "desk", report.Desk, "error", err)
		return reply
	}
	reply.Document = document
	return reply
}

func write(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client is gone
}
