package scaling_test

import (
	"strings"
	"testing"
	"time"

	"github.com/deskfleet/deskfleet/internal/scaling"
)

func instant(t *testing.T, s string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestOccurrences(t *testing.T) {
	for _, c := range []struct {
		name, start, end, rule, zone string
		except                       []string
		from, to                     string
		want                         string
	}{
		{
			name: "once", start: "2026-11-11T00:00:00+08:00", end: "2026-11-12T00:00:00+08:00",
			from: "2026-11-10T00:00:00Z", to: "2026-11-20T00:00:00Z", want: "2026-11-10T16:00:00Z/24h0m0s",
		},
		{
			name: "each Monday and Thursday but one", start: "2026-11-02T09:00:00+08:00", end: "2026-11-02T11:30:00+08:00",
			rule: "FREQ=WEEKLY;BYDAY=MO,TH", zone: "Asia/Shanghai", except: []string{"2026-11-05"},
			from: "2026-11-01T00:00:00Z", to: "2026-11-13T00:00:00Z",
			want: "2026-11-02T01:00:00Z/2h30m0s 2026-11-09T01:00:00Z/2h30m0s 2026-11-12T01:00:00Z/2h30m0s",
		},
		{
			name: "pay day", start: "2026-01-25T08:00:00+01:00", end: "2026-01-26T00:00:00+01:00",
			rule: "FREQ=MONTHLY", zone: "Europe/Berlin", from: "2026-06-01T00:00:00Z", to: "2026-08-01T00:00:00Z",
			want: "2026-06-25T06:00:00Z/16h0m0s 2026-07-25T06:00:00Z/16h0m0s",
		},
		{
			name: "first Monday of each month", start: "2026-01-05T10:00:00Z", end: "2026-01-05T12:00:00Z",
			rule: "FREQ=MONTHLY;BYDAY=1MO", zone: "UTC", from: "2026-06-01T00:00:00Z", to: "2026-08-01T00:00:00Z",
			want: "2026-06-01T10:00:00Z/2h0m0s 2026-07-06T10:00:00Z/2h0m0s",
		},
		{
			name: "every year", start: "2024-11-29T00:00:00-05:00", end: "2024-12-03T00:00:00-05:00",
			rule: "FREQ=YEARLY;BYMONTH=11;BYDAY=4FR", zone: "America/New_York", from: "2026-01-01T00:00:00Z", to: "2027-01-01T00:00:00Z",
			want: "2026-11-27T05:00:00Z/96h0m0s",
		},
		{
			name: "over midnight", start: "2026-03-01T20:00:00Z", end: "2026-03-02T02:00:00Z",
			rule: "FREQ=DAILY", zone: "UTC", from: "2026-03-05T00:00:00Z", to: "2026-03-05T23:00:00Z",
			want: "2026-03-04T20:00:00Z/6h0m0s 2026-03-05T20:00:00Z/6h0m0s",
		},
		{
			// On 29 March 2026 the hour from 2 to 3 is skipped in Berlin: the start is the instant of the change.
			name: "a start that is skipped", start: "2026-03-22T02:30:00+01:00", end: "2026-03-22T08:00:00+01:00",
			rule: "FREQ=WEEKLY", zone: "Europe/Berlin", from: "2026-03-28T00:00:00Z", to: "2026-03-30T00:00:00Z",
			want: "2026-03-29T01:00:00Z/5h0m0s",
		},
		{
			name: "an end that is skipped", start: "2026-03-21T20:00:00+01:00", end: "2026-03-22T02:30:00+01:00",
			rule: "FREQ=WEEKLY;BYDAY=SA", zone: "Europe/Berlin", from: "2026-03-28T00:00:00Z", to: "2026-03-30T00:00:00Z",
			want: "2026-03-28T19:00:00Z/6h0m0s",
		},
		{
			// On 25 October 2026 the hour from 2 to 3 comes twice: its first time counts.
			name: "an end that comes twice", start: "2026-10-17T20:00:00+02:00", end: "2026-10-18T02:30:00+02:00",
			rule: "FREQ=WEEKLY;BYDAY=SA", zone: "Europe/Berlin", from: "2026-10-24T00:00:00Z", to: "2026-10-26T00:00:00Z",
			want: "2026-10-24T18:00:00Z/6h30m0s",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			list, problems := scaling.Announce([]scaling.Announcement{{
				Peak:       scaling.Peak{Name: "p", Start: instant(t, c.start), End: instant(t, c.end), Multiplier: 2},
				Recurrence: c.rule, TimeZone: c.zone, Except: c.except,
			}})
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			var got []string
			for _, p := range scaling.Occurrences(list, instant(t, c.from), instant(t, c.to)) {
				got = append(got, p.Start.UTC().Format(time.RFC3339)+"/"+p.End.Sub(p.Start).String())
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("got  %s\nwant %s", strings.Join(got, " "), c.want)
			}
		})
	}
}

func TestBadAnnouncements(t *testing.T) {
	good := scaling.Announcement{Peak: scaling.Peak{Name: "p", Start: noon, End: at(3600), Multiplier: 2}}
	for name, c := range map[string]struct {
		change func(*scaling.Announcement)
		want   string
	}{
		"backwards":    {func(a *scaling.Announcement) { a.End = a.Start }, "peaks[0].end: the end of peak p is not after its start; give the first instant after the peak"},
		"two ways":     {func(a *scaling.Announcement) { a.ExpectedArrivals = 5 }, "peaks[0].expectedArrivals: multiplier is set, too; "},
		"cap":          {func(a *scaling.Announcement) { a.Floor, a.Cap = 5, 3 }, "peaks[0].cap: cap 3 is below floor 5; raise the cap or lower the floor"},
		"nothing":      {func(a *scaling.Announcement) { a.Multiplier = 0 }, "peaks[0].name: peak p announces nothing; "},
		"zone":         {func(a *scaling.Announcement) { a.Recurrence, a.TimeZone = "FREQ=DAILY", "Mars" }, `peaks[0].timeZone: "Mars" is no time zone; `},
		"frequency":    {func(a *scaling.Announcement) { a.Recurrence, a.TimeZone = "FREQ=HOURLY", "UTC" }, "peaks[0].recurrence: FREQ=HOURLY is none of"},
		"interval":     {func(a *scaling.Announcement) { a.Recurrence, a.TimeZone = "FREQ=WEEKLY;INTERVAL=2", "UTC" }, "which only FREQ=YEARLY may have"},
		"unknown part": {func(a *scaling.Announcement) { a.Recurrence, a.TimeZone = "FREQ=WEEKLY;BYDAY=XX", "UTC" }, "peaks[0].recurrence: "},
	} {
		a := good
		c.change(&a)
		list, problems := scaling.Announce([]scaling.Announcement{a})
		if len(list) != 0 || len(problems) == 0 || !strings.Contains(problems[0].String(), c.want) {
			t.Errorf("%s: got %v, want %s", name, problems, c.want)
		}
	}
}
