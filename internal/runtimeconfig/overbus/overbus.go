// Package overbus carries a desk's configuration over its bus: the router spreads
// a new document, and every role that speaks to the bus takes it within moments,
// where the mounted copy may be minutes late. A role that starts asks for it.
package overbus

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

// Bounds of what travels.
const (
	// plainBytes is the longest document that is sent as it is; the bus takes messages of a quarter of a mebibyte.
	plainBytes = 32 << 10
	// maxBytes of a document; a ConfigMap, in which it begins its way, holds less.
	maxBytes = 4 << 20
)

// Encode renders a document for the bus.
func Encode(document []byte) ([]byte, error) {
	if len(document) <= plainBytes {
		return document, nil
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(document); err != nil {
		return nil, fmt.Errorf("compress the configuration: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("compress the configuration: %w", err)
	}
	return b.Bytes(), nil
}

// Decode reads what Encode rendered. A document itself is JSON, which begins otherwise than gzip.
func Decode(message []byte) ([]byte, error) {
	if !bytes.HasPrefix(message, []byte{0x1f, 0x8b}) {
		return message, nil
	}
	r, err := gzip.NewReader(bytes.NewReader(message))
	if err != nil {
		return nil, fmt.Errorf("configuration on the bus: %w", err)
	}
	document, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("configuration on the bus: %w", err)
	case len(document) > maxBytes:
		return nil, fmt.Errorf("configuration on the bus has more than %d bytes", maxBytes)
	}
	return document, nil
}

// Times of asking.
const (
	askTimeout   = 2 * time.Second
	shortestWait = time.Second
	longestWait  = 30 * time.Second
)

// Dialer makes connections that keep a store up to date with what is spread, for
// as long as they stand.
type Dialer struct {
	// Inner makes the connections.
	Inner bus.Dialer
	// Store that takes the documents.
	Store *runtimeconfig.Store
	// Logger; slog.Default if nil.
	Logger *slog.Logger
}

// Dial implements [bus.Dialer].
func (d *Dialer) Dial(ctx context.Context, opts bus.ClientOptions) (bus.Conn, error) {
	f := &follower{store: d.Store, log: d.Logger, again: make(chan struct{}, 1), done: make(chan struct{})}
	if f.log == nil {
		f.log = slog.Default()
	}
	document := d.Store.Current().Document
	subjects, err := bus.NewSubjects(document.Namespace, document.Desk)
	if err != nil {
		return nil, err
	}
	reconnected := opts.OnReconnect
	opts.OnReconnect = func() {
		// What was spread while the connection was down has been missed.
		select {
		case f.again <- struct{}{}:
		default:
		}
		if reconnected != nil {
			reconnected()
		}
	}
	conn, err := d.Inner.Dial(ctx, opts)
	if err != nil {
		return nil, err
	}
	f.Conn = conn
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	f.stop = stop
	if _, err := conn.Subscribe(life, subjects.Config(), func(m *bus.Message) { f.take(life, m.Data) }); err != nil {
		stop()
		conn.Close()
		return nil, fmt.Errorf("follow the configuration: %w", err)
	}
	go f.ask(life, subjects.ConfigGet())
	return f, nil
}

// follower is a connection that keeps a store up to date.
type follower struct {
	bus.Conn
	store *runtimeconfig.Store
	log   *slog.Logger
	stop  context.CancelFunc
	again chan struct{}
	done  chan struct{}
}

// Close implements bus.Conn.
func (f *follower) Close() {
	f.stop()
	f.Conn.Close()
	<-f.done
}

// Drain implements bus.Conn.
func (f *follower) Drain(ctx context.Context) error {
	f.stop()
	err := f.Conn.Drain(ctx)
	<-f.done
	return err
}

func (f *follower) take(ctx context.Context, message []byte) {
	document, err := Decode(message)
	changed := false
	if err == nil {
		changed, err = f.store.Offer(document)
	}
	switch {
	case err != nil:
		f.log.WarnContext(ctx, "configuration from the bus is refused", "error", err)
	case changed:
		f.log.InfoContext(ctx, "configuration came over the bus", "revision", f.store.Current().Revision)
	}
}

// ask asks for the configuration until somebody answers, and anew after each reconnection.
func (f *follower) ask(ctx context.Context, subject string) {
	defer close(f.done)
	wait := shortestWait
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.again:
		case <-timer.C:
		}
		request, cancel := context.WithTimeout(ctx, askTimeout)
		answer, err := f.Request(request, subject, nil)
		cancel()
		if err != nil {
			// Perhaps no router runs yet. The mounted copy serves until then.
			timer.Reset(wait/2 + rand.N(wait))
			wait = min(2*wait, longestWait)
			continue
		}
		timer.Stop()
		wait = shortestWait
		f.take(ctx, answer)
	}
}
