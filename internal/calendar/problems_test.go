package calendar

import (
	"fmt"
	"strings"
	"testing"
)

// TestProblems shows what somebody reads who made a slip: where, what, how to mend it.
func TestProblems(t *testing.T) {
	weekly := func(days, p string) Declaration {
		return Declaration{TimeZone: "Asia/Shanghai", OpeningHours: []OpeningHours{hours(strings.Fields(days), p)}}
	}
	holiday := func(h ...Holiday) Declaration { return Declaration{TimeZone: "Asia/Shanghai", Holidays: h} }
	for name, test := range map[string]struct {
		declaration Declaration
		want        string
	}{
		"no zone":            {Declaration{}, `timeZone: "" is no known time zone; write an IANA name such as Asia/Shanghai or Europe/Berlin`},
		"unknown zone":       {Declaration{TimeZone: "Asia/Beijing"}, `timeZone: "Asia/Beijing" is no known time zone; write an IANA name such as Asia/Shanghai or Europe/Berlin`},
		"the machine's zone": {Declaration{TimeZone: "Local"}, `timeZone: "Local" is no known time zone; write an IANA name such as Asia/Shanghai or Europe/Berlin`},
		"short weekday":      {weekly("Mon", "09:00-18:00"), `openingHours[0].days[0]: "Mon" is no weekday; write Monday`},
		"unknown weekday":    {weekly("星期一", "09:00-18:00"), `openingHours[0].days[0]: "星期一" is no weekday; write Monday, Tuesday, Wednesday, Thursday, Friday, Saturday or Sunday`},
		"a weekday twice":    {weekly("Monday Monday", "09:00-18:00"), `openingHours[0].days[1]: "Monday" is there twice; remove one`},
		"no weekday":         {weekly("", "09:00-18:00"), `openingHours[0].days: no weekday is named; write weekdays such as Monday`},
		"no periods":         {weekly("Monday", ""), `openingHours[0].periods: there are no periods; add a period such as 09:00 to 18:00, or remove the entry: a weekday that none names is closed`},
		"no time":            {weekly("Monday", "9:00-18:00"), `openingHours[0].periods[0].from: "9:00" is no time of day; write hours and minutes with two digits each, such as 09:00`},
		"no minutes":         {weekly("Monday", "09:60-18:00"), `openingHours[0].periods[0].from: "09:60" is no time of day; write hours and minutes with two digits each, such as 09:00`},
		"from too late":      {weekly("Monday", "24:00-26:00"), `openingHours[0].periods[0].from: "24:00" is too late; write 00:00 to 23:59`},
		"to too late":        {weekly("Monday", "09:00-48:01"), `openingHours[0].periods[0].to: "48:01" is no time of day; write hours and minutes with two digits each, such as 09:00`},
		"to before from":     {weekly("Monday", "22:00-06:00"), `openingHours[0].periods[0].to: "06:00" is before from, "22:00"; swap them, or write 30:00 for 06:00 of the next day`},
		"to is from":         {weekly("Monday", "00:00-00:00"), `openingHours[0].periods[0].to: "00:00" is the same as from; for the whole day write 00:00 to 24:00; to be closed leave the period out`},
		"longer than a day":  {weekly("Monday", "09:00-33:01"), `openingHours[0].periods[0].to: "09:00" to "33:01" is longer than 24 hours; split it`},
		"overlap":            {weekly("Monday", "12:00-18:00 09:00-12:30"), `openingHours[0].periods[0]: Monday 12:00 to 18:00 overlaps Monday 09:00 to 12:30 of openingHours[0].periods[1]; shorten or merge them`},
		"overlap over midnight and the week": {Declaration{TimeZone: "UTC", OpeningHours: []OpeningHours{hours([]string{"Sunday"}, "20:00-26:00"), hours([]string{"Monday"}, "01:00-03:00")}},
			`openingHours[1].periods[0]: Monday 01:00 to 03:00 overlaps Sunday 20:00 to 26:00 of openingHours[0].periods[0]; shorten or merge them`},
		"no date":               {holiday(Holiday{Date: "2026-02-30"}), `holidays[0].date: "2026-02-30" is no date; write 2026-10-01 for one day, 10-01 for that day of every year`},
		"another form of date":  {holiday(Holiday{Date: "1.10.2026"}), `holidays[0].date: "1.10.2026" is no date; write 2026-10-01 for one day, 10-01 for that day of every year`},
		"a date long past":      {holiday(Holiday{Date: "1949-10-01"}), `holidays[0].date: "1949-10-01" is not in the years 1970 to 2199; remove it`},
		"dates in wrong order":  {holiday(Holiday{Date: "2026-10-07", LastDate: "2026-10-01"}), `holidays[0].lastDate: "2026-10-01" is before date, "2026-10-07"; swap them`},
		"dates of two forms":    {holiday(Holiday{Date: "2026-10-07", LastDate: "10-08"}), `holidays[0].lastDate: "10-08" and date, "2026-10-07", do not go together; write both with the year, or both without`},
		"too long":              {holiday(Holiday{Date: "2026-01-01", LastDate: "2027-01-02"}), `holidays[0].lastDate: "2026-01-01" to "2027-01-02" is longer than 366 days; change openingHours instead`},
		"a holiday twice":       {holiday(Holiday{Date: "10-01"}, Holiday{Date: "10-01", HoursOf: "Monday"}), `holidays[1].date: "10-01" is there twice, also as holidays[0]; remove one`},
		"two kinds of hours":    {holiday(Holiday{Date: "10-01", HoursOf: "Monday", Periods: periods("09:00-10:00")}), `holidays[0].hoursOf: there are both hoursOf and periods; remove one of them`},
		"hours of no weekday":   {holiday(Holiday{Date: "10-01", HoursOf: "monday"}), `holidays[0].hoursOf: "monday" is no weekday; write Monday`},
		"hours and a part":      {holiday(Holiday{Date: "10-01", From: "12:00", HoursOf: "Monday"}), `holidays[0]: periods or hoursOf do not go together with from, to or another timeZone; write one of them`},
		"a part that is none":   {holiday(Holiday{Date: "10-01", From: "12:00", To: "12:00"}), `holidays[0].to: 12:00 is not after from, 12:00; swap them, or write lastDate too`},
		"a part over midnight":  {holiday(Holiday{Date: "10-01", To: "26:00"}), `holidays[0].to: "26:00" is too late; write 00:00 to 24:00`},
		"holiday's zone":        {holiday(Holiday{Date: "10-01", TimeZone: "Mars"}), `holidays[0].timeZone: "Mars" is no known time zone; write an IANA name such as Asia/Shanghai or Europe/Berlin`},
		"holiday's overlap":     {holiday(Holiday{Date: "10-01", Periods: periods("09:00-12:00 11:00-13:00")}), `holidays[0].periods[1]: 11:00 to 13:00 overlaps 09:00 to 12:00 of holidays[0].periods[0]; shorten or merge them`},
		"name with a line":      {holiday(Holiday{Date: "10-01", Name: "a\nb"}), `holidays[0].name: "a\nb" has control characters; write it on one line`},
		"rule without a year":   {holiday(Holiday{Date: "10-01", Rule: "FREQ=YEARLY"}), `holidays[0].date: "10-01" has no year, but there is a rule; write the date of the first time with its year, or remove the rule`},
		"weekly rule":           {holiday(Holiday{Date: "2026-10-01", Rule: "FREQ=WEEKLY"}), `holidays[0].rule: FREQ=WEEKLY is no yearly rule; write FREQ=YEARLY, or the dates one by one; what recurs each week belongs into openingHours`},
		"rule without FREQ":     {holiday(Holiday{Date: "2026-10-01", Rule: "BYMONTH=1"}), `holidays[0].rule: the rule "BYMONTH=1" has no FREQ; begin it with FREQ=YEARLY;`},
		"unsupported part":      {holiday(Holiday{Date: "2026-10-01", Rule: "FREQ=YEARLY;BYWEEKNO=20"}), `holidays[0].rule: the rule's part "BYWEEKNO=20" is not supported; use INTERVAL, COUNT, UNTIL, BYMONTH, BYMONTHDAY, BYDAY and BYSETPOS with FREQ=YEARLY, or write the dates one by one`},
		"part twice":            {holiday(Holiday{Date: "2026-10-01", Rule: "FREQ=YEARLY;COUNT=1;COUNT=2"}), `holidays[0].rule: the rule has COUNT twice; remove one`},
		"COUNT and UNTIL":       {holiday(Holiday{Date: "2026-10-01", Rule: "FREQ=YEARLY;COUNT=1;UNTIL=20301231"}), `holidays[0].rule: the rule has both COUNT and UNTIL; remove one`},
		"month 13":              {holiday(Holiday{Date: "2026-10-01", Rule: "FREQ=YEARLY;BYMONTH=13"}), `holidays[0].rule: BYMONTH=13 is out of range; write numbers from 1 to 12 with commas between them`},
		"weekday of a rule":     {holiday(Holiday{Date: "2026-10-01", Rule: "FREQ=YEARLY;BYDAY=4XX"}), `holidays[0].rule: BYDAY=4XX is no list of weekdays; write weekdays such as MO, 2TU (the second Tuesday) or -1SU (the last Sunday) with commas between them`},
		"end of a rule":         {holiday(Holiday{Date: "2026-10-01", Rule: "FREQ=YEARLY;UNTIL=2030"}), `holidays[0].rule: UNTIL=2030 is no date; write a date such as 20301231`},
		"exception of one day":  {holiday(Holiday{Date: "2026-10-01", Except: []string{"2026-10-01"}}), `holidays[0].except: the holiday does not recur; remove it`},
		"exception of no year":  {holiday(Holiday{Date: "10-01", Except: []string{"10-01"}}), `holidays[0].except[0]: "10-01" is no date; write it with the year, such as 2026-10-01`},
		"a problem of imported": {Declaration{TimeZone: "UTC", Imported: []Holiday{{Date: "x"}}}, `imported[0].date: "x" is no date; write 2026-10-01 for one day, 10-01 for that day of every year`},
		"a rule counted from long ago": {holiday(Holiday{Date: "1601-10-01", Rule: "FREQ=YEARLY;COUNT=600"}),
			`holidays[0].date: "1601-10-01" is too early for a rule with COUNT; begin in 1900 or later`},
	} {
		t.Run(name, func(t *testing.T) {
			c, problems := Compile(test.declaration)
			if c != nil || len(problems) != 1 || problems[0].String() != test.want {
				t.Errorf("calendar %v, got\n%swant\n%s", c != nil, lines(problems), test.want)
			}
		})
	}
}

func TestTooMany(t *testing.T) {
	many := func(n int, h Holiday) []Holiday {
		list := make([]Holiday, n)
		for i := range list {
			list[i] = h
			list[i].Date = formatDay(int64(i))
		}
		return list
	}
	long := strings.Repeat("x", MaxNameLength+1)
	for name, test := range map[string]struct {
		declaration Declaration
		want        string
	}{
		"entries":  {Declaration{OpeningHours: make([]OpeningHours, MaxOpeningHours+1)}, "openingHours: there are 33 entries, 32 are allowed"},
		"periods":  {Declaration{OpeningHours: []OpeningHours{{Days: everyDay, Periods: make([]Period, MaxPeriods+1)}}}, "openingHours[0].periods: there are 25 periods, 24 are allowed"},
		"holidays": {Declaration{Holidays: many(MaxHolidays+1, Holiday{})}, "holidays: there are 2001 holidays, 2000 are allowed"},
		"rules":    {Declaration{Holidays: many(MaxRules+1, Holiday{Rule: "FREQ=YEARLY"})}, "holidays: 101 holidays have a rule, 100 may"},
		"days":     {Declaration{Imported: many(40, Holiday{Rule: "FREQ=YEARLY;BYDAY=MO"})}, "imported[16]: with this one the holidays of all years cover more than 200000 days"},
		"name":     {Declaration{Holidays: many(1, Holiday{Name: long})}, "holidays[0].name: \"" + long[:40] + "…\" has more than 200 characters"},
		"except":   {Declaration{Holidays: []Holiday{{Date: "10-01", Except: make([]string, MaxExcept+1)}}}, "holidays[0].except: there are 401 exceptions, 400 are allowed"},
		"rule":     {Declaration{Holidays: many(1, Holiday{Rule: strings.Repeat("X", MaxRuleLength+1)})}, "holidays[0].rule: the rule has 513 bytes, 512 are allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			test.declaration.TimeZone = "UTC"
			_, problems := Compile(test.declaration)
			if !strings.Contains(lines(problems), test.want) {
				t.Errorf("got\n%swant\n%s", lines(problems), test.want)
			}
		})
	}
	t.Run("problems", func(t *testing.T) {
		_, problems := Compile(Declaration{TimeZone: "UTC", Holidays: make([]Holiday, MaxHolidays)})
		want := fmt.Sprintf("calendar: there are %d more problems; mend those above first", MaxHolidays-maxProblems+1)
		if len(problems) != maxProblems || problems[maxProblems-1].String() != want {
			t.Errorf("%d problems, the last %v, want %s", len(problems), problems[len(problems)-1], want)
		}
	})
}
