package router

import (
	"fmt"
	"strings"
	"time"

	"github.com/deskfleet/deskfleet/internal/calendar"
	"github.com/deskfleet/deskfleet/internal/routing"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

// hours are a compiled calendar, as routing asks for it.
type hours struct{ calendar *calendar.Calendar }

// At implements routing.Hours.
func (h hours) At(t time.Time) (open bool, change time.Time) {
	s := h.calendar.At(t)
	return s.Open, s.Until
}

// setHours compiles the calendar of the desk and the shifts of its pools. What cannot be compiled is left out and
// reported: a desk that is open too long serves better than one that never opens.
func setHours(c *routing.Config, doc *runtimeconfig.Document) string {
	var wrong []string
	compile := func(of string, d calendar.Declaration) routing.Hours {
		compiled, problems := calendar.Compile(d)
		for _, p := range problems {
			wrong = append(wrong, of+": "+p.String())
		}
		if compiled == nil || len(problems) > 0 {
			return nil
		}
		return hours{compiled}
	}
	if doc.Calendar != nil {
		d, problems := doc.Calendar.Declaration(doc.TimeZone)
		for _, p := range problems {
			wrong = append(wrong, "holidays: "+p.String())
		}
		c.Hours = compile("calendar", d)
		c.Closed = routing.Closed{Behaviour: routing.ClosedBehaviour(doc.Calendar.Closed.Behaviour), Say: texts(doc.Calendar.Closed.Say)}
	}
	for i := range doc.Pools {
		if doc.Pools[i].Human == nil {
			continue
		}
		for _, s := range doc.Pools[i].Human.Shifts {
			of := fmt.Sprintf("shift %s of pool %s", s.Name, doc.Pools[i].Name)
			h := compile(of, s.Declaration(doc.TimeZone))
			if h == nil {
				continue
			}
			shift := routing.Shift{Name: s.Name, Hours: h, Members: s.Members}
			if len(s.Breaks) > 0 {
				s.Breaks = nil
				shift.Whole = compile(of, s.Declaration(doc.TimeZone))
			}
			c.Pools[i].Shifts = append(c.Pools[i].Shifts, shift)
		}
	}
	return strings.Join(wrong, "; ")
}
