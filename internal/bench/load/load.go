package load

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// load is one run.
type load struct {
	Options
	// began is the origin of the times in the messages.
	began time.Time

	tally   tally
	offers  *offers
	started atomic.Int64
	ended   atomic.Int64
}

// Run puts the load on a desk and reports. The error is for what kept the load
// from being put; what the desk did wrong stands in the report.
func Run(ctx context.Context, options Options) (*Report, error) { //nolint:gocritic // options are read once
	if err := options.validate(); err != nil {
		return nil, err
	}
	l := &load{Options: options, began: time.Now(), offers: newOffers()}
	agents, err := l.signOn(ctx)
	if err != nil {
		return nil, err
	}
	defer agents.leave()
	before, err := l.usage()
	if err != nil {
		return nil, err
	}
	idle, err := l.sitIdle(ctx)
	defer idle.leave()
	if err != nil {
		return nil, err
	}
	settled, err := l.usage()
	if err != nil {
		return nil, err
	}
	report := &Report{Agents: len(l.Tokens), Idle: l.Idle}
	report.idleCost(before, settled)

	begin := time.Now()
	stop := l.progress()
	err = l.talk(ctx)
	stop()
	took := time.Since(begin)
	after, usageErr := l.usage()
	if err := errors.Join(err, usageErr, agents.err()); err != nil {
		return nil, err
	}
	l.tally.report(report, took)
	report.roles(settled, after, took)
	return report, nil
}

func (l *load) usage() (map[string]Usage, error) {
	if l.Watch == nil {
		return map[string]Usage{}, nil
	}
	return l.Watch.Sample()
}

// talk begins conversations until the time is over, and waits for the last one to end.
func (l *load) talk(ctx context.Context) error {
	over := time.After(l.Duration)
	places := make(chan struct{}, l.Conversations)
	var pace <-chan time.Time
	if l.Rate > 0 {
		ticker := time.NewTicker(time.Duration(float64(time.Second) / l.Rate))
		defer ticker.Stop()
		pace = ticker.C
	}
	var work sync.WaitGroup
	defer work.Wait()
	for {
		if pace != nil {
			select {
			case <-pace:
			case <-over:
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		select {
		case places <- struct{}{}:
		case <-over:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		number := l.started.Add(1)
		work.Go(func() {
			defer func() { <-places }()
			l.tally.add(l.converse(ctx, number))
			l.ended.Add(1)
		})
	}
}

// progress prints how far the load is, until stop is called.
func (l *load) progress() (stop func()) {
	done := make(chan struct{})
	var work sync.WaitGroup
	work.Go(func() {
		ticker := time.NewTicker(5 * time.Second)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				started, ended := l.started.Load(), l.ended.Load()
				_, _ = fmt.Fprintf(l.Out, "%6.0fs  %d conversations ended, %d are going on\n", time.Since(l.began).Seconds(), ended, started-ended)
			}
		}
	})
	return func() {
		close(done)
		work.Wait()
	}
}
