package calendar

import (
	"archive/zip"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// zoneNames are all zones of the database that Go ships, which is the one that binaries embed.
var zoneNames = sync.OnceValues(func() ([]string, error) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, err
	}
	archive, err := zip.OpenReader(filepath.Join(strings.TrimSpace(string(root)), "lib", "time", "zoneinfo.zip"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = archive.Close() }()
	var names []string
	for _, f := range archive.File {
		if !f.FileInfo().IsDir() {
			names = append(names, f.Name)
		}
	}
	return names, nil
})

func allZones(tb testing.TB) []string {
	tb.Helper()
	names, err := zoneNames()
	if err != nil {
		tb.Skipf("Go's zone database is not here: %v", err)
	}
	if len(names) < 400 {
		tb.Fatalf("only %d zones", len(names))
	}
	return names
}

// changes gives the instants at which the offset of a zone changes, found without the table under
// test: by quarters of a day, then by bisection.
func changes(location *time.Location, from, to int) []int64 {
	offset := func(unix int64) int { _, o := time.Unix(unix, 0).In(location).Zone(); return o }
	var found []int64
	const step = 6 * secondsPerHour
	start, end := time.Date(from, 1, 1, 0, 0, 0, 0, time.UTC).Unix(), time.Date(to, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	before := offset(start)
	for at := start; at < end; at += step {
		after := offset(at + step)
		if after == before {
			continue
		}
		low, high := at, at+step
		for high-low > 1 {
			if middle := (low + high) / 2; offset(middle) == before {
				low = middle
			} else {
				high = middle
			}
		}
		found = append(found, high)
		before = after
	}
	return found
}

// wall is the clock on the wall as people see it, for the walk that everything is compared with: local
// time of the time package, which never goes back but waits until the hour has passed again.
type wall struct {
	location *time.Location
	shown    int64
}

func (w *wall) at(unix int64) int64 {
	t := time.Unix(unix, 0).In(w.location)
	_, offset := t.Zone()
	w.shown = max(w.shown, unix+int64(offset))
	return w.shown
}

// openOnWall looks a local time up in a declaration without holidays, by the letter of the
// documentation.
func openOnWall(tb fataler, d *Declaration, local int64) bool {
	t := time.Unix(local, 0).UTC()
	minute := int64(t.Hour()*60+t.Minute())*secondsPerMinute + int64(t.Second())
	for back := range int64(2) {
		weekday := t.AddDate(0, 0, -int(back)).Weekday().String()
		for _, h := range d.OpeningHours {
			if !slices.Contains(h.Days, weekday) {
				continue
			}
			for _, p := range h.Periods {
				from, ok := parseClock(p.From)
				to, good := parseClock(p.To)
				if !ok || !good {
					tb.Fatalf("bad period %v", p)
				}
				if now := minute + back*secondsPerDay; from <= now && now < to {
					return true
				}
			}
		}
	}
	return false
}

type fataler interface{ Fatalf(string, ...any) }

// TestZoneTable compares the table of clock changes of every zone with the time package.
func TestZoneTable(t *testing.T) {
	// Those with odd histories are looked at from the first year on.
	odd := []string{"Africa/Monrovia", "Africa/Casablanca", "America/Caracas", "America/St_Johns", "Antarctica/Troll", "Asia/Gaza",
		"Asia/Pyongyang", "Asia/Shanghai", "Australia/Lord_Howe", "Europe/Dublin", "Pacific/Apia", "Pacific/Kwajalein"}
	for _, name := range allZones(t) {
		location, ok := loadZone(name)
		if !ok {
			t.Fatal(name)
		}
		z := newZone(location)
		from, to := 2022, 2034
		if slices.Contains(odd, name) {
			from, to = FirstYear, 2100
		}
		for _, at := range append(changes(location, from, to), 0, 1<<32, lastDay*secondsPerDay) {
			for _, unix := range []int64{at - 1, at, at + 1} {
				_, want := time.Unix(unix, 0).In(location).Zone()
				if got := z.offsetAt(unix); got != int64(want) {
					t.Fatalf("%s at %d: offset %d, want %d", name, unix, got, want)
				}
			}
			checkFirstInstant(t, z, at)
		}
	}
}

// checkFirstInstant holds the instants of local times around a clock change against their definition:
// the first at which the clock shows that time or a later one, whatever the hint.
func checkFirstInstant(t *testing.T, z *zone, change int64) {
	t.Helper()
	local := change + z.offsetAt(change)
	for by := int64(-3 * secondsPerHour); by <= 3*secondsPerHour; by += 10 * secondsPerMinute {
		first, last := 0, len(z.segments)-1
		unix := z.instant(local+by, &first)
		if other := z.instant(local+by, &last); other != unix || first != last || z.hintFor(local+by) != first {
			t.Fatalf("instant %d or %d of local %d", unix, other, local+by)
		}
		if shown := unix + z.offsetAt(unix); shown < local+by {
			t.Fatalf("at %d the clock shows %d, not yet %d", unix, shown, local+by)
		}
		for _, before := range []int64{1, 30 * secondsPerMinute, secondsPerHour, 3 * secondsPerHour} {
			if shown := unix - before + z.offsetAt(unix-before); shown >= local+by {
				t.Fatalf("at %d the clock shows %d already, which is not before %d", unix-before, shown, local+by)
			}
		}
	}
}

// TestEveryChange walks around each clock change of each zone and compares with the wall.
func TestEveryChange(t *testing.T) {
	from, to := 2024, 2031
	declarations := []Declaration{
		{OpeningHours: []OpeningHours{hours(everyDay, "00:00-02:30 02:30-03:00 09:00-12:00")}},
		{OpeningHours: []OpeningHours{hours(everyDay, "01:45-02:15 22:30-25:30")}},
	}
	total := 0
	for _, name := range allZones(t) {
		location, _ := loadZone(name)
		found := changes(location, from, to)
		if len(found) == 0 {
			continue
		}
		for _, d := range declarations {
			d.TimeZone = name
			c := mustCompile(t, d)
			for _, change := range found {
				total++
				w := wall{location: location}
				for unix := change - 5*secondsPerHour; unix < change+5*secondsPerHour; unix += 15 * secondsPerMinute {
					if got, want := c.IsOpen(time.Unix(unix, 0)), openOnWall(t, &d, w.at(unix)); got != want {
						t.Fatalf("%s %v: open %v, want %v, of %v", name, time.Unix(unix, 0).In(location), got, want, d.OpeningHours)
					}
				}
			}
		}
	}
	if total < 1000 {
		t.Errorf("only %d changes were looked at", total)
	}
}

// drawHours draws weekly opening hours that Compile accepts.
func drawHours(t *rapid.T) []OpeningHours {
	var list []OpeningHours
	for _, day := range everyDay {
		// Quarters of an hour in order, two for each period.
		marks := rapid.SliceOfNDistinct(rapid.IntRange(0, 95), 0, 6, rapid.ID[int]).Draw(t, day)
		slices.Sort(marks)
		h := OpeningHours{Days: []string{day}}
		for i := 0; i+1 < len(marks); i += 2 {
			h.Periods = append(h.Periods, Period{From: formatClock(int64(marks[i]) * 900), To: formatClock(int64(marks[i+1]) * 900)})
			if i+2 < len(marks) && rapid.Bool().Draw(t, "touch") {
				h.Periods[len(h.Periods)-1].To = formatClock(int64(marks[i+2]) * 900)
			}
		}
		if len(h.Periods) > 0 {
			list = append(list, h)
		}
	}
	if len(list) == 0 {
		list = append(list, hours([]string{"Sunday"}, "22:00-26:00"))
	}
	return list
}

// drawPlace draws a zone and a change of its clock, if it has one.
func drawPlace(t *rapid.T, names []string) (*time.Location, int64) {
	location, ok := loadZone(rapid.SampledFrom(names).Draw(t, "zone"))
	if !ok {
		t.Fatalf("no zone")
	}
	from := rapid.IntRange(FirstYear+1, 2050).Draw(t, "year")
	found := changes(location, from, from+2)
	if len(found) == 0 {
		found = []int64{time.Date(from, 1, 1, 0, 0, 0, 0, time.UTC).Unix()}
	}
	return location, rapid.SampledFrom(found).Draw(t, "change")
}

// TestWalkProperty compares the answers around a change of any zone with a walk in half minutes (some
// offsets have odd seconds).
func TestWalkProperty(t *testing.T) {
	names := allZones(t)
	rapid.Check(t, func(t *rapid.T) {
		location, change := drawPlace(t, names)
		d := Declaration{TimeZone: location.String(), OpeningHours: drawHours(t)}
		c, problems := Compile(d)
		if len(problems) > 0 {
			t.Fatalf("%v", problems)
		}
		const step, reach = 30, 30 * secondsPerHour
		w := wall{location: location}
		w.at(change - reach - secondsPerDay)
		var walked time.Duration
		lastOpen, first := false, true
		for unix := change - reach; unix < change+reach; unix += step {
			now := time.Unix(unix, 0)
			want := openOnWall(t, &d, w.at(unix))
			if got := c.IsOpen(now); got != want {
				t.Fatalf("%v: open %v, want %v, %v", now.In(location), got, want, d.OpeningHours)
			}
			if want != lastOpen && !first {
				before := now.Add(-step * time.Second)
				if next, ok := c.NextOpen(before); want && (!ok || !next.Equal(now)) {
					t.Fatalf("NextOpen(%v) = %v, want %v", before, next, now)
				}
				if next, ok := c.NextClose(before); !want && (!ok || !next.Equal(now)) {
					t.Fatalf("NextClose(%v) = %v, want %v", before, next, now)
				}
			}
			if want {
				walked += step * time.Second
			}
			lastOpen, first = want, false
		}
		if got := c.OpenBetween(time.Unix(change-reach, 0), time.Unix(change+reach, 0)); got != walked {
			t.Fatalf("OpenBetween %v, walked %v", got, walked)
		}
	})
}

func drawHolidays(t *rapid.T, around int64) []Holiday {
	var list []Holiday
	seen := map[string]bool{}
	for range rapid.IntRange(0, 6).Draw(t, "holidays") {
		day := floorDiv(around, secondsPerDay) + int64(rapid.IntRange(-20, 20).Draw(t, "day"))
		h := Holiday{Date: formatDay(day)}
		if rapid.Bool().Draw(t, "yearly") {
			h.Date = h.Date[len("2026-"):]
		} else {
			h.LastDate = formatDay(day + int64(rapid.IntRange(0, 3).Draw(t, "more")))
		}
		switch rapid.IntRange(0, 4).Draw(t, "kind") {
		case 0:
			h.Periods = periods("10:00-12:00 13:00-25:00")
		case 1:
			h.HoursOf = "Monday"
		case 2:
			h.From = "11:00"
		case 3:
			h.From, h.To, h.TimeZone = "01:30", "02:15", "America/New_York"
		}
		if key := h.Date + h.LastDate; !seen[key] {
			list = append(list, h)
			seen[key] = true
		}
	}
	return list
}

// TestQueriesAgree holds the questions against each other on calendars with holidays.
func TestQueriesAgree(t *testing.T) {
	names := allZones(t)
	rapid.Check(t, func(t *rapid.T) {
		location, change := drawPlace(t, names)
		c, problems := Compile(Declaration{
			TimeZone: location.String(), OpeningHours: drawHours(t), Holidays: drawHolidays(t, change), Imported: drawHolidays(t, change),
		})
		if len(problems) > 0 {
			t.Fatalf("%v", problems)
		}
		instant := func(label string) time.Time {
			return time.Unix(change+rapid.Int64Range(-40*secondsPerDay, 40*secondsPerDay).Draw(t, label), rapid.Int64Range(0, 999_999_999).Draw(t, label+" nanoseconds"))
		}
		a, b, d := instant("a"), instant("b"), time.Duration(rapid.Int64Range(1, int64(60*time.Hour)).Draw(t, "d"))
		if b.Before(a) {
			a, b = b, a
		}
		checkOpenTime(t, c, a, b, d)
		checkNext(t, c, a)
	})
}

func checkOpenTime(t *rapid.T, c *Calendar, a, b time.Time, d time.Duration) {
	whole := c.OpenBetween(a, b)
	if whole < 0 || whole > b.Sub(a) || c.OpenBetween(b, a) != 0 && !a.Equal(b) {
		t.Fatalf("%v open from %v to %v", whole, a, b)
	}
	middle := a.Add(b.Sub(a) / 3)
	if parts := c.OpenBetween(a, middle) + c.OpenBetween(middle, b); parts != whole {
		t.Fatalf("%v open in parts, %v in one", parts, whole)
	}
	var sum time.Duration
	last := a
	for i := range c.Intervals(a, b) {
		if sum += i.End.Sub(i.Start); !i.Start.Before(i.End) || i.Start.Before(last) || i.Start.Equal(last) && !last.Equal(a) || i.End.After(b) {
			t.Fatalf("interval %v after %v", i, last)
		}
		if !c.IsOpen(i.Start) || i.End.Before(b) && c.IsOpen(i.End) || !c.IsOpen(i.End.Add(-1)) {
			t.Fatalf("interval %v is not what IsOpen says", i)
		}
		last = i.End
	}
	if sum != whole {
		t.Fatalf("intervals of %v, open %v", sum, whole)
	}
	end, ok := c.AddOpen(a, d)
	if !ok {
		return
	}
	if got := c.OpenBetween(a, end); got != d {
		t.Fatalf("AddOpen(%v, %v) = %v, between them %v", a, d, end, got)
	}
	if got := c.OpenBetween(a, end.Add(-1)); got != d-1 {
		t.Fatalf("AddOpen(%v, %v) = %v is not the first instant", a, d, end)
	}
	if later, ok := c.AddOpen(a, d+time.Minute); ok && !later.After(end) {
		t.Fatalf("AddOpen is not monotone: %v, then %v", end, later)
	}
	if later, ok := c.AddOpen(a.Add(time.Hour), d); ok && later.Before(end) {
		t.Fatalf("AddOpen is not monotone in t: %v, then %v", end, later)
	}
}

func checkNext(t *rapid.T, c *Calendar, a time.Time) {
	next, ok := c.NextOpen(a)
	if ok && (!c.IsOpen(next) || next.Before(a) || c.OpenBetween(a, next) != 0 || c.IsOpen(a) != next.Equal(a)) {
		t.Fatalf("NextOpen(%v) = %v", a, next)
	}
	end, closes := c.NextClose(a)
	if closes && (c.IsOpen(end) || end.Before(a) || c.OpenBetween(a, end) != end.Sub(a) || c.IsOpen(a) == end.Equal(a)) {
		t.Fatalf("NextClose(%v) = %v", a, end)
	}
	state := c.At(a)
	switch {
	case state.Open != c.IsOpen(a):
		t.Fatalf("At(%v) = %+v", a, state)
	case state.Open && closes && !state.Until.Equal(end), !state.Open && ok && !state.Until.Equal(next):
		t.Fatalf("At(%v) = %+v, NextOpen %v, NextClose %v", a, state, next, end)
	case state.Open == (state.Period == Period{}), c.Describe(a) == "":
		t.Fatalf("At(%v) = %+v: %s", a, state, c.Describe(a))
	}
}
