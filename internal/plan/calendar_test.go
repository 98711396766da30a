package plan_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/plan"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

const (
	newYear = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nSUMMARY:New Year\nDTSTART;VALUE=DATE:20270101\nEND:VEVENT\nEND:VCALENDAR\n"
	mayDay  = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nSUMMARY:May Day\nDTSTART;VALUE=DATE:20270501\nEND:VEVENT\nEND:VCALENDAR\n"
	// broken is a feed whose second event has no date.
	broken = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nSUMMARY:New Year\nDTSTART;VALUE=DATE:20270101\nEND:VEVENT\nBEGIN:VEVENT\nUID:2\nSUMMARY:Some Day\nDTSTART;VALUE=DATE:2027-05-01\nEND:VEVENT\nEND:VCALENDAR\n"
)

// What only package calendar finds is told in the words of the API.
func TestCalendarProblems(t *testing.T) {
	feed := func(text string) string {
		return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: days}\ndata:\n  holidays.ics: |\n    " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n    ") + "\n---\n"
	}
	named := fmt.Sprintf(aDesk, "calendar: {holidays: {configMapRef: {name: days}}}") + people
	checkProblems(t, []problemRow{
		{name: "none", manifests: named + feed(newYear)},
		{name: "a peak that nobody can read", manifests: fmt.Sprintf(aDesk, `calendar: {peaks: [{name: sale, start: "2026-11-11T00:00:00Z", end: "2026-11-12T00:00:00Z", floor: 3, recurrence: FREQ=HOURLY}]}`) + people, want: []string{
			`ServiceDesk shop: spec.calendar.peaks[0].recurrence: FREQ=HOURLY is none of DAILY, WEEKLY, MONTHLY, YEARLY; use a rule such as FREQ=WEEKLY;BYDAY=MO,TH; until then the pools of bots go without this peak`,
		}},
		{name: "a zone that is none", manifests: fmt.Sprintf(aDesk, "timeZone: Asia/Shangai") + people, want: []string{
			`ServiceDesk shop: spec.timeZone: "Asia/Shangai" is no known time zone; the desk goes by UTC; write an IANA name such as Asia/Shanghai or Europe/Berlin`,
		}},
		{name: "periods that overlap", manifests: fmt.Sprintf(aDesk, `calendar: {openingHours: [{days: [Monday], periods: [{from: "09:00", to: "13:00"}, {from: "12:00", to: "18:00"}]}]}`) + people, want: []string{
			`ServiceDesk shop: spec.calendar.openingHours[0].periods[1]: Monday 12:00 to 18:00 overlaps Monday 09:00 to 13:00 of openingHours[0].periods[0]; shorten or merge them; until then the desk is always open`,
		}},
		{name: "a date that is none", manifests: fmt.Sprintf(aDesk, `calendar: {holidays: {dates: [{from: "2026-10-01"}, {from: "2026-02-30", to: "2026-02-31"}]}}`) + people, want: []string{
			`ServiceDesk shop: spec.calendar.holidays.dates[1].from: "2026-02-30" is no date; write 2026-10-01 for one day, 10-01 for that day of every year; until then the desk is always open`,
		}},
		{name: "no ConfigMap", manifests: named, want: []string{
			"ServiceDesk shop: spec.calendar.holidays.configMapRef.name: ConfigMap days does not exist in namespace default; apply the ConfigMap, or remove the reference",
		}},
		{name: "no such key", manifests: strings.Replace(named, "{name: days}", "{name: days, key: de.ics}", 1) + feed(newYear), want: []string{
			"ServiceDesk shop: spec.calendar.holidays.configMapRef.key: ConfigMap days has no key de.ics; add the key to the ConfigMap, or mend the name",
		}},
		{name: "a broken feed", manifests: named + feed(broken), want: []string{`ServiceDesk shop: spec.calendar.holidays.configMapRef: ConfigMap days, key holidays.ics, line 10: DTSTART: "2027-05-01" is no date; the desk goes by what it can read of it; write 20261001 or 20261001T090000`}},
		{name: "no feed at all", manifests: named + feed("hello"), want: []string{`ServiceDesk shop: spec.calendar.holidays.configMapRef: ConfigMap days, key holidays.ics, line 1: iCalendar: "hello" does not begin a calendar; the desk goes by what it can read of it; give an iCalendar text, from BEGIN:VCALENDAR to END:VCALENDAR`}},
		{name: "a feed that is too large", manifests: named + feed(strings.Repeat(newYear, 650)), want: []string{
			"ServiceDesk shop: spec.calendar.holidays.configMapRef: key holidays.ics of ConfigMap days is 66 KiB, and 64 KiB fit; leave out what is past and what is no holiday",
		}},
	})
}

// TestLastGoodHolidaysStay in all the ways in which there are no good ones.
func TestLastGoodHolidaysStay(t *testing.T) {
	for _, row := range []struct {
		name    string
		change  func(*plan.DeskInput)
		problem string
		want    string
	}{
		{name: "good", change: func(*plan.DeskInput) {}, want: newYear},
		{name: "changed", change: func(in *plan.DeskInput) { in.Holidays["holidays.ics"] = mayDay }, want: mayDay},
		{name: "broken", change: func(in *plan.DeskInput) { in.Holidays["holidays.ics"] = broken },
			problem: "key holidays.ics, line 10: ", want: newYear},
		{name: "deleted", change: func(in *plan.DeskInput) { in.Holidays = nil },
			problem: "does not exist in namespace tenant; the desk keeps the last good one; ", want: newYear},
		{name: "without the key", change: func(in *plan.DeskInput) { clear(in.Holidays) },
			problem: "has no key holidays.ics; the desk keeps the last good one; ", want: newYear},
		{name: "too large", change: func(in *plan.DeskInput) { in.Holidays["holidays.ics"] = strings.Repeat("x", 65<<10) },
			problem: "is 65 KiB, and 64 KiB fit; the desk keeps the last good one; ", want: newYear},
		{name: "broken on a new desk", change: func(in *plan.DeskInput) { in.Holidays["holidays.ics"], in.LiveDocument = broken, nil },
			problem: "the desk goes by what it can read of it", want: broken},
		{name: "no longer named", change: func(in *plan.DeskInput) { in.Desk.Spec.Calendar.Holidays.ConfigMapRef = nil }, want: ""},
		{name: "an impossible date beside it", change: func(in *plan.DeskInput) { in.Desk.Spec.Calendar.Holidays.Dates[0].From = "02-30" },
			problem: "spec.calendar.holidays.dates[0].from: ", want: newYear},
	} {
		t.Run(row.name, func(t *testing.T) {
			in := input(t)
			in.Desk.Spec.Calendar = &v1alpha1.Calendar{Holidays: &v1alpha1.Holidays{
				Dates:        []v1alpha1.Holiday{{From: "10-01"}},
				ConfigMapRef: &v1alpha1.ConfigMapKeyReference{Name: "days", Key: "holidays.ics"},
			}}
			in.Holidays = map[string]string{"holidays.ics": newYear}
			planned, document, _ := desk(t, in)
			live(in, planned, document)
			row.change(in)
			_, after, problems := desk(t, in)
			if diff := cmp.Diff(row.want, after.Calendar.ICalendar); diff != "" {
				t.Errorf("the feed of the document (-want +got):\n%s", diff)
			}
			if got := strings.Join(problems, "\n"); (row.problem == "") != (got == "") || !strings.Contains(got, row.problem) {
				t.Errorf("problems %q, expected %q", got, row.problem)
			}
		})
	}
}

// A slip of the pen in a running desk's calendar changes neither its hours nor its zone.
func TestLastGoodCalendarStays(t *testing.T) {
	in := input(t)
	in.Desk.Spec.TimeZone = "Asia/Shanghai"
	in.Desk.Spec.Calendar = &v1alpha1.Calendar{OpeningHours: []v1alpha1.OpeningHours{
		{Days: []v1alpha1.Weekday{"Monday"}, Periods: []v1alpha1.Period{{From: "09:00", To: "18:00"}}},
	}}
	planned, document, problems := desk(t, in)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	live(in, planned, document)
	in.Desk.Spec.TimeZone = "Asia/Shangai"
	in.Desk.Spec.Calendar.OpeningHours[0].Periods = append(in.Desk.Spec.Calendar.OpeningHours[0].Periods, v1alpha1.Period{From: "17:00", To: "19:00"})
	_, after, problems := desk(t, in)
	if diff := cmp.Diff(document.Calendar, after.Calendar); diff != "" || after.TimeZone != "Asia/Shanghai" {
		t.Errorf("zone %s, calendar (-before +after):\n%s", after.TimeZone, diff)
	}
	got := strings.Join(problems, "\n")
	for _, want := range []string{"; the desk goes by Asia/Shanghai; ", "; until then the desk keeps the calendar that it has"} {
		if len(problems) != 2 || !strings.Contains(got, want) {
			t.Errorf("problems %s, expected %q", got, want)
		}
	}
}

// The document says what the router needs to compile the very calendar that was checked.
func TestCalendarIsConverted(t *testing.T) {
	in := input(t)
	in.Holidays = map[string]string{"holidays.ics": newYear}
	last := v1alpha1.HolidayDate("2026-10-07")
	in.Desk.Spec.Calendar = &v1alpha1.Calendar{
		OpeningHours: []v1alpha1.OpeningHours{{Days: []v1alpha1.Weekday{"Friday"}, Periods: []v1alpha1.Period{{From: "20:00", To: "26:00"}}}},
		Holidays: &v1alpha1.Holidays{
			Dates:        []v1alpha1.Holiday{{Name: "National Day", From: "2026-10-01", To: &last, Periods: []v1alpha1.Period{{From: "09:00", To: "12:00"}}}},
			ConfigMapRef: &v1alpha1.ConfigMapKeyReference{Name: "days", Key: "holidays.ics"},
		},
		Closed: &v1alpha1.Closed{Behaviour: v1alpha1.ClosedCallback},
	}
	_, document, problems := desk(t, in)
	want := &runtimeconfig.Calendar{
		OpeningHours: []runtimeconfig.OpeningHours{{Days: []string{"Friday"}, Periods: []runtimeconfig.Period{{From: "20:00", To: "26:00"}}}},
		Holidays:     []runtimeconfig.Holiday{{Name: "National Day", From: "2026-10-01", To: "2026-10-07", Periods: []runtimeconfig.Period{{From: "09:00", To: "12:00"}}}},
		ICalendar:    newYear,
		Closed:       runtimeconfig.Closed{Behaviour: runtimeconfig.ClosedCallback},
	}
	if diff := cmp.Diff(want, document.Calendar); diff != "" || len(problems) > 0 {
		t.Errorf("problems %s, calendar (-want +got):\n%s", problems, diff)
	}
	declaration, bad := document.Calendar.Declaration("")
	if len(bad) > 0 || declaration.TimeZone != "UTC" || len(declaration.Imported) != 1 || declaration.Holidays[0].LastDate != "2026-10-07" {
		t.Errorf("problems %v, declaration %+v", bad, declaration)
	}
}
