package calendar

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func mustCompile(tb testing.TB, d Declaration) *Calendar {
	tb.Helper()
	c, problems := Compile(d)
	if len(problems) > 0 {
		tb.Fatalf("unexpected problems:\n%s", lines(problems))
	}
	return c
}

func lines(problems []Problem) string {
	var b strings.Builder
	for _, p := range problems {
		fmt.Fprintln(&b, p)
	}
	return b.String()
}

var (
	everyDay = weekdayNames[:]
	workdays = []string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday"}
)

// hours makes opening hours of "09:00-12:00 13:00-18:00".
func hours(days []string, periods string) OpeningHours {
	h := OpeningHours{Days: days}
	for p := range strings.FieldsSeq(periods) {
		from, to, _ := strings.Cut(p, "-")
		h.Periods = append(h.Periods, Period{From: from, To: to})
	}
	return h
}

func periods(s string) []Period { return hours(nil, s).Periods }

// at reads a local time of a calendar, which comes once, or a time with its offset.
func at(tb testing.TB, c *Calendar, s string) time.Time {
	tb.Helper()
	if t, err := time.Parse("2006-01-02 15:04 -07:00", s); err == nil {
		return t.In(c.location)
	}
	t, err := time.ParseInLocation("2006-01-02 15:04", s, c.location)
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

// open lists the open intervals of some days in local time.
func open(tb testing.TB, c *Calendar, from, to string) []string {
	tb.Helper()
	var found []string
	for i := range c.Intervals(at(tb, c, from+" 00:00"), at(tb, c, to+" 00:00")) {
		found = append(found, i.Start.Format("Mon 02 15:04 -07:00")+" + "+i.End.Sub(i.Start).String())
	}
	return found
}

func TestOpenIntervals(t *testing.T) {
	desk := func(zone string, opening ...OpeningHours) Declaration {
		return Declaration{TimeZone: zone, OpeningHours: opening}
	}
	shanghai := desk("Asia/Shanghai", hours(workdays, "09:00-12:00 13:00-18:00"))
	holidays := func(list ...Holiday) Declaration {
		d := shanghai
		d.Holidays = list
		return d
	}
	night := desk("Asia/Shanghai", hours([]string{"Friday"}, "22:00-30:00"))
	nightHoliday := func(h Holiday) Declaration {
		d := night
		d.Holidays = []Holiday{h}
		return d
	}
	for name, test := range map[string]struct {
		declaration Declaration
		from, to    string
		want        []string
	}{
		"a lunch break, and the weekend, I-19": {shanghai, "2026-10-16", "2026-10-20", []string{
			"Fri 16 09:00 +08:00 + 3h0m0s", "Fri 16 13:00 +08:00 + 5h0m0s", "Mon 19 09:00 +08:00 + 3h0m0s", "Mon 19 13:00 +08:00 + 5h0m0s",
		}},
		"round the clock is one interval": {desk("Asia/Shanghai"), "2026-10-16", "2026-10-19", []string{"Fri 16 00:00 +08:00 + 72h0m0s"}},
		"periods that touch are one": {desk("Asia/Shanghai", hours([]string{"Friday"}, "20:00-24:00"), hours([]string{"Saturday"}, "04:00-06:00 00:00-04:00")),
			"2026-10-16", "2026-10-19", []string{"Fri 16 20:00 +08:00 + 10h0m0s"}},
		"a period over midnight":                  {night, "2026-10-16", "2026-10-19", []string{"Fri 16 22:00 +08:00 + 8h0m0s"}},
		"a period over midnight, from the middle": {night, "2026-10-17", "2026-10-19", []string{"Sat 17 00:00 +08:00 + 6h0m0s"}},
		"what runs into a holiday ends at midnight": {nightHoliday(Holiday{Date: "2026-10-17"}), "2026-10-16", "2026-10-19",
			[]string{"Fri 16 22:00 +08:00 + 2h0m0s"}},
		"what begins on a holiday does not":                {nightHoliday(Holiday{Date: "2026-10-16"}), "2026-10-16", "2026-10-19", nil},
		"what runs into a worked Saturday goes on":         {nightHoliday(Holiday{Date: "2026-10-17", HoursOf: "Monday"}), "2026-10-16", "2026-10-19", []string{"Fri 16 22:00 +08:00 + 8h0m0s"}},
		"a period over midnight of a holiday's own":        {nightHoliday(Holiday{Date: "2026-10-17", Periods: periods("20:00-26:00")}), "2026-10-17", "2026-10-19", []string{"Sat 17 20:00 +08:00 + 6h0m0s"}},
		"a holiday's own hours end before the next":        {nightHoliday(Holiday{Date: "2026-10-17", LastDate: "2026-10-18", Periods: periods("20:00-26:00")}), "2026-10-17", "2026-10-19", []string{"Sat 17 20:00 +08:00 + 4h0m0s", "Sun 18 20:00 +08:00 + 4h0m0s"}},
		"golden week and its working Saturday":             {holidays(Holiday{Date: "2026-10-01", LastDate: "2026-10-07"}, Holiday{Date: "2026-10-10", HoursOf: "Monday"}), "2026-10-01", "2026-10-12", []string{"Thu 08 09:00 +08:00 + 3h0m0s", "Thu 08 13:00 +08:00 + 5h0m0s", "Fri 09 09:00 +08:00 + 3h0m0s", "Fri 09 13:00 +08:00 + 5h0m0s", "Sat 10 09:00 +08:00 + 3h0m0s", "Sat 10 13:00 +08:00 + 5h0m0s"}},
		"half a day by hours":                              {holidays(Holiday{Date: "12-24", Periods: periods("10:00-14:00")}), "2026-12-24", "2026-12-25", []string{"Thu 24 10:00 +08:00 + 4h0m0s"}},
		"half a day by closing":                            {holidays(Holiday{Date: "12-24", From: "14:00"}), "2026-12-24", "2026-12-25", []string{"Thu 24 09:00 +08:00 + 3h0m0s", "Thu 24 13:00 +08:00 + 1h0m0s"}},
		"some hours of a day":                              {holidays(Holiday{Date: "2026-12-24", From: "10:00", To: "11:30"}), "2026-12-24", "2026-12-25", []string{"Thu 24 09:00 +08:00 + 1h0m0s", "Thu 24 11:30 +08:00 + 30m0s", "Thu 24 13:00 +08:00 + 5h0m0s"}},
		"closed from an evening to a noon":                 {holidays(Holiday{Date: "2026-12-24", LastDate: "2026-12-25", From: "17:00", To: "12:00"}), "2026-12-24", "2026-12-26", []string{"Thu 24 09:00 +08:00 + 3h0m0s", "Thu 24 13:00 +08:00 + 4h0m0s", "Fri 25 13:00 +08:00 + 5h0m0s"}},
		"closures that overlap":                            {holidays(Holiday{Date: "2026-12-24", From: "10:00", To: "14:00"}, Holiday{Date: "2026-12-24", From: "11:00", To: "15:00"}), "2026-12-24", "2026-12-25", []string{"Thu 24 09:00 +08:00 + 1h0m0s", "Thu 24 15:00 +08:00 + 3h0m0s"}},
		"a closure in the time of another zone":            {holidays(Holiday{Date: "2026-12-24", From: "02:00", To: "03:00", TimeZone: "UTC"}), "2026-12-24", "2026-12-25", []string{"Thu 24 09:00 +08:00 + 1h0m0s", "Thu 24 11:00 +08:00 + 1h0m0s", "Thu 24 13:00 +08:00 + 5h0m0s"}},
		"a whole day in another zone":                      {holidays(Holiday{Date: "2026-12-24", TimeZone: "UTC"}), "2026-12-24", "2026-12-26", []string{"Fri 25 09:00 +08:00 + 3h0m0s", "Fri 25 13:00 +08:00 + 5h0m0s"}},
		"a year's date beats every year's":                 {holidays(Holiday{Date: "12-24"}, Holiday{Date: "2026-12-24", Periods: periods("09:00-10:00")}), "2026-12-24", "2026-12-25", []string{"Thu 24 09:00 +08:00 + 1h0m0s"}},
		"the shorter beats the longer":                     {holidays(Holiday{Date: "2026-12-21", LastDate: "2026-12-31"}, Holiday{Date: "2026-12-24", Periods: periods("09:00-10:00")}), "2026-12-23", "2026-12-26", []string{"Thu 24 09:00 +08:00 + 1h0m0s"}},
		"yearly days over the new year":                    {holidays(Holiday{Date: "12-24", LastDate: "01-04"}), "2026-12-23", "2027-01-06", []string{"Wed 23 09:00 +08:00 + 3h0m0s", "Wed 23 13:00 +08:00 + 5h0m0s", "Tue 05 09:00 +08:00 + 3h0m0s", "Tue 05 13:00 +08:00 + 5h0m0s"}},
		"29 February in a leap year":                       {holidays(Holiday{Date: "02-29"}), "2028-02-29", "2028-03-01", nil},
		"29 February in another year":                      {holidays(Holiday{Date: "02-29"}), "2027-03-01", "2027-03-02", []string{"Mon 01 09:00 +08:00 + 3h0m0s", "Mon 01 13:00 +08:00 + 5h0m0s"}},
		"from 29 February on, in another year":             {holidays(Holiday{Date: "02-29", LastDate: "03-01"}), "2027-02-26", "2027-03-02", []string{"Fri 26 09:00 +08:00 + 3h0m0s", "Fri 26 13:00 +08:00 + 5h0m0s"}},
		"until 29 February, in another year":               {holidays(Holiday{Date: "02-26", LastDate: "02-29"}), "2027-02-26", "2027-03-02", []string{"Mon 01 09:00 +08:00 + 3h0m0s", "Mon 01 13:00 +08:00 + 5h0m0s"}},
		"the fourth Thursday of November":                  {holidays(Holiday{Date: "2020-11-26", Rule: "FREQ=YEARLY;BYMONTH=11;BYDAY=4TH"}), "2026-11-26", "2026-11-27", nil},
		"a yearly exception":                               {holidays(Holiday{Date: "12-24", Except: []string{"2026-12-24"}}), "2026-12-24", "2026-12-25", []string{"Thu 24 09:00 +08:00 + 3h0m0s", "Thu 24 13:00 +08:00 + 5h0m0s"}},
		"New York, spring: 02:30 is 03:00":                 {desk("America/New_York", hours([]string{"Sunday"}, "01:00-02:30 02:30-04:00 23:00-24:00")), "2026-03-08", "2026-03-09", []string{"Sun 08 01:00 -05:00 + 2h0m0s", "Sun 08 23:00 -04:00 + 1h0m0s"}},
		"New York, spring: nothing within the gap":         {desk("America/New_York", hours([]string{"Sunday"}, "02:10-02:50")), "2026-03-08", "2026-03-09", nil},
		"New York, autumn: 01:30 is the first":             {desk("America/New_York", hours([]string{"Sunday"}, "01:30-04:00")), "2026-11-01", "2026-11-02", []string{"Sun 01 01:30 -04:00 + 3h30m0s"}},
		"New York, autumn: closes once":                    {desk("America/New_York", hours([]string{"Sunday"}, "00:00-01:30")), "2026-11-01", "2026-11-02", []string{"Sun 01 00:00 -04:00 + 1h30m0s"}},
		"New York, autumn: the night has an hour more":     {desk("America/New_York", hours([]string{"Saturday"}, "22:00-30:00")), "2026-10-31", "2026-11-02", []string{"Sat 31 22:00 -04:00 + 9h0m0s"}},
		"Berlin, spring: a day of 23 hours":                {desk("Europe/Berlin", hours([]string{"Sunday"}, "00:00-24:00")), "2026-03-28", "2026-03-31", []string{"Sun 29 00:00 +01:00 + 23h0m0s"}},
		"Berlin, autumn: a day of 25 hours":                {desk("Europe/Berlin", hours([]string{"Sunday"}, "00:00-24:00")), "2026-10-24", "2026-10-27", []string{"Sun 25 00:00 +02:00 + 25h0m0s"}},
		"Berlin, autumn: the hour that repeats":            {desk("Europe/Berlin", hours([]string{"Sunday"}, "02:00-03:00")), "2026-10-24", "2026-10-27", []string{"Sun 25 02:00 +02:00 + 2h0m0s"}},
		"Berlin, autumn: within the hour that repeats":     {desk("Europe/Berlin", hours([]string{"Sunday"}, "02:15-02:45")), "2026-10-24", "2026-10-27", []string{"Sun 25 02:15 +02:00 + 30m0s"}},
		"Lord Howe, spring: half an hour is left out":      {desk("Australia/Lord_Howe", hours([]string{"Sunday"}, "01:45-02:15 02:15-02:45")), "2026-10-04", "2026-10-05", []string{"Sun 04 01:45 +10:30 + 30m0s"}},
		"Lord Howe, autumn: half an hour repeats":          {desk("Australia/Lord_Howe", hours([]string{"Sunday"}, "01:00-03:00")), "2026-04-05", "2026-04-06", []string{"Sun 05 01:00 +11:00 + 2h30m0s"}},
		"Casablanca, the month of fasting":                 {desk("Africa/Casablanca", hours(everyDay, "02:30-05:00")), "2026-02-15", "2026-02-17", []string{"Sun 15 02:30 +01:00 + 3h30m0s", "Mon 16 02:30 +00:00 + 2h30m0s"}},
		"Apia leaves 30 December out":                      {desk("Pacific/Apia", hours(everyDay, "09:00-17:00")), "2011-12-29", "2012-01-01", []string{"Thu 29 09:00 -10:00 + 8h0m0s", "Sat 31 09:00 +14:00 + 8h0m0s"}},
		"Apia round the clock":                             {desk("Pacific/Apia", hours(everyDay, "00:00-24:00")), "2011-12-29", "2012-01-01", []string{"Thu 29 00:00 -10:00 + 48h0m0s"}},
		"Santiago, spring: the day begins at 01:00":        {desk("America/Santiago", hours([]string{"Sunday"}, "00:00-02:00")), "2026-09-05", "2026-09-07", []string{"Sun 06 01:00 -03:00 + 1h0m0s"}},
		"Santiago, autumn: the last hour of a day repeats": {desk("America/Santiago", hours([]string{"Saturday"}, "22:00-24:00"), hours([]string{"Sunday"}, "00:30-01:00")), "2026-04-04", "2026-04-06", []string{"Sat 04 22:00 -03:00 + 3h0m0s", "Sun 05 00:30 -04:00 + 30m0s"}},
		"St John's: a day begins before the one before ends": {desk("America/St_Johns", hours([]string{"Saturday"}, "23:30-24:00"), hours([]string{"Sunday"}, "00:00-00:30")), "2010-11-06", "2010-11-08",
			[]string{"Sat 06 23:30 -02:30 + 2h0m0s"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, open(t, mustCompile(t, test.declaration), test.from, test.to)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
