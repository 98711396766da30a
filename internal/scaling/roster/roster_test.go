package roster_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/deskfleet/deskfleet/internal/calendar"
	"github.com/deskfleet/deskfleet/internal/scaling/roster"
)

const quarter = 15 * time.Minute

func hours(t interface{ Fatal(args ...any) }, zone string, days []string, from, to string, breaks ...calendar.Period) *calendar.Calendar {
	c, problems := calendar.Compile(calendar.Declaration{
		TimeZone: zone, OpeningHours: calendar.Shift(days, calendar.Period{From: from, To: to}, breaks),
	})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return c
}

func TestStepsOfAMorning(t *testing.T) {
	day := []string{"Friday"}
	r := roster.New([]roster.Shift{
		{Hours: hours(t, "UTC", day, "08:00", "10:00", calendar.Period{From: "09:00", To: "09:10"}), Members: []string{"ann", "ben", "cid"}},
		{Hours: hours(t, "UTC", day, "08:30", "09:00"), Members: []string{"ben", "dora"}},
		{Hours: hours(t, "UTC", day, "09:15", "09:45"), Seats: 5},
		{}, // hours that nobody could read
	})
	from := time.Date(2026, 11, 20, 7, 45, 0, 0, time.UTC)
	// Ben works two shifts from 8:30 to 9:00 and is one seat; of the quarter with the break a third is worked.
	want := []int{0, 3, 3, 4, 4, 1, 8, 8, 3, 0}
	if diff := cmp.Diff(want, r.Steps(from, quarter, len(want))); diff != "" {
		t.Error(diff)
	}
	if n := r.At(from.Add(90 * time.Minute)); n != 8 {
		t.Errorf("%d seats at 9:15", n)
	}
	if roster.New([]roster.Shift{{}}) != nil {
		t.Error("without hours there is a roster")
	}
}

// A night shift of eight hours has 28 quarters when the clocks go forward and 36 when they go back; a shift elsewhere
// goes by its own clocks.
func TestNightsOnWhichTheClocksChange(t *testing.T) {
	r := roster.New([]roster.Shift{{Hours: hours(t, "Europe/Berlin", []string{"Saturday"}, "22:00", "30:00"), Members: []string{"ann"}}})
	for night, want := range map[time.Time]int{
		time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC):  28,
		time.Date(2026, 10, 24, 12, 0, 0, 0, time.UTC): 36,
		time.Date(2026, 11, 7, 12, 0, 0, 0, time.UTC):  32,
	} {
		worked := 0
		for _, n := range r.Steps(night, quarter, 96) {
			worked += n
		}
		if worked != want {
			t.Errorf("the night of %s has %d quarters, want %d", night.Format(time.DateOnly), worked, want)
		}
	}
	pune := roster.New([]roster.Shift{{Hours: hours(t, "Asia/Kolkata", []string{"Monday"}, "08:00", "16:00"), Seats: 2}})
	monday := time.Date(2026, 3, 30, 2, 15, 0, 0, time.UTC)
	if diff := cmp.Diff([]int{0, 2}, pune.Steps(monday, quarter, 2)); diff != "" {
		t.Error(diff)
	}
}

// Shifts that begin and end on the quarter have in each step what they have in its middle, in whatever zone and on
// whatever day.
func TestStepsAreWhatIsScheduledInThem(t *testing.T) {
	all := []string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"}
	rapid.Check(t, func(t *rapid.T) {
		var shifts []roster.Shift
		for range rapid.IntRange(1, 4).Draw(t, "shifts") {
			clock := func(quarters int) string {
				return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(quarters) * quarter).Format("15:04")
			}
			from := rapid.IntRange(0, 94).Draw(t, "from")
			to := rapid.IntRange(from+1, 95).Draw(t, "to")
			shifts = append(shifts, roster.Shift{
				Hours: hours(t, rapid.SampledFrom([]string{"UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu"}).Draw(t, "zone"),
					rapid.SliceOfNDistinct(rapid.SampledFrom(all), 1, 7, rapid.ID).Draw(t, "days"), clock(from), clock(to)),
				Seats:   rapid.IntRange(0, 3).Draw(t, "seats"),
				Members: rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"ann", "ben", "cid"}), 0, 3, rapid.ID).Draw(t, "members"),
			})
		}
		r := roster.New(shifts)
		from := time.Date(2026, rapid.SampledFrom([]time.Month{3, 7, 10, 11}).Draw(t, "month"), rapid.IntRange(1, 28).Draw(t, "day"), 5, 30, 0, 0, time.UTC)
		steps := r.Steps(from, quarter, 768)
		at := slices.Clone(steps)
		for i := range at {
			at[i] = r.At(from.Add(time.Duration(i)*quarter + quarter/2))
		}
		if diff := cmp.Diff(at, steps); diff != "" {
			t.Fatal(diff)
		}
	})
}
