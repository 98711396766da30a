package webhook

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"reflect"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

// Options of delivering. Zero values stand for the defaults in brackets.
type Options struct {
	// Outbox that holds what is to be sent. Required.
	Outbox Outbox
	// Source of the configuration. Required.
	Source runtimeconfig.Source
	// Secrets is the folder that holds a folder for each webhook, by name, with its secret. Without it nothing can
	// be signed, and everything waits.
	Secrets string
	// Policy of waiting.
	Policy Policy
	// Logger [slog.Default].
	Logger *slog.Logger
	// Registerer of the metrics; nil registers none.
	Registerer prometheus.Registerer
}

// Deliverer sends what the outbox holds. Make it with [New].
type Deliverer struct {
	opts    Options
	log     *slog.Logger
	metrics *metrics

	mu sync.Mutex
	// wakes of the running workers.
	wakes map[string]chan struct{}
	// problems of the running workers.
	problems map[string]string
}

// New makes a deliverer; it sends nothing before Run.
func New(opts Options) *Deliverer {
	opts.Policy = opts.Policy.complete()
	return &Deliverer{
		opts: opts, log: cmp.Or(opts.Logger, slog.Default()), metrics: newMetrics(opts.Registerer),
		wakes: map[string]chan struct{}{}, problems: map[string]string{},
	}
}

// Wake says that there may be something new to send. It never waits.
func (d *Deliverer) Wake() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, wake := range d.wakes {
		select {
		case wake <- struct{}{}:
		default: // it is awake
		}
	}
}

// Problems of the webhooks by name, in words.
func (d *Deliverer) Problems() map[string]string {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := map[string]string{}
	for name, problem := range d.problems {
		if problem != "" {
			out[name] = problem
		}
	}
	return out
}

// Run delivers until ctx ends, to the webhooks of the configuration as it is.
func (d *Deliverer) Run(ctx context.Context) {
	var running []runtimeconfig.Webhook
	stop := func() {}
	defer func() { stop() }()
	first := true
	for snapshot := range d.opts.Source.Watch(ctx) {
		hooks := snapshot.Document.Webhooks
		if !first && reflect.DeepEqual(hooks, running) {
			continue
		}
		stop()
		source := Source(snapshot.Document.Namespace, snapshot.Document.Desk)
		if !d.declare(ctx, hooks) {
			return
		}
		first, running, stop = false, hooks, d.start(ctx, source, hooks)
	}
}

// declare the webhooks, as often as it takes. It says whether to go on.
func (d *Deliverer) declare(ctx context.Context, hooks []runtimeconfig.Webhook) bool {
	for failures := 1; ; failures++ {
		err := d.opts.Outbox.Declare(ctx, hooks)
		if err == nil || ctx.Err() != nil {
			return err == nil
		}
		d.log.Warn("webhooks cannot be declared, it is tried again", "error", err)
		if !sleep(ctx, nil, min(time.Duration(failures)*time.Second, time.Minute)) {
			return false
		}
	}
}

// start a worker for each webhook.
func (d *Deliverer) start(ctx context.Context, source string, hooks []runtimeconfig.Webhook) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var work sync.WaitGroup
	for i := range hooks {
		w := &worker{
			d: d, hook: &hooks[i], source: source, wake: make(chan struct{}, 1),
			log: d.log.With("webhook", hooks[i].Name), folder: filepath.Join(d.opts.Secrets, hooks[i].Name),
		}
		d.mu.Lock()
		d.wakes[w.hook.Name] = w.wake
		d.mu.Unlock()
		work.Go(func() { w.run(ctx) })
	}
	return func() {
		cancel()
		work.Wait()
		d.mu.Lock()
		defer d.mu.Unlock()
		clear(d.wakes)
		clear(d.problems)
		d.metrics.forget()
	}
}

func (d *Deliverer) setProblem(hook string, problem string) (changed bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	changed = d.problems[hook] != problem
	d.problems[hook] = problem
	return changed
}

// sleep until a time has passed or somebody wakes; it returns false when ctx ends.
func sleep(ctx context.Context, wake <-chan struct{}, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-wake:
	case <-timer.C:
	}
	return true
}

// errNoSecrets says that nothing can be signed.
var errNoSecrets = errors.New("the role was given no folder of secrets: start it with --webhooks")
