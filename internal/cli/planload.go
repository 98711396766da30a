package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/deskfleet/deskfleet/internal/simulation/whatif"
	"github.com/deskfleet/deskfleet/internal/simulation/world"
)

// historyWeeks of usual days that a pool has learned that has served for long, as many as are kept.
const historyWeeks = 8

// medianOfMean is the median of handle times as a part of their mean, as in records of contact centres: many are short, few very long.
const medianOfMean = 0.6

// question puts together what is asked.
func (o *planOptions) question(d *plannedDesk, archived *archivedLoad, now time.Time) (*whatif.Question, error) {
	q := &whatif.Question{
		Draws: o.draws, Seed: o.seed, HandOff: o.handOffShare, Quota: o.quota, Patience: whatif.Exponential(o.patience.Seconds()),
		BotHandle:   whatif.LogNormal(o.handleBot.Seconds(), medianOfMean*o.handleBot.Seconds()),
		HumanHandle: whatif.LogNormal(o.handleHuman.Seconds(), medianOfMean*o.handleHuman.Seconds()),
	}
	var err error
	switch {
	case archived != nil:
		err = archived.ask(o, q, d)
	case o.trace != "":
		err = o.recorded(q, d, now)
	default:
		err = o.typicalDay(q, d, now)
	}
	if err != nil {
		return nil, err
	}
	q.Assumed = append(q.Assumed, fmt.Sprintf("bots have a conversation for %s, people for %s, customers wait for %s on average, where nothing else says it",
		whatif.Spell(o.handleBot), whatif.Spell(o.handleHuman), whatif.Spell(o.patience)))
	end := q.Start.Add(time.Duration(q.Trace.Seconds * float64(time.Second)))
	var assumed []string
	q.Desk, assumed = d.simulated(o, q.Start, end)
	q.Assumed = append(q.Assumed, assumed...)
	return q, nil
}

// day that is simulated: its midnight in the desk's zone.
func (o *planOptions) day(d *plannedDesk, now time.Time) (time.Time, error) {
	if o.start == "" {
		year, month, date := now.In(d.location).Date()
		return time.Date(year, month, date+1, 0, 0, 0, 0, d.location), nil
	}
	day, err := time.ParseInLocation(time.DateOnly, o.start, d.location)
	if err != nil {
		return time.Time{}, &usageError{fmt.Errorf("--start is %q: write a day as 2026-11-11", o.start)}
	}
	return day, nil
}

// typicalDay of a volume, on which come, besides, what the pools' peaks announce.
func (o *planOptions) typicalDay(q *whatif.Question, d *plannedDesk, now time.Time) error {
	midnight, err := o.day(d, now)
	if err != nil {
		return err
	}
	usual, history := whatif.TypicalDay(midnight, o.perDay, historyWeeks)
	end := midnight.AddDate(0, 0, 1)
	counts := whatif.Announced(midnight, 5*time.Minute, usual, d.peaks(midnight, end)...)
	q.Start, q.History = midnight, history
	if q.Trace, err = world.Counts(midnight, 300, counts, true, o.multiplier); err != nil {
		return &usageError{fmt.Errorf("--arrivals-per-day %g: %w", o.perDay, err)}
	}
	q.Assumed = append(q.Assumed,
		fmt.Sprintf("a typical day: %.0f conversations, most about 10:30 and 15:30, few at night, by chance about that%s", o.perDay, o.multiplied()),
		"what peaks announce arrives", fmt.Sprintf("the bots' forecast has seen %d weeks of such days, without the multiplier", historyWeeks))
	return nil
}

func (o *planOptions) multiplied() string {
	if o.multiplier == 1 {
		return ""
	}
	return fmt.Sprintf(", %g times as many", o.multiplier)
}

// recorded is a trace: what is in it arrives, and nothing else.
func (o *planOptions) recorded(q *whatif.Question, d *plannedDesk, now time.Time) error {
	file, err := os.Open(o.trace)
	if err != nil {
		return fmt.Errorf("--trace: %w", err)
	}
	defer file.Close() //nolint:errcheck // it was read
	if q.Trace, err = world.ParseTrace(file, world.Reading{Location: d.location, Scale: o.multiplier}); err != nil {
		return fmt.Errorf("--trace %s: %w", o.trace, err)
	}
	if q.Start = q.Trace.Start; q.Start.IsZero() || o.start != "" {
		if q.Start, err = o.day(d, now); err != nil {
			return err
		}
	}
	q.Assumed = append(q.Assumed, fmt.Sprintf("what is in %s arrives%s; peaks are announced and add nothing to it", filepath.Base(o.trace), o.multiplied()),
		"the bots' forecast has learned nothing before the trace")
	return nil
}
