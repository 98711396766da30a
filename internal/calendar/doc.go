// Package calendar knows the opening hours of a desk: weekly periods in an IANA time zone, holidays
// with or without hours of their own, and holiday feeds in iCalendar form. It answers whether the
// desk is open, when that changes next and why, and it counts open time for clocks that stand still
// while the desk is closed. Rosters and peaks are calendars too.
//
// The package is pure. Time is an argument, and a [Calendar] does not change once compiled; it is
// safe for concurrent use. [Compile] reads the zone database, which is linked into every binary that
// uses this package, because the image has no /usr/share/zoneinfo and a desk that fell back to UTC
// would be closed at noon. A database of the system, where there is one, goes before it.
//
// # Local time and daylight saving
//
// A boundary of a period is the first instant at which the clock on the wall shows that time or a
// later one. Hence:
//   - a local time that is skipped (02:30 when clocks go from 02:00 to 03:00) means the instant of the
//     change, and a period wholly within the gap does not happen;
//   - a local time that comes twice means its first time. 09:00 to 02:30 closes at the first 02:30 and
//     stays closed, 02:30 to 09:00 opens at the first 02:30 and stays open while the hour repeats;
//   - a day that a zone leaves out (30 December 2011 in Apia) has no open time;
//   - 00:00 to 24:00 is the whole day, be it 23, 24 or 25 hours long.
//
// The definition is monotone in local time, so periods that do not overlap on paper never overlap in
// fact, and a desk never opens twice for one period. Durations are elapsed time: eight open hours are
// eight hours on a stopwatch, also in the night of a change.
//
// # Periods and holidays
//
// A period belongs to the day on which it begins. One over midnight is written with hours beyond 24:
// 22:00 to 30:00 ends at 06:00 of the next day. Writing 22:00 to 06:00 is refused, since the same
// form is the commonest slip of the pen.
//
// A holiday decides its whole date. What would begin on it does not, unless the holiday says so with
// periods of its own or with the hours of another weekday; and what runs into it from the day before
// ends at midnight, unless it has the hours of a weekday. A holiday with from or to closes only that
// part, whatever the hours are. Where several fall on one date, those of [Declaration.Holidays] go
// before those of [Declaration.Imported]; among these, one with a year before one that recurs, the
// shorter before the longer, the earlier in the list before the later. A date on which a holiday of
// [Declaration.Holidays] decides is not closed in part by one of [Declaration.Imported].
//
// # Range
//
// Calendars know the years [FirstYear] to [LastYear]. Outside these years every desk is closed.
//
// # iCalendar
//
// [ParseICalendar] is our own reader of the part of RFC 5545 that holiday feeds use. Feeds come from
// strangers, so the libraries at hand were tried on hostile input first: github.com/emersion/go-ical
// (2025) panics on a parameter that no colon follows and needs 40 s for one parameter of 300 kB;
// github.com/arran4/golang-ical 0.3.4 gives up the whole feed at the first odd line, and a desk would
// be open on every holiday for the sake of one; github.com/teambition/rrule-go 1.8.2 panics on the
// twentieth last Saturday of a month, wants BYDAY=-1SA,SU to be both, and has had no release since
// 2023. What remains of it here is yearly rules, which agree with it on all rules that it understands.
package calendar
