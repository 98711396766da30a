package plan

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/calendar"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

const (
	feedField = "spec.calendar.holidays.configMapRef"
	keptFeed  = "; the desk keeps the last good one"
)

// deskCalendar is the zone and the calendar of the desk. What is broken is reported
// and stays as the desk has it: a desk that opened on all holidays because of a slip
// of the pen would have nobody to answer.
func deskCalendar(in *DeskInput, spec *v1alpha1.ServiceDeskSpec, found *problems) (string, *runtimeconfig.Calendar) {
	zone, live := spec.TimeZone, liveCalendar(in.LiveDocument)
	if _, bad := calendar.Compile(calendar.Declaration{TimeZone: zone}); zone != "" && len(bad) > 0 {
		zone = ""
		if in.LiveDocument != nil {
			zone = in.LiveDocument.TimeZone
		}
		found.add(Terminal, v1alpha1.ReasonInvalidSpec, "spec.timeZone", bad[0].Remedy, "%s; the desk goes by %s", bad[0].Message, zoneName(zone))
	}
	declared := spec.Calendar
	if declared == nil {
		return zone, nil
	}
	converted := declaredCalendar(declared)
	without, _ := converted.Declaration(zone)
	if _, bad := calendar.Compile(without); len(bad) > 0 {
		kept := "until then the desk is always open"
		if live != nil {
			kept = "until then the desk keeps the calendar that it has"
		}
		for _, p := range bad {
			found.add(Terminal, v1alpha1.ReasonInvalidSpec, calendarField(p.Field), p.Remedy+"; "+kept, "%s", p.Message)
		}
		return zone, live
	}
	if h := declared.Holidays; h != nil && h.ConfigMapRef != nil {
		converted.ICalendar = feed(in, h.ConfigMapRef, converted, zone, found)
	}
	return zone, converted
}

// HolidaysOf is the name of the ConfigMap with the holidays of a desk; empty for none.
func HolidaysOf(desk *v1alpha1.ServiceDesk) string {
	if c := desk.Spec.Calendar; c != nil && c.Holidays != nil && c.Holidays.ConfigMapRef != nil {
		return string(c.Holidays.ConfigMapRef.Name)
	}
	return ""
}

func zoneName(zone string) string {
	if zone == "" {
		return "UTC"
	}
	return zone
}

func liveCalendar(document *runtimeconfig.Document) *runtimeconfig.Calendar {
	if document == nil {
		return nil
	}
	return document.Calendar
}

// feed is the text of the holiday feed that the desk is to have: the ConfigMap's, or
// the last good one. A new desk takes what is readable of a broken feed.
func feed(in *DeskInput, ref *v1alpha1.ConfigMapKeyReference, c *runtimeconfig.Calendar, zone string, found *problems) string {
	former, kept := "", ""
	if live := liveCalendar(in.LiveDocument); live != nil && live.ICalendar != "" {
		former, kept = live.ICalendar, keptFeed
	}
	text, there := in.Holidays[ref.Key]
	switch {
	case in.Holidays == nil:
		found.add(Waiting, v1alpha1.ReasonReferenceMissing, feedField+".name", "apply the ConfigMap, or remove the reference",
			"ConfigMap %s does not exist in namespace %s%s", ref.Name, in.Desk.Namespace, kept)
		return former
	case !there:
		found.add(Waiting, v1alpha1.ReasonReferenceMissing, feedField+".key", "add the key to the ConfigMap, or mend the name",
			"ConfigMap %s has no key %s%s", ref.Name, ref.Key, kept)
		return former
	case len(text) > runtimeconfig.MaxICalendarBytes:
		found.add(Terminal, v1alpha1.ReasonInvalidSpec, feedField, "leave out what is past and what is no holiday",
			"key %s of ConfigMap %s is %d KiB, and %d KiB fit%s", ref.Key, ref.Name, len(text)>>10, runtimeconfig.MaxICalendarBytes>>10, kept)
		return former
	}
	bad := feedProblems(text, c, zone)
	if len(bad) == 0 {
		return text
	}
	if former == "" || len(feedProblems(former, c, zone)) > 0 {
		former, kept = text, "; the desk goes by what it can read of it"
		if _, compiles := withFeed(text, c, zone); !compiles {
			former, kept = "", "; the desk goes without it"
		}
	}
	for _, p := range bad {
		line := ""
		if p.Line > 0 {
			line = fmt.Sprintf(", line %d", p.Line)
		}
		found.add(Terminal, v1alpha1.ReasonInvalidSpec, feedField, p.Remedy, "ConfigMap %s, key %s%s: %s: %s%s", ref.Name, ref.Key, line, p.Field, p.Message, kept)
	}
	return former
}

// feedProblems are what is wrong with a feed, by itself and in the calendar.
func feedProblems(text string, c *runtimeconfig.Calendar, zone string) []calendar.Problem {
	bad, _ := withFeed(text, c, zone)
	return bad
}

// withFeed reports what is wrong with a feed, and whether the calendar compiles with what can be read of it.
func withFeed(text string, c *runtimeconfig.Calendar, zone string) ([]calendar.Problem, bool) {
	with := *c
	with.ICalendar = text
	declaration, bad := with.Declaration(zone)
	_, more := calendar.Compile(declaration)
	return append(bad, more...), len(more) == 0
}

var holidayField = regexp.MustCompile(`^holidays(\[\d+\])?(\.date|\.lastDate)?`)

// calendarField is the field of the API for one of package calendar.
func calendarField(field string) string {
	if m := holidayField.FindStringSubmatch(field); m != nil {
		api := "spec.calendar.holidays.dates" + m[1]
		switch m[2] {
		case ".date":
			api += ".from"
		case ".lastDate":
			api += ".to"
		}
		return api + strings.TrimPrefix(field, m[0])
	}
	return "spec.calendar." + field
}

func declaredCalendar(c *v1alpha1.Calendar) *runtimeconfig.Calendar {
	converted := &runtimeconfig.Calendar{}
	for _, hours := range c.OpeningHours {
		converted.OpeningHours = append(converted.OpeningHours, runtimeconfig.OpeningHours{Days: weekdays(hours.Days), Periods: documentPeriods(hours.Periods)})
	}
	if c.Holidays != nil {
		for i := range c.Holidays.Dates {
			h := &c.Holidays.Dates[i]
			day := runtimeconfig.Holiday{Name: h.Name, From: string(h.From), Periods: documentPeriods(h.Periods)}
			if h.To != nil {
				day.To = string(*h.To)
			}
			converted.Holidays = append(converted.Holidays, day)
		}
	}
	if c.Closed != nil {
		converted.Closed = runtimeconfig.Closed{Behaviour: runtimeconfig.ClosedBehaviour(c.Closed.Behaviour), Say: localized(c.Closed.Say)}
	}
	return converted
}

func documentPeriods(periods []v1alpha1.Period) []runtimeconfig.Period {
	converted := make([]runtimeconfig.Period, 0, len(periods))
	for _, p := range periods {
		converted = append(converted, runtimeconfig.Period{From: string(p.From), To: string(p.To)})
	}
	return converted
}
