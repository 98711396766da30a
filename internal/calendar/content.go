package calendar

import (
	"iter"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// property is a content line of RFC 5545: NAME;PARAM=value:value.
type property struct {
	line  int // of its beginning
	name  string
	zone  string // the parameter TZID
	value string
}

// contentLines gives the lines of a text with folded ones put together, and the number of the line
// on which each begins.
func contentLines(text string) iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		var folded strings.Builder
		begin, number := 0, 0
		for raw := range strings.Lines(strings.TrimPrefix(text, "\ufeff")) {
			number++
			raw = strings.TrimRight(raw, "\r\n")
			if begin > 0 && raw != "" && (raw[0] == ' ' || raw[0] == '\t') {
				folded.WriteString(raw[1:])
				continue
			}
			if begin > 0 && !yield(begin, folded.String()) {
				return
			}
			folded.Reset()
			folded.WriteString(raw)
			begin = number
		}
		if begin > 0 {
			yield(begin, folded.String())
		}
	}
}

// parseProperty reads a content line. Parameters other than TZID do not matter to holidays.
func parseProperty(line int, text string) (property, bool) {
	quoted := false
	var ends []int // of the name and of each parameter
	colon := -1
	for i := 0; i < len(text) && colon < 0; i++ {
		switch {
		case text[i] == '"':
			quoted = !quoted
		case quoted:
		case text[i] == ';':
			ends = append(ends, i)
		case text[i] == ':':
			ends = append(ends, i)
			colon = i
		}
	}
	if colon < 0 {
		return property{}, false
	}
	p := property{line: line, name: strings.ToUpper(strings.TrimSpace(text[:ends[0]])), value: strings.TrimSpace(text[colon+1:])}
	for i := 1; i < len(ends); i++ {
		name, value, _ := strings.Cut(text[ends[i-1]+1:ends[i]], "=")
		if strings.EqualFold(name, "TZID") {
			p.zone = strings.Trim(value, `"`)
		}
	}
	return p, true
}

// icalTime is a date or a date with time.
type icalTime struct {
	local int64 // seconds, as it is written
	timed bool
	utc   bool
}

func (t icalTime) day() int64 { return floorDiv(t.local, secondsPerDay) }

// parseICalTime reads 20261001, 20261001T090000 and 20261001T090000Z.
func parseICalTime(value string) (icalTime, bool) {
	form := "20060102"
	var t icalTime
	if len(value) > len(form) {
		value, t.utc = strings.CutSuffix(strings.ToUpper(value), "Z")
		form, t.timed = "20060102T150405", true
	}
	parsed, err := time.Parse(form, value)
	if err != nil || len(value) != len(form) || parsed.Year() < 1 {
		return icalTime{}, false
	}
	t.local = parsed.Unix()
	return t, true
}

// parseICalDuration reads P1D, P2W, PT8H and P1DT12H30M in seconds.
func parseICalDuration(value string) (int64, bool) {
	rest, ok := strings.CutPrefix(strings.TrimPrefix(strings.ToUpper(value), "+"), "P")
	if !ok || rest == "" {
		return 0, false
	}
	units := map[byte]int64{'W': 7 * secondsPerDay, 'D': secondsPerDay}
	total, number, digits := int64(0), int64(0), 0
	for i := range len(rest) {
		c := rest[i]
		unit, isUnit := units[c]
		switch {
		case c >= '0' && c <= '9' && digits < 9:
			number, digits = number*10+int64(c-'0'), digits+1
		case c == 'T' && digits == 0:
			units = map[byte]int64{'H': secondsPerHour, 'M': secondsPerMinute, 'S': 1}
		case isUnit && digits > 0:
			total += number * unit
			number, digits = 0, 0
		default:
			return 0, false
		}
	}
	return total, digits == 0 && len(rest) > 1
}

// plainText turns a value of type TEXT into a name: without escapes, on one line and of bounded
// length.
func plainText(value string) string {
	var b strings.Builder
	escaped := false
	for _, r := range strings.ToValidUTF8(value, "\ufffd") {
		switch {
		case escaped && (r == 'n' || r == 'N'), unicode.IsControl(r):
			b.WriteRune(' ')
			escaped = false
		case r == '\\' && !escaped:
			escaped = true
		default:
			b.WriteRune(r)
			escaped = false
		}
	}
	text := strings.Join(strings.Fields(b.String()), " ")
	if utf8.RuneCountInString(text) > MaxNameLength {
		text = strings.TrimSpace(string([]rune(text)[:MaxNameLength-1])) + "…"
	}
	return text
}
