package calendar

import "time"

// The bounds of a calendar. They are checked by [Compile] and [ParseICalendar], since a calendar also
// arrives without an API server; they keep the cost of hostile input small and known.
const (
	// FirstYear is the first year that calendars know.
	FirstYear = 1970
	// LastYear is the last year that calendars know.
	LastYear = 2199
	// Horizon is how far ahead the next opening or closing is looked for. It is more than a year, so
	// that a desk that opens for one season is found; one that stays closed longer never opens.
	Horizon = horizonDays * 24 * time.Hour
	// MaxPeriods is the greatest number of periods on one day.
	MaxPeriods = 24
	// MaxOpeningHours is the greatest number of entries of weekly opening hours.
	MaxOpeningHours = 32
	// MaxHolidays is the greatest length of each of the two lists of holidays.
	MaxHolidays = 2000
	// MaxRules is the greatest number of holidays with a rule in each of the two lists.
	MaxRules = 100
	// MaxExcept is the greatest number of exceptions to one recurring holiday.
	MaxExcept = 400
	// MaxHolidayLength is the greatest length of one holiday, in days.
	MaxHolidayLength = 366
	// MaxHolidayDays is the greatest number of days that all holidays of a calendar may cover,
	// recurring ones counted in every year.
	MaxHolidayDays = 200_000
	// MaxNameLength is the greatest length of a holiday's name, in characters.
	MaxNameLength = 200
	// MaxRuleLength is the greatest length of a recurrence rule, in bytes.
	MaxRuleLength = 512

	horizonDays = 400
)

// Declaration is a calendar as a person writes it. It is part of the runtime configuration document,
// hence the JSON names.
type Declaration struct {
	// TimeZone is an IANA name such as Asia/Shanghai.
	TimeZone string `json:"timeZone"`
	// OpeningHours are the hours of a week. None at all means open round the clock, except for
	// holidays; a weekday that no entry names is closed.
	OpeningHours []OpeningHours `json:"openingHours,omitempty"`
	// Holidays are what the desk's author wrote.
	Holidays []Holiday `json:"holidays,omitempty"`
	// Imported are holidays of feeds, as [ParseICalendar] gives them. A holiday of Holidays on the
	// same date decides over them.
	Imported []Holiday `json:"imported,omitempty"`
}

// OpeningHours are the periods of one or several weekdays. A weekday may stand in several entries; its
// periods are those of all of them.
type OpeningHours struct {
	// Days are names of weekdays, Monday to Sunday.
	Days []string `json:"days"`
	// Periods are when the desk is open on these days, in any order. They may touch, not overlap.
	Periods []Period `json:"periods"`
}

// Period is an interval of local time on a day, From included, To not.
type Period struct {
	// From is 00:00 to 23:59.
	From string `json:"from"`
	// To is after From by at most 24 hours; 24:00 is the end of the day, 26:00 is 02:00 of the next day.
	To string `json:"to"`
}

// Holiday is a day, or several days in a row, on which other hours hold than on its weekday. Without
// Periods, HoursOf, From and To the desk is closed on it.
type Holiday struct {
	// Name is what customers are told, such as National Day. Optional.
	Name string `json:"name,omitempty"`
	// Date is the day or the first of several: 2026-10-01 for that day, 10-01 for that day of every
	// year. 02-29 comes in leap years only.
	Date string `json:"date"`
	// LastDate is the last of several days, included, in the same form as Date. A yearly one before
	// Date is in the next year: 12-24 to 01-02. A leap day that a year does not have is left out.
	LastDate string `json:"lastDate,omitempty"`
	// Periods are the hours on each of these days, for instance of a half day.
	Periods []Period `json:"periods,omitempty"`
	// HoursOf is the weekday whose hours hold on each of these days: Monday on a Saturday that is
	// worked in exchange for a holiday.
	HoursOf string `json:"hoursOf,omitempty"`
	// From is the time on the first day at which the desk closes; until then the usual hours hold.
	// Empty is 00:00.
	From string `json:"from,omitempty"`
	// To is the time on the last day until which the desk is closed; after it the usual hours hold.
	// Empty is 24:00.
	To string `json:"to,omitempty"`
	// TimeZone is the zone of Date, From and To where it is not the calendar's.
	TimeZone string `json:"timeZone,omitempty"`
	// Rule makes a holiday recur, in the words of RFC 5545: FREQ=YEARLY;BYMONTH=11;BYDAY=4TH is
	// the fourth Thursday of November. Date, with its year, is the first time. Only yearly rules, of
	// INTERVAL, COUNT, UNTIL, BYMONTH, BYMONTHDAY, BYDAY and BYSETPOS.
	Rule string `json:"rule,omitempty"`
	// Except are first days, with their year, on which a recurring holiday does not happen.
	Except []string `json:"except,omitempty"`
}
