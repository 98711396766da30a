package webhook

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

// Times of a worker that nobody needs to change.
const (
	// idleAtMost is how long a worker sleeps when nobody wakes it.
	idleAtMost = time.Minute
	// recordWithin bounds the last record of a worker that is to end: what was taken is sent again otherwise.
	recordWithin = 5 * time.Second
	// measureEvery is how often the outbox is counted.
	measureEvery = time.Second
	// patience is how many events may be refused in a row before the receiver is taken to be the trouble.
	patience = 5
)

// worker sends the events of one webhook.
type worker struct {
	d      *Deliverer
	hook   *runtimeconfig.Webhook
	source string
	folder string
	log    *slog.Logger
	wake   chan struct{}

	client *http.Client
	keys   []*standardwebhooks.Webhook
	// failures in a row, and until when nothing is sent because of them.
	failures int
	paused   time.Time
	// measured is when the outbox was counted.
	measured time.Time
}

func (w *worker) run(ctx context.Context) {
	defer func() {
		if w.client != nil {
			w.client.CloseIdleConnections()
		}
	}()
	broken := 0
	for {
		pause, err := w.round(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil { // the database's; the receiver's are no errors here
			broken++
			w.problem("the outbox cannot be used: " + err.Error())
			if !sleep(ctx, nil, w.d.opts.Policy.backoff(min(broken, 3), jitter())) {
				return
			}
			continue
		}
		broken = 0
		if pause > 0 && !sleep(ctx, w.wake, min(pause, idleAtMost)) {
			return
		}
	}
}

// round sends what is due. pause is how long there is nothing to do; 0 for at once again.
func (w *worker) round(ctx context.Context) (pause time.Duration, err error) {
	outbox, p, now := w.d.opts.Outbox, w.d.opts.Policy, time.Now()
	if err := outbox.Queue(ctx, w.hook, now, p.MostPending); err != nil {
		return 0, err
	}
	if now.Before(w.paused) {
		return w.paused.Sub(now), w.measure(ctx, now, measureEvery)
	}
	limit := p.Parallel
	if w.failures > 0 {
		limit = 1 // a probe
	}
	items, next, err := outbox.Due(ctx, w.hook.Name, now, limit)
	if err != nil {
		return 0, err
	}
	if len(items) == 0 {
		if err := w.measure(ctx, now, 0); err != nil {
			return 0, err
		}
		if next.IsZero() {
			return idleAtMost, nil
		}
		return max(next.Sub(now), time.Millisecond), nil
	}
	if err := w.prepare(); err != nil {
		w.problem(err.Error())
		return p.SecretEvery, nil
	}
	if err := w.settle(ctx, items, w.sendAll(ctx, items)); err != nil {
		return 0, err
	}
	return 0, w.measure(ctx, now, measureEvery)
}

// prepare the client and the secrets, which may have changed.
func (w *worker) prepare() error {
	if w.d.opts.Secrets == "" {
		return errNoSecrets
	}
	keys, err := ReadSecrets(w.folder)
	if err != nil {
		return err
	}
	w.keys = keys
	if w.client == nil || w.failures > 0 { // a new authority may be the cure
		roots, err := readCA(w.folder)
		if err != nil {
			return err
		}
		if w.client != nil {
			w.client.CloseIdleConnections()
		}
		w.client = newClient(w.d.opts.Policy, w.hook.AllowPrivateAddresses, roots)
	}
	return nil
}

// sendAll sends events of different conversations at the same time.
func (w *worker) sendAll(ctx context.Context, items []Item) []outcome {
	outcomes := make([]outcome, len(items))
	var sends sync.WaitGroup
	for i := range items {
		sends.Go(func() { outcomes[i] = w.send(ctx, &items[i]) })
	}
	sends.Wait()
	return outcomes
}

func (w *worker) send(ctx context.Context, item *Item) outcome {
	if len(item.Event) == 0 {
		return outcome{skipped: true}
	}
	e, err := conversation.Decode(item.Event)
	if err != nil {
		return outcome{status: http.StatusBadRequest, problem: "the stored event cannot be read: " + err.Error()}
	}
	e.Seq = item.Seq
	body, err := Render(w.source, e, item.Card)
	if err != nil {
		return outcome{status: http.StatusBadRequest, problem: err.Error()}
	}
	start := time.Now()
	o := post(ctx, w.client, w.hook.URL, w.keys, string(e.ID), body, start)
	w.d.metrics.seconds.WithLabelValues(w.hook.Name).Observe(time.Since(start).Seconds())
	return o
}

// settle what came of the attempts.
func (w *worker) settle(ctx context.Context, items []Item, outcomes []outcome) error {
	now, p := time.Now(), w.d.opts.Policy
	var verdicts []Verdict
	var gone string
	for i, o := range outcomes {
		if ctx.Err() != nil && !o.taken() {
			continue // cut off by our own end: that is no failure of the receiver
		}
		v := p.judge(items[i], o, now, jitter())
		verdicts = append(verdicts, v)
		w.count(&o, &v)
		w.learn(&o, now)
		if o.gone {
			gone = o.problem
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordWithin)
	defer cancel()
	if gone != "" {
		w.log.Error("webhook is disabled: its receiver wants no events any more", "remedy", "change its url, or enable it in the console's API")
		if err := w.d.opts.Outbox.Disable(ctx, w.hook.Name, gone, now); err != nil {
			return err
		}
		w.problem(gone)
	}
	if err := w.d.opts.Outbox.Record(ctx, verdicts, now); err != nil {
		return err
	}
	if w.failures == 0 {
		return nil
	}
	expired, err := w.d.opts.Outbox.Expire(ctx, w.hook.Name, now.Add(-p.MaxAge), now)
	w.d.metrics.deliveries.WithLabelValues(w.hook.Name, "dead").Add(float64(expired))
	return err
}

// learn from an attempt how the receiver fares.
func (w *worker) learn(o *outcome, now time.Time) {
	if o.taken() {
		if !o.skipped {
			w.failures, w.paused = 0, time.Time{}
			w.problem("")
		}
		return
	}
	w.failures++
	w.problem(o.problem)
	if o.ofReceiver() || w.failures > patience {
		pause := max(w.d.opts.Policy.backoff(w.failures, jitter()), o.retryAfter)
		if until := now.Add(pause); until.After(w.paused) {
			w.paused = until
		}
	}
}

func (w *worker) count(o *outcome, v *Verdict) {
	result := "failed"
	switch {
	case o.skipped:
		result = "gone"
	case v.Done:
		result = "delivered"
	case v.Dead:
		result = "dead"
		w.log.Error("webhook gives an event up, it is a dead letter", "conversation", v.Item.Conversation, "seq", v.Item.Seq,
			"attempts", v.Item.Attempts+1, "problem", v.Problem, "remedy", "replay it in the console's API")
	}
	w.d.metrics.deliveries.WithLabelValues(w.hook.Name, result).Inc()
}

// problem notes what is wrong with the webhook, and logs a change.
func (w *worker) problem(words string) {
	if !w.d.setProblem(w.hook.Name, words) {
		return
	}
	if words == "" {
		w.log.Info("webhook delivers")
		return
	}
	w.log.Warn("webhook does not deliver, it is tried again", "problem", words)
}

// measure the outbox, unless that was done within the last while.
func (w *worker) measure(ctx context.Context, now time.Time, while time.Duration) error {
	if now.Sub(w.measured) < while {
		return nil
	}
	states, err := w.d.opts.Outbox.States(ctx)
	if err != nil {
		return err
	}
	w.measured = now
	for i := range states {
		if states[i].Name == w.hook.Name {
			w.d.metrics.set(&states[i], now)
		}
	}
	return nil
}
