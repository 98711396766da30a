package archive

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/telemetry"
	"github.com/deskfleet/deskfleet/internal/webhook"
)

// Options of the role. Zero values stand for the defaults in brackets.
type Options struct {
	// Name of this archive on the bus, the pod's name [archive].
	Name string
	// Dialer of the bus. Required.
	Dialer bus.Dialer
	// BusMetrics of the connection; nil counts nothing.
	BusMetrics *bus.Metrics
	// Source of the configuration. Required.
	Source runtimeconfig.Source
	// Open the desk's database, such as OpenSQLite, and bring its schema up to date. An error that wraps ErrNotYet
	// is shown by the health, and Open is called again. The role closes the store. Required.
	Open func(context.Context, bus.Subjects) (Store, error)
	// WebhookSecrets is the folder with the secrets of webhooks, see webhook.Options; empty for none.
	WebhookSecrets string
	// WebhookPolicy says how long receivers of webhooks are waited for.
	WebhookPolicy webhook.Policy
	// Logger [slog.Default].
	Logger *slog.Logger
	// Registerer of the role's metrics; nil registers none.
	Registerer prometheus.Registerer
	// Health that the role adds its checks to; nil for none.
	Health *telemetry.Health
	// Beside other roles in one process: what the archive lacks is shown but takes the process out of no service,
	// as customers are served without an archive.
	Beside bool
	// OpenEvery is the pause between two tries to open the database [2 s].
	OpenEvery time.Duration
	// Grace after the last event of an ended conversation before it leaves the log [1 min]: gateways and
	// consoles that are still showing it read it from there.
	Grace time.Duration
	// PurgeEvery is the pause between two looks for what may leave the log, and between two measurements [5 s].
	PurgeEvery time.Duration
	// RetentionEvery is the pause between two looks for what is past its retention [1 h].
	RetentionEvery time.Duration
	// VerifyEvery is the pause between two walks over the whole audit chain [24 h]; the first is at the start.
	VerifyEvery time.Duration
	// BehindAfter is the age of the oldest event that is not stored from which on the archive is behind [1 min]; it
	// has caught up below a sixth of it.
	BehindAfter time.Duration
	// LowShare of the volume that has to be free, 0 to 1 [0.1].
	LowShare float64
	// Volume measures the volume of a folder [statfs].
	Volume func(dir string) (free, total int64, err error)
}

func (o *Options) complete() error {
	if o.Dialer == nil || o.Source == nil || o.Open == nil {
		return errors.New("archive: Dialer, Source and Open are required")
	}
	if o.LowShare < 0 || o.LowShare >= 1 {
		return fmt.Errorf("archive: LowShare %v: use 0 to less than 1", o.LowShare)
	}
	if o.Name == "" {
		o.Name = roleName
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.LowShare == 0 {
		o.LowShare = 0.1
	}
	if o.Volume == nil {
		o.Volume = volume
	}
	for _, d := range []struct {
		value *time.Duration
		usual time.Duration
	}{
		{&o.OpenEvery, 2 * time.Second}, {&o.Grace, time.Minute}, {&o.PurgeEvery, 5 * time.Second},
		{&o.BehindAfter, time.Minute}, {&o.RetentionEvery, time.Hour}, {&o.VerifyEvery, 24 * time.Hour},
	} {
		if *d.value <= 0 {
			*d.value = d.usual
		}
	}
	return nil
}
