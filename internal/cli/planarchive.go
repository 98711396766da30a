package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	archive "github.com/deskfleet/deskfleet/internal/archive/protocol"
	"github.com/deskfleet/deskfleet/internal/console/reader"
	"github.com/deskfleet/deskfleet/internal/simulation/whatif"
	"github.com/deskfleet/deskfleet/internal/web/problem"
)

// parseDays reads 28d.
func parseDays(text string) (int, error) {
	number, found := strings.CutSuffix(text, "d")
	days, err := strconv.Atoi(number)
	most := int(archive.MaxReportRange.Hours() / 24)
	if !found || err != nil || days < 1 || days >= most {
		return 0, fmt.Errorf("%q is no number of days: use 1d to %dd", text, most-1)
	}
	return days, nil
}

// recordedLoad is what the archive of a desk tells of the days before a time.
func (o *planOptions) recordedLoad(cmd *cobra.Command, d *plannedDesk, now time.Time) (*archivedLoad, error) {
	year, month, date := now.In(d.location).Date()
	l := &archivedLoad{}
	l.recorded.To = time.Date(year, month, date, 0, 0, 0, 0, d.location)
	l.recorded.From = l.recorded.To.AddDate(0, 0, -o.days)
	console, stop, err := o.access.open(cmd, d.inCluster(&o.access))
	if err != nil {
		return nil, err
	}
	defer stop()
	return l, l.read(cmd, console)
}

// inCluster is the desk's name, by which a cluster is asked; an address names it already.
func (d *plannedDesk) inCluster(a *consoleAccess) string {
	if a.url != "" {
		return ""
	}
	return d.name
}

// archivedLoad is what came in a time, and how long it took.
type archivedLoad struct {
	recorded whatif.Recorded
	load     archive.Load
}

func (l *archivedLoad) read(cmd *cobra.Command, console *reader.Console) error {
	load, err := loadOf(cmd.Context(), console, l.recorded.From, l.recorded.To)
	if err != nil {
		return fmt.Errorf("--from-archive: %w", err)
	}
	l.load, l.recorded.Counts = *load, load.Arrivals
	trimmed, ok := l.recorded.Trim()
	if !ok {
		return fmt.Errorf("--from-archive: the archive has no conversations that ended from %s to %s: give --arrivals-per-day or --trace",
			l.recorded.From.Format(time.DateOnly), l.recorded.To.Format(time.DateOnly))
	}
	l.recorded = trimmed
	return nil
}

// loadOf asks for the load of whole days. An archive answers within seconds: of a large desk it is asked for a part after the other.
func loadOf(ctx context.Context, console *reader.Console, from, to time.Time) (*archive.Load, error) {
	load := &archive.Load{}
	query := url.Values{"from": {from.Format(time.RFC3339)}, "to": {to.Format(time.RFC3339)}}
	err := console.Get(ctx, "/console/v1/reports/load", query, load)
	days := daysBetween(from, to)
	if p, refused := errors.AsType[*problem.Problem](err); !refused || p.Status != http.StatusConflict || days < 2 {
		return load, err
	}
	middle := from.AddDate(0, 0, days/2)
	first, err := loadOf(ctx, console, from, middle)
	if err != nil {
		return nil, err
	}
	second, err := loadOf(ctx, console, middle, to)
	if err != nil {
		return nil, err
	}
	return first.Plus(second), nil
}

// ask fills in what the archive knows. What was given by hand goes before it.
func (l *archivedLoad) ask(o *planOptions, q *whatif.Question, d *plannedDesk) error {
	days := l.recorded.Weeks()
	if o.start != "" {
		day, err := o.day(d, time.Time{})
		if err != nil {
			return err
		}
		if days = daysBetween(l.recorded.From, day); days%7 != 0 || !day.After(l.recorded.From) {
			return &usageError{fmt.Errorf("--start is %s: what was recorded begins on %s, a %s: use a later %s, such as %s", o.start, l.recorded.From.Format(time.DateOnly),
				l.recorded.From.Weekday(), l.recorded.From.Weekday(), l.recorded.From.AddDate(0, 0, l.recorded.Weeks()).Format(time.DateOnly))}
		}
	}
	start, usual := l.recorded.Moved(days)
	counts := whatif.Announced(start, whatif.Quarter, usual, d.peaks(start, start.Add(time.Duration(len(usual))*whatif.Quarter))...)
	trace, err := whatif.Trace(start, counts, o.multiplier)
	if err != nil {
		return fmt.Errorf("--from-archive: %w", err)
	}
	q.Trace, q.Start, q.History = trace, start, l.recorded.History(days)
	q.Assumed = append(q.Assumed, fmt.Sprintf("the conversations of %s from %s on come again %d days later%s", daysInWords(l.recorded.Days()), l.recorded.From.Format(time.DateOnly), days, o.multiplied()),
		"what peaks announce comes on top", "the bots' forecast has seen the recorded days, without the multiplier")
	l.measured(o, q)
	return nil
}

func daysInWords(n int) string {
	if n == 1 {
		return "1 day"
	}
	return fmt.Sprintf("%d days", n)
}

// daysBetween two midnights.
func daysBetween(from, to time.Time) int { return whatif.Recorded{From: from, To: to}.Days() }

// measured puts what was measured in the place of what is usual.
func (l *archivedLoad) measured(o *planOptions, q *whatif.Question) {
	bots, people := &l.load.Bots, &l.load.People
	say := func(format string, args ...any) { q.Assumed = append(q.Assumed, fmt.Sprintf(format, args...)) }
	if bots.Answered > 0 && !o.changed("handoff") {
		q.HandOff = float64(bots.HandedOff) / float64(bots.Answered)
		say("the archive: %d of %d conversations that bots answered were handed off", bots.HandedOff, bots.Answered)
	}
	if len(bots.HandleQuantilesSeconds) > 1 && !o.changed("handle-bot") {
		q.BotHandle = whatif.Measured(bots.HandleQuantilesSeconds, max(1, bots.HandleMeanSeconds))
		say("the archive: bots had a conversation for %.0f s on average", bots.HandleMeanSeconds)
	}
	if len(people.HandleQuantilesSeconds) > 1 && !o.changed("handle-human") {
		q.HumanHandle = whatif.Measured(people.HandleQuantilesSeconds, max(1, people.HandleMeanSeconds))
		o.wrapUpMeasured = true
		say("the archive: people had a conversation for %.0f s on average, wrap-up included", people.HandleMeanSeconds)
	}
	left, waited := bots.Abandoned+people.Abandoned, bots.WaitedSeconds+people.WaitedSeconds
	if left >= fewestHangUps && !o.changed("patience") {
		q.Patience = whatif.Exponential(max(1, waited/float64(left)))
		say("the archive: %d gave up, %.0f s of waiting for each", left, waited/float64(left))
	}
}

// fewestHangUps from which on patience is measured: of fewer it is a guess, and the usual is a better one.
const fewestHangUps = 20
