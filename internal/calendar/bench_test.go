package calendar

import (
	"testing"
	"time"
)

// busyDesk is a calendar as a large shop might have it: two periods a day, fifty holidays, a feed.
func busyDesk(tb testing.TB) *Calendar {
	tb.Helper()
	d := Declaration{TimeZone: "Europe/Berlin", OpeningHours: []OpeningHours{
		hours(workdays, "08:00-12:00 13:00-20:00"), hours([]string{"Saturday"}, "09:00-14:00"),
	}}
	for i := range int64(50) {
		d.Holidays = append(d.Holidays, Holiday{Date: formatDay(dayOf(2026, 1, 3) + 7*i)})
	}
	d.Imported = []Holiday{
		{Date: "12-25", LastDate: "12-26"}, {Date: "2020-11-26", Rule: "FREQ=YEARLY;BYMONTH=11;BYDAY=4TH"},
		{Date: "2000-12-24", From: "13:00", Rule: "FREQ=YEARLY"}, {Date: "2026-07-01", From: "10:00", To: "11:00", TimeZone: "Asia/Shanghai"},
	}
	return mustCompile(tb, d)
}

func BenchmarkIsOpen(b *testing.B) {
	c := busyDesk(b)
	t := time.Date(2026, 10, 23, 15, 4, 5, 0, time.UTC)
	b.ReportAllocs()
	for b.Loop() {
		if !c.IsOpen(t) {
			b.Fatal("closed")
		}
	}
}

func BenchmarkNextOpen(b *testing.B) {
	c := busyDesk(b)
	t := time.Date(2026, 10, 24, 15, 4, 5, 0, time.UTC) // over a weekend and a clock change
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := c.NextOpen(t); !ok {
			b.Fatal("never")
		}
	}
}

// BenchmarkAddOpen is the start of 10,000 SLA clocks, of 15 minutes to 5 working days.
func BenchmarkAddOpen10000(b *testing.B) {
	c := busyDesk(b)
	start := time.Date(2026, 10, 23, 15, 4, 5, 0, time.UTC)
	b.ReportAllocs()
	for b.Loop() {
		for i := range 10_000 {
			if _, ok := c.AddOpen(start.Add(time.Duration(i)*time.Minute), 15*time.Minute+time.Duration(i%220)*15*time.Minute); !ok {
				b.Fatal("never")
			}
		}
	}
}

func BenchmarkOpenBetweenYear(b *testing.B) {
	c := busyDesk(b)
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	b.ReportAllocs()
	for b.Loop() {
		if c.OpenBetween(start, start.AddDate(1, 0, 0)) <= 0 {
			b.Fatal("never")
		}
	}
}

// BenchmarkAddOpenNever is the worst a clock can cost: a desk that does not open any more.
func BenchmarkAddOpenNever(b *testing.B) {
	c := mustCompile(b, Declaration{TimeZone: "Europe/Berlin", Holidays: []Holiday{{Date: "01-01", LastDate: "12-31"}}})
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := c.AddOpen(start, time.Hour); ok {
			b.Fatal("opened")
		}
	}
}

func BenchmarkAt(b *testing.B) {
	c := busyDesk(b)
	t := time.Date(2026, 10, 24, 15, 4, 5, 0, time.UTC)
	b.ReportAllocs()
	for b.Loop() {
		if c.At(t).Open {
			b.Fatal("open")
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		busyDesk(b)
	}
}

// BenchmarkCompileWorst is the costliest calendar within the bounds that was found.
func BenchmarkCompileWorst(b *testing.B) {
	d := Declaration{TimeZone: "Europe/Berlin"}
	for i := range int64(MaxRules) {
		d.Imported = append(d.Imported, Holiday{
			Date: formatDay(dayOf(1900, 1, 1) + i), Rule: "FREQ=YEARLY;COUNT=10000;BYMONTHDAY=30,31,30,31;BYDAY=53MO,53TU,53WE,53TH,53FR,53SA,-53SU;BYSETPOS=2",
		})
	}
	b.ReportAllocs()
	for b.Loop() {
		mustCompile(b, d)
	}
}

func BenchmarkParseICalendar(b *testing.B) {
	var events []string
	for i := range int64(500) {
		events = append(events, "DTSTART;VALUE=DATE:"+civil(dayOf(2020, 1, 1)+5*i).Format("20060102")+"\nSUMMARY:A holiday with a name\nDESCRIPTION:and some\n  more text")
	}
	text := feed(events...)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if holidays, problems := ParseICalendar(text, ImportOptions{}); len(holidays) != 500 || len(problems) > 0 {
			b.Fatal(problems)
		}
	}
}

// The questions that clocks ask all the time make no garbage.
func TestNoAllocation(t *testing.T) {
	c := busyDesk(t)
	at := time.Date(2026, 10, 24, 15, 4, 5, 0, time.UTC)
	for name, ask := range map[string]func(){
		"IsOpen":      func() { c.IsOpen(at) },
		"NextOpen":    func() { c.NextOpen(at) },
		"NextClose":   func() { c.NextClose(at) },
		"OpenBetween": func() { c.OpenBetween(at, at.AddDate(0, 1, 0)) },
		"AddOpen":     func() { c.AddOpen(at, 30*time.Hour) },
		"At":          func() { c.At(at) },
	} {
		if n := testing.AllocsPerRun(100, ask); n > 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}
