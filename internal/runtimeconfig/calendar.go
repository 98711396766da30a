package runtimeconfig

import "github.com/deskfleet/deskfleet/internal/calendar"

// Declaration is the calendar in the words of package calendar: with the document's
// time zone, and with the holidays of the feed. The problems are those of the feed;
// what it says beside them is in the declaration.
func (c *Calendar) Declaration(timeZone string) (calendar.Declaration, []calendar.Problem) {
	d := calendar.Declaration{TimeZone: timeZone}
	if timeZone == "" {
		d.TimeZone = "UTC"
	}
	for _, hours := range c.OpeningHours {
		d.OpeningHours = append(d.OpeningHours, calendar.OpeningHours{Days: hours.Days, Periods: periods(hours.Periods)})
	}
	for i := range c.Holidays {
		h := &c.Holidays[i]
		d.Holidays = append(d.Holidays, calendar.Holiday{Name: h.Name, Date: h.From, LastDate: h.To, Periods: periods(h.Periods)})
	}
	if c.ICalendar == "" {
		return d, nil
	}
	imported, problems := calendar.ParseICalendar(c.ICalendar, calendar.ImportOptions{})
	d.Imported = imported
	return d, problems
}

func periods(list []Period) []calendar.Period {
	converted := make([]calendar.Period, 0, len(list))
	for _, p := range list {
		converted = append(converted, calendar.Period{From: p.From, To: p.To})
	}
	return converted
}
