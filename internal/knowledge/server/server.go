// Package server is the role knowledge: it loads the knowledge bases of a desk
// from mounted files, swaps them when they change, and answers searches.
package server

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/knowledge/protocol"
	"github.com/deskfleet/deskfleet/internal/router/load"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/telemetry"
)

// Options of the role. Zero values stand for the defaults in brackets.
type Options struct {
	// Name of this process on the bus, the pod's name. Required.
	Name string
	// Dialer of the bus. Required.
	Dialer bus.Dialer
	// BusMetrics of the connection; nil counts nothing.
	BusMetrics *bus.Metrics
	// Source of the configuration. Required.
	Source runtimeconfig.Source
	// Folder with the knowledge files. Required.
	Folder string
	// Interval in which files that do not match yet are looked at again [1 s].
	Interval time.Duration
	// Logger [slog.Default].
	Logger *slog.Logger
	// Registerer of the role's metrics; nil registers none.
	Registerer prometheus.Registerer
	// Health that the role adds its checks to; nil for none.
	Health *telemetry.Health
}

func (o *Options) complete() error {
	if o.Name == "" || o.Dialer == nil || o.Source == nil || o.Folder == "" {
		return errors.New("knowledge: Name, Dialer, Source and Folder are required")
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Interval <= 0 {
		o.Interval = time.Second
	}
	return nil
}

const (
	// searchesAtOnce bounds the searches of one process; more wait on the bus.
	searchesAtOnce = 8
	// pendingSearches and their bytes that may wait; more are dropped, and asked again.
	pendingSearches, pendingBytes = 1024, 16 << 20
	defaultHits                   = 3
	drainTimeout                  = 5 * time.Second
)

type role struct {
	opts    Options
	log     *slog.Logger
	library *library
	metrics *metrics
}

// Run is the role knowledge. It ends with ctx, or with an error when the bus cannot be reached.
func Run(ctx context.Context, opts Options) error {
	if err := opts.complete(); err != nil {
		return err
	}
	document := opts.Source.Current().Document
	subjects, err := bus.NewSubjects(document.Namespace, document.Desk)
	if err != nil {
		return fmt.Errorf("knowledge: %w", err)
	}
	r := &role{opts: opts, log: opts.Logger, library: newLibrary(opts.Folder), metrics: newMetrics(opts.Registerer)}
	if opts.Health != nil {
		// A role that serves the former revision still answers: only a base that is not served at all takes it out.
		opts.Health.Require("knowledge", func(context.Context) error { return r.library.missing() })
		opts.Health.Report("revision", func(context.Context) error { return r.library.complete() })
	}
	conn, err := opts.Dialer.Dial(ctx, bus.ClientOptions{Name: opts.Name, Logger: opts.Logger, Metrics: opts.BusMetrics})
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("knowledge: %w", err)
	}
	defer conn.Close()
	if opts.Health != nil {
		opts.Health.Require("bus", func(context.Context) error {
			if !conn.Connected() {
				return errors.New("the bus is not reached")
			}
			return nil
		})
	}
	r.load(document)
	stop, err := r.serve(ctx, conn, subjects)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil // told to end while it began
	case err != nil:
		return err
	}
	var rate load.Rate
	teller := load.Teller{
		Bus: conn, Subjects: subjects, Role: runtimeconfig.RoleKnowledge, Replica: opts.Name, Source: opts.Source, Logger: opts.Logger,
		Load: func(now time.Time) float64 { return rate.Per(now, r.metrics.answered.Load()) },
	}
	var telling sync.WaitGroup
	telling.Go(func() { teller.Run(ctx) })
	r.follow(ctx)
	telling.Wait()
	stop()
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if err := conn.Drain(drain); err != nil {
		r.log.WarnContext(ctx, "knowledge did not leave the bus cleanly", "error", err)
	}
	return nil
}

// follow loads what changes, until ctx ends.
func (r *role) follow(ctx context.Context) {
	ticker := time.NewTicker(r.opts.Interval)
	defer ticker.Stop()
	watch := r.opts.Source.Watch(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case snapshot, open := <-watch:
			if !open {
				return
			}
			r.load(snapshot.Document)
		case <-ticker.C:
			// The files follow the document, or come before it: what is incomplete is looked at again.
			if r.library.complete() != nil {
				r.load(r.opts.Source.Current().Document)
			}
		}
	}
}

func (r *role) load(document *runtimeconfig.Document) {
	begin := time.Now()
	for _, name := range r.library.update(document) {
		served, _, _ := r.library.get(name)
		entries := 0
		if served.index != nil {
			entries = served.index.Len()
		}
		r.log.Info("knowledge base swapped", "knowledge_base", name, "revision", served.revision, "entries", entries, "took", time.Since(begin))
	}
	r.metrics.served(r.library)
}

// serve subscribes to searches; stop waits for those that are being answered.
func (r *role) serve(ctx context.Context, conn bus.Conn, subjects bus.Subjects) (stop func(), err error) {
	slots := make(chan struct{}, searchesAtOnce)
	var running sync.WaitGroup
	subscription, err := conn.QueueSubscribe(ctx, subjects.Request(bus.ServiceKnowledgeSearch), bus.ServiceKnowledgeSearch.QueueGroup(), func(m *bus.Message) {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		running.Go(func() {
			defer func() { <-slots }()
			r.respond(m)
		})
	}, bus.WithPending(pendingSearches, pendingBytes))
	if err != nil {
		return nil, fmt.Errorf("knowledge: %w", err)
	}
	return func() {
		subscription.Stop()
		running.Wait()
	}, nil
}

func (r *role) respond(m *bus.Message) {
	if !m.WantsReply() {
		return
	}
	begin := time.Now()
	reply := r.answer(m.Data)
	reply.V = protocol.Version
	r.metrics.search(reply, time.Since(begin))
	data, err := json.Marshal(reply)
	if err != nil {
		r.log.Error("encode a reply", "error", err)
		return
	}
	if err := m.Respond(data); err != nil {
		r.log.Warn("answer a search", "error", err)
	}
}

func (r *role) answer(data []byte) protocol.Reply {
	var request protocol.Request
	if err := json.Unmarshal(data, &request); err != nil {
		return refuse(protocol.CodeMalformed, "request", err.Error(), "send JSON as the package protocol describes it")
	}
	if n := len(request.Query); n == 0 || n > protocol.MaxQuery {
		return refuse(protocol.CodeMalformed, "query", fmt.Sprintf("it has %d bytes", n), fmt.Sprintf("send 1 to %d", protocol.MaxQuery))
	}
	if n := len(request.KnowledgeBases); n == 0 || n > protocol.MaxBases {
		return refuse(protocol.CodeMalformed, "knowledgeBases", fmt.Sprintf("%d bases are named", n), fmt.Sprintf("name 1 to %d", protocol.MaxBases))
	}
	if request.K < 0 || request.K > protocol.MaxHits {
		return refuse(protocol.CodeMalformed, "k", fmt.Sprintf("it is %d", request.K), fmt.Sprintf("use 1 to %d, or 0 for %d", protocol.MaxHits, defaultHits))
	}
	k := cmp.Or(request.K, defaultHits)
	var hits []protocol.Hit
	for _, name := range request.KnowledgeBases {
		b, served, known := r.library.get(name)
		switch {
		case !served && known:
			return refuse(protocol.CodeUnavailable, "knowledge base "+name, "it is not loaded yet", "ask again in a second")
		case !served:
			return refuse(protocol.CodeUnknownBase, "knowledge base "+name, "the desk's configuration does not name it", "name one of the pool's knowledge bases")
		}
		for _, hit := range b.index.Search(request.Query, request.Language, k) {
			hits = append(hits, protocol.Hit{
				KnowledgeBase: name, Revision: b.revision, ID: hit.Entry.ID, Question: hit.Question,
				Answer: hit.Entry.Answer, Language: hit.Entry.Language, Confidence: hit.Confidence,
			})
		}
	}
	slices.SortStableFunc(hits, func(a, b protocol.Hit) int { return cmp.Compare(b.Confidence, a.Confidence) })
	return protocol.Reply{OK: true, Hits: hits[:min(k, len(hits))]}
}

func refuse(code protocol.Code, what, why, remedy string) protocol.Reply {
	return protocol.Reply{Error: &protocol.Error{Code: code, What: what, Why: why, Remedy: remedy}}
}
