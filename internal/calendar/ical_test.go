package calendar

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// feed wraps events, each given by its lines, in a calendar.
func feed(events ...string) string {
	var b strings.Builder
	b.WriteString("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\n")
	for _, e := range events {
		b.WriteString("BEGIN:VEVENT\r\n" + strings.ReplaceAll(e, "\n", "\r\n") + "\r\nEND:VEVENT\r\n")
	}
	return b.String() + "END:VCALENDAR\r\n"
}

func TestParseICalendar(t *testing.T) {
	for name, test := range map[string]struct {
		events []string
		want   []Holiday
	}{
		"a day":                              {[]string{"DTSTART;VALUE=DATE:20261001\nDTEND;VALUE=DATE:20261002\nSUMMARY:National Day"}, []Holiday{{Name: "National Day", Date: "2026-10-01"}}},
		"a week":                             {[]string{"DTSTART;VALUE=DATE:20261001\nDTEND;VALUE=DATE:20261008\nSUMMARY:国庆节"}, []Holiday{{Name: "国庆节", Date: "2026-10-01", LastDate: "2026-10-07"}}},
		"without an end":                     {[]string{"DTSTART;VALUE=DATE:20261001"}, []Holiday{{Date: "2026-10-01"}}},
		"the end on the same day":            {[]string{"DTSTART;VALUE=DATE:20261001\nDTEND;VALUE=DATE:20261001"}, []Holiday{{Date: "2026-10-01"}}},
		"no VALUE, a duration":               {[]string{"DTSTART:20261001\nDURATION:P2D"}, []Holiday{{Date: "2026-10-01", LastDate: "2026-10-02"}}},
		"a week's duration":                  {[]string{"DTSTART:20261001\nDURATION:P1W"}, []Holiday{{Date: "2026-10-01", LastDate: "2026-10-07"}}},
		"midnight to midnight":               {[]string{"DTSTART;TZID=Asia/Shanghai:20261001T000000\nDTEND;TZID=Asia/Shanghai:20261008T000000"}, []Holiday{{Date: "2026-10-01", LastDate: "2026-10-07", TimeZone: "Asia/Shanghai"}}},
		"a minute before midnight":           {[]string{"DTSTART:20261001T000000\nDTEND:20261001T235959"}, []Holiday{{Date: "2026-10-01"}}},
		"an afternoon":                       {[]string{"DTSTART;TZID=\"Europe/Berlin\":20261224T140030\nDTEND;TZID=Europe/Berlin:20261224T180030"}, []Holiday{{Date: "2026-12-24", From: "14:00", To: "18:01", TimeZone: "Europe/Berlin"}}},
		"an end in another zone":             {[]string{"DTSTART;TZID=Europe/Berlin:20261224T140000\nDTEND:20261224T170000Z"}, []Holiday{{Date: "2026-12-24", From: "14:00", To: "18:00", TimeZone: "Europe/Berlin"}}},
		"in UTC, by duration":                {[]string{"DTSTART:20261224T200000Z\nDURATION:PT8H30M"}, []Holiday{{Date: "2026-12-24", LastDate: "2026-12-25", From: "20:00", To: "04:30", TimeZone: "UTC"}}},
		"a vendor's prefix":                  {[]string{"DTSTART;TZID=/vendor.example/20210210_1/America/Argentina/Salta:20261224T140000\nDURATION:PT1H"}, []Holiday{{Date: "2026-12-24", From: "14:00", To: "15:00", TimeZone: "America/Argentina/Salta"}}},
		"every year":                         {[]string{"DTSTART;VALUE=DATE:19490930\nRRULE:freq=yearly;until=20301001\nEXDATE;VALUE=DATE:20270930,20280930\nEXDATE:20290930"}, []Holiday{{Date: "1949-09-30", Rule: "FREQ=YEARLY;UNTIL=20301001", Except: []string{"2027-09-30", "2028-09-30", "2029-09-30"}}}},
		"an exception in UTC":                {[]string{"DTSTART;TZID=Asia/Shanghai:20261001T060000\nDURATION:PT1H\nRRULE:FREQ=YEARLY\nEXDATE:20270930T220000Z"}, []Holiday{{Date: "2026-10-01", From: "06:00", To: "07:00", TimeZone: "Asia/Shanghai", Rule: "FREQ=YEARLY", Except: []string{"2027-10-01"}}}},
		"more dates":                         {[]string{"DTSTART;VALUE=DATE:20260217\nDTEND;VALUE=DATE:20260219\nRDATE;VALUE=DATE:20270206,20280126\nEXDATE:20280126\nSUMMARY:春节"}, []Holiday{{Name: "春节", Date: "2026-02-17", LastDate: "2026-02-18"}, {Name: "春节", Date: "2027-02-06", LastDate: "2027-02-07"}}},
		"one time that was moved":            {[]string{"UID:a\nDTSTART:20261001\nRRULE:FREQ=YEARLY", "UID:a\nRECURRENCE-ID:20271001\nDTSTART:20271004", "UID:a\nRECURRENCE-ID:20281001\nDTSTART:20281001\nSTATUS:CANCELLED"}, []Holiday{{Date: "2026-10-01", Rule: "FREQ=YEARLY", Except: []string{"2027-10-01", "2028-10-01"}}, {Date: "2027-10-04"}}},
		"cancelled":                          {[]string{"DTSTART:20261001\nSTATUS:Cancelled"}, nil},
		"ignored":                            {[]string{"DTSTART:20261111\nSUMMARY:St Martin\\, bishop ", "DTSTART:20261112\nSUMMARY:St Martin"}, []Holiday{{Name: "St Martin", Date: "2026-11-12"}}},
		"long ago":                           {[]string{"DTSTART:19491001"}, nil},
		"folded, escaped and with odd lines": {[]string{"DTSTART:20261001\nDESCRIPTION:one\nand a line that is not folded\nSUMMARY;LANGUAGE=en:Day\\, of\\n t\n he \\\\ \\; nation\nSUMMARY;LANGUAGE=de:Tag"}, []Holiday{{Name: "Day, of the \\ ; nation", Date: "2026-10-01"}}},
		"an alarm's properties":              {[]string{"DTSTART:20261001\nBEGIN:VALARM\nDURATION:PT5M\nSUMMARY:ring\nEND:VALARM\nSUMMARY:x"}, []Holiday{{Name: "x", Date: "2026-10-01"}}},
		"a colon in a parameter":             {[]string{"DTSTART;X=\"a:b;TZID=Mars\";VALUE=DATE:20261001"}, []Holiday{{Date: "2026-10-01"}}},
		"a working Saturday":                 {[]string{"DTSTART:20261010\nSUMMARY:国庆节（班）", "DTSTART:20260228\nSUMMARY:春节 补班", "DTSTART:20260929\nX-APPLE-SPECIAL-DAY:ALTERNATE-WORKDAY"}, []Holiday{{Name: "国庆节（班）", Date: "2026-10-10", HoursOf: "Monday"}, {Name: "春节 补班", Date: "2026-02-28", HoursOf: "Monday"}, {Date: "2026-09-29", HoursOf: "Monday"}}},
		"a working Saturday with an office's hours": {[]string{"DTSTART;TZID=Asia/Shanghai:20261010T090000\nDURATION:PT8H\nSUMMARY:补班"}, []Holiday{{Name: "补班", Date: "2026-10-10", HoursOf: "Monday"}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, problems := ParseICalendar(feed(test.events...), ImportOptions{Ignore: []string{"st martin, bishop"}})
			if len(problems) > 0 {
				t.Errorf("problems:\n%s", lines(problems))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			if _, problems := Compile(Declaration{TimeZone: "Asia/Shanghai", Imported: got}); len(problems) > 0 {
				t.Errorf("not accepted:\n%s", lines(problems))
			}
		})
	}
}

func TestICalendarProblems(t *testing.T) {
	good := "DTSTART:20261001"
	for name, test := range map[string]struct {
		text, want string
		given      int
	}{
		"empty":         {"", "iCalendar: the text is empty; give an iCalendar text, from BEGIN:VCALENDAR to END:VCALENDAR", 0},
		"a page":        {"\n<html>404</html>\n", `line 2, iCalendar: "<html>404</html>" does not begin a calendar; give an iCalendar text, from BEGIN:VCALENDAR to END:VCALENDAR`, 0},
		"broken off":    {strings.TrimSuffix(feed(good, good), "END:VEVENT\r\nEND:VCALENDAR\r\n"), "line 8, iCalendar: the text breaks off before END:VEVENT; fetch the whole text again", 1},
		"wrong end":     {feed(good, "BEGIN:VALARM"), "line 9, END: END:VEVENT stands where END:VALARM is due; fetch the whole text again", 1},
		"too deep":      {feed(good, strings.Repeat("BEGIN:X\n", 7)), "line 14, BEGIN: components nest deeper than 8; give a calendar of events only", 1},
		"no beginning":  {feed("SUMMARY:x", good), "line 4, VEVENT: the event has no DTSTART; add a line such as DTSTART;VALUE=DATE:20261001", 1},
		"no date":       {feed("DTSTART:2026-10-01", good), `line 5, DTSTART: "2026-10-01" is no date; write 20261001 or 20261001T090000`, 1},
		"unknown zone":  {feed("DTSTART;TZID=China Standard Time:20261001T000000\nDURATION:P1D", good), "line 5, DTSTART: TZID=China Standard Time is no known time zone; write an IANA name such as Asia/Shanghai", 1},
		"no end":        {feed("DTSTART:20261001T000000", good), "line 4, VEVENT: the event has a time at which it begins and none at which it ends; add DTEND or DURATION", 1},
		"end first":     {feed("DTSTART:20261001\nDTEND:20260930", good), `line 6, DTEND: "20260930" is not after the beginning; write an end after DTSTART`, 1},
		"no duration":   {feed("DTSTART:20261001\nDURATION:1D", good), `line 6, DURATION: "1D" is no duration; write P1D for a day or PT8H for eight hours`, 1},
		"too long":      {feed("DTSTART:20260101\nDTEND:20280101", good), `line 5, DTSTART: "20260101" begins an event of more than 366 days; change the opening hours instead`, 1},
		"weekly":        {feed("DTSTART:20261001\nRRULE:FREQ=WEEKLY", good), "line 6, RRULE: FREQ=WEEKLY is no yearly rule; write FREQ=YEARLY, or the dates one by one; what recurs each week belongs into openingHours", 1},
		"no exception":  {feed("DTSTART:20261001\nRRULE:FREQ=YEARLY\nEXDATE:x"), `line 7, EXDATE: "x" is no date; write dates such as 20261001 with commas between them`, 1},
		"counted":       {feed("DTSTART:16010101\nRRULE:FREQ=YEARLY;COUNT=3", good), "line 6, RRULE: 1601-01-01 begins too early for a rule with COUNT; begin in 1900 or later", 1},
		"too large":     {strings.Repeat("x", MaxICalendarBytes+1), "iCalendar: the text has 1048577 bytes, 1048576 are allowed; remove events that are past", 0},
		"too many":      {feed(strings.Split(strings.TrimSpace(strings.Repeat(good+" ", MaxHolidays+1)), " ")...), "line 6004, BEGIN: there are more than 2000 events; remove events that are past", MaxHolidays},
		"too many days": {feed("DTSTART:20261001\nRDATE:" + strings.TrimSuffix(strings.Repeat("20271001,", maxTimes+1), ",")), "line 6, RDATE: there are more than 400 dates; remove those that are past", maxTimes + 1},
	} {
		t.Run(name, func(t *testing.T) {
			got, problems := ParseICalendar(test.text, ImportOptions{})
			if lines(problems) != test.want+"\n" || len(got) != test.given {
				t.Errorf("%d holidays and\n%swant %d and\n%s", len(got), lines(problems), test.given, test.want)
			}
		})
	}
}

// TestRules checks when recurring holidays come against dates from the almanac and RFC 5545.
func TestRules(t *testing.T) {
	for _, test := range []struct{ first, rule, want string }{
		{"2020-11-26", "FREQ=YEARLY;BYMONTH=11;BYDAY=4TH", "2024-11-28 2025-11-27 2026-11-26 2027-11-25 2028-11-23"},
		{"1971-09-06", "FREQ=YEARLY;BYMONTH=9;BYDAY=1MO", "2024-09-02 2025-09-01 2026-09-07 2027-09-06 2028-09-04"},
		{"1971-05-31", "FREQ=YEARLY;BYMONTH=5;BYDAY=-1MO;WKST=SU", "2024-05-27 2025-05-26 2026-05-25 2027-05-31 2028-05-29"},
		{"1972-11-07", "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8", "2024-11-05 2028-11-07"},
		{"1971-09-06", "FREQ=YEARLY;BYMONTH=9;BYDAY=MO;BYSETPOS=1", "2024-09-02 2025-09-01 2026-09-07 2027-09-06 2028-09-04"},
		{"2000-12-31", "FREQ=YEARLY;BYMONTHDAY=-1;BYMONTH=2", "2024-02-29 2025-02-28 2026-02-28 2027-02-28 2028-02-29"},
		{"1960-10-01", "FREQ=YEARLY;COUNT=66", "2024-10-01 2025-10-01"},
		{"1601-10-01", "FREQ=YEARLY;INTERVAL=3", "2024-10-01 2027-10-01"},
		{"2024-02-29", "FREQ=YEARLY", "2024-02-29 2028-02-29"},
		{"2024-10-01", "FREQ=YEARLY;COUNT=3", "2024-10-01 2025-10-01 2026-10-01"},
		{"2024-10-01", "FREQ=YEARLY;UNTIL=20261001", "2024-10-01 2025-10-01 2026-10-01"},
		{"2024-10-01", "FREQ=YEARLY;UNTIL=20260930T235959Z", "2024-10-01 2025-10-01"},
		{"2024-05-20", "FREQ=YEARLY;BYDAY=20MO", "2024-05-20 2025-05-19 2026-05-18 2027-05-17 2028-05-15"},
		{"2024-12-30", "FREQ=YEARLY;BYDAY=-1MO", "2024-12-30 2025-12-29 2026-12-28 2027-12-27 2028-12-25"},
		{"2026-01-01", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "2026-01-01"},
		{"2026-10-13", "FREQ=YEARLY;INTERVAL=2;BYMONTHDAY=13;BYDAY=FR", "2026-10-13 2026-11-13 2028-10-13"},
		{"2027-10-01", "FREQ=YEARLY;BYMONTH=10,1", "2027-10-01 2028-01-01 2028-10-01"},
	} {
		c := mustCompile(t, Declaration{TimeZone: "UTC", Holidays: []Holiday{{Date: test.first, Rule: test.rule}}})
		var got []string
		for day := dayOf(2024, 1, 1); day <= dayOf(2028, 12, 31); day++ {
			if c.holidayOn(day) >= 0 {
				got = append(got, formatDay(day))
			}
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%s from %s: %v, want %s", test.rule, test.first, got, test.want)
		}
	}
}

// The end of a rule in UTC is compared in the event's zone: 07:00 in Shanghai is 23:00 of the day before.
func TestRuleEndsInUTC(t *testing.T) {
	for until, want := range map[string]bool{"20270930T230000Z": true, "20270930T225959Z": false, "20271001T065959": false, "20271001": true} {
		holidays, problems := ParseICalendar(feed("DTSTART;TZID=Asia/Shanghai:20261001T070000\nDURATION:PT1H\nRRULE:FREQ=YEARLY;UNTIL="+until), ImportOptions{})
		if len(problems) > 0 {
			t.Fatal(lines(problems))
		}
		c := mustCompile(t, Declaration{TimeZone: "UTC", Imported: holidays})
		if got := !c.IsOpen(at(t, c, "2027-09-30 23:30")); got != want {
			t.Errorf("UNTIL=%s: closed %v, want %v", until, got, want)
		}
	}
}

// An author's holiday decides over a feed on its date, also where the feed closes part of it.
func TestAuthorBeforeFeed(t *testing.T) {
	imported, problems := ParseICalendar(feed(
		"DTSTART:20261127\nSUMMARY:Black Friday", "DTSTART;TZID=UTC:20261126T230000\nDURATION:PT2H", "DTSTART;TZID=UTC:20261127T100000\nDURATION:PT2H", "DTSTART;TZID=UTC:20261128T100000\nDURATION:PT2H"), ImportOptions{})
	if len(problems) > 0 {
		t.Fatal(lines(problems))
	}
	d := Declaration{
		TimeZone: "Asia/Shanghai", OpeningHours: []OpeningHours{hours(everyDay, "09:00-21:00")},
		Holidays: []Holiday{{Name: "sale", Date: "2026-11-27", Periods: periods("08:00-24:00")}}, Imported: imported,
	}
	want := []string{"Fri 27 08:00 +08:00 + 16h0m0s", "Sat 28 09:00 +08:00 + 9h0m0s", "Sat 28 20:00 +08:00 + 1h0m0s"}
	if diff := cmp.Diff(want, open(t, mustCompile(t, d), "2026-11-27", "2026-11-29")); diff != "" {
		t.Error(diff)
	}
}

func FuzzParseICalendar(f *testing.F) {
	for _, seed := range []string{
		feed("DTSTART;VALUE=DATE:20261001\nDTEND;VALUE=DATE:20261008\nSUMMARY:国庆节\\, x"), feed("DTSTART;TZID=Asia/Shanghai:20261001T090000\nDURATION:P1DT2H"),
		feed("UID:a\nDTSTART:20261001\nRRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4TH,-1MO;BYSETPOS=-1;COUNT=3\nEXDATE:20271001T000000Z\nRDATE:20300101/P1D", "UID:a\nRECURRENCE-ID:20271001\nDTSTART:20271002"),
		feed("DTSTART:20261001T235959Z\nDTEND;TZID=/v/1/Europe/Berlin:20261002T010101\nRRULE:FREQ=YEARLY;UNTIL=20301001T000000Z;INTERVAL=2;BYMONTHDAY=-1"),
		feed("DTSTART:00010101\nRRULE:FREQ=YEARLY", "DTSTART:99991231", "DTSTART:99991231T235959\nDURATION:P300D", "DTSTART:20261010\nSUMMARY:补班"),
		feed("DTSTART;A=\"b:c\n d\";X:20260229"), "\ufeffBEGIN:VCALENDAR\nBEGIN:VEVENT\n \n\tx\nEND:VEVENT", "BEGIN:VCALENDAR\nEND", ":", ";:", "BEGIN:VCALENDAR\n;:\n\":\n\\",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		holidays, problems := ParseICalendar(text, ImportOptions{Ignore: []string{"x"}})
		if len(holidays) > MaxHolidays || len(problems) > maxProblems {
			t.Fatalf("%d holidays, %d problems", len(holidays), len(problems))
		}
		for _, p := range problems {
			if p.Field == "" || p.Message == "" || p.Remedy == "" || p.Line < 0 || p.Line > strings.Count(text, "\n")+1 {
				t.Fatalf("%+v", p)
			}
		}
		c, refused := Compile(Declaration{TimeZone: "Europe/Berlin", OpeningHours: []OpeningHours{hours(everyDay, "09:00-12:00 20:00-26:00")}, Imported: holidays})
		for _, p := range refused {
			if !strings.Contains(p.Message, "cover more than") {
				t.Fatalf("what was read is refused: %s", p)
			}
		}
		if c != nil {
			from := at(t, c, "2026-09-01 00:00")
			if open, most := c.OpenBetween(from, from.AddDate(1, 0, 0)), fmt.Sprint(c.Describe(from)); open < 0 || most == "" {
				t.Fatalf("open %v, %s", open, most)
			}
		}
	})
}

// TestFeedFiles reads made-up feeds in the form in which widespread programs write them.
func TestFeedFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/*.ics")
	if err != nil || len(files) == 0 {
		t.Fatal("no feeds", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(strings.TrimSuffix(file, ".ics") + ".txt")
		if err != nil {
			t.Fatal(err)
		}
		holidays, problems := ParseICalendar(string(text), ImportOptions{})
		got := lines(problems)
		for _, h := range holidays {
			line, err := json.Marshal(h)
			if err != nil {
				t.Fatal(err)
			}
			got += string(line) + "\n"
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s: %s", file, diff)
		}
	}
}
