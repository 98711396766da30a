package world

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"strconv"
	"strings"
	"time"
)

// Columns of a trace: those of conversations, and those of counts.
const (
	columnArrival, columnService, columnPatience, columnPriority = 0, 1, 2, 3
	columnStart, columnCount                                     = 0, 1
)

// The names that the columns of each kind have. The first name of a column is the documented one; the others are those
// that recorded traces come with.
var (
	conversationColumns = [][]string{
		{"arrival_s", "arrival", "arrival_time", "arrived_at"}, {"service_s", "service", "service_time", "handle_s", "handle_time"},
		{"patience_s", "patience"}, {"priority"},
	}
	// logColumns are those of a log without counts.
	logColumns   = [][]string{{"timestamp", "time", "datetime"}}
	countColumns = [][]string{
		{"interval_start", "interval", "start", "timestamp", "time", "datetime", "date"},
		{"count", "arrivals", "value", "calls", "conversations", "volume"},
	}
)

// table is a CSV whose columns are known by their names.
type table struct {
	csv *csv.Reader
	// counts says that it has counts, else conversations.
	counts bool
	// at is where each column is; -1 for nowhere.
	at  []int
	err error
}

func newTable(from io.Reader) (*table, error) {
	buffered := bufio.NewReader(from)
	if mark, err := buffered.Peek(3); err == nil && string(mark) == "\ufeff" {
		_, _ = buffered.Discard(3) // it was peeked at
	}
	start, _ := buffered.Peek(1024) // a short file has less
	line := ""
	for line = range strings.Lines(string(start)) {
		if !strings.HasPrefix(line, "#") && strings.TrimSpace(line) != "" {
			break // this is the header
		}
	}
	t := &table{csv: csv.NewReader(buffered)}
	t.csv.FieldsPerRecord, t.csv.Comment, t.csv.TrimLeadingSpace, t.csv.ReuseRecord = -1, '#', true, true
	for _, other := range []rune{';', '\t'} {
		if !strings.ContainsRune(line, ',') && strings.ContainsRune(line, other) {
			t.csv.Comma = other
		}
	}
	header, err := t.csv.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("it is empty: begin it with arrival_s,service_s,patience_s,priority or interval_start,count")
	}
	if err != nil {
		return nil, fmt.Errorf("the first line: %w", err)
	}
	return t, t.understand(header)
}

// understand finds the columns.
func (t *table) understand(header []string) error {
	names := make([]string, len(header))
	for i, cell := range header {
		names[i] = strings.NewReplacer(" ", "_", "-", "_").Replace(strings.ToLower(strings.TrimSpace(cell)))
	}
	columns := conversationColumns
	if t.at = places(columns, names); t.at[columnArrival] < 0 && len(names) > 1 && places(countColumns, names)[columnCount] < 0 {
		t.at[columnArrival] = places(logColumns, names)[0] // a log: its time is that of one conversation
	}
	if t.at[columnArrival] < 0 {
		columns = countColumns
		if t.at = places(columns, names); t.at[columnStart] < 0 {
			return fmt.Errorf("the first line begins with %.60q: begin it with arrival_s or interval_start", names[0])
		}
		t.counts = true
	}
	// A header that is cut short: what follows is as it is documented.
	for i := range names {
		if i >= len(columns) || t.at[i] != i {
			if t.counts && t.at[columnCount] < 0 {
				return fmt.Errorf("the first line has no column count: begin it with interval_start,count")
			}
			return nil
		}
	}
	for i := len(names); i < len(columns); i++ {
		t.at[i] = i
	}
	return nil
}

func places(columns [][]string, names []string) []int {
	at := make([]int, len(columns))
	for i, known := range columns {
		at[i] = -1
		for _, name := range known {
			for j, n := range names {
				if n == name && at[i] < 0 {
					at[i] = j
				}
			}
		}
	}
	return at
}

// row of a table, valid until the next.
type row struct {
	cells []string
	at    []int
	line  int
}

// cell of a column; empty when it is not there.
func (r *row) cell(column int) string {
	if i := r.at[column]; i >= 0 && i < len(r.cells) {
		return strings.TrimSpace(r.cells[i])
	}
	return ""
}

// conversation of a row.
func (r *row) conversation(at *instants) (c Conversation, err error) {
	if c.Arrival, err = at.read(r.cell(columnArrival)); err != nil {
		return c, err
	}
	if c.Service, err = optional(r.cell(columnService)); err != nil {
		return c, err
	}
	if c.Patience, err = optional(r.cell(columnPatience)); err != nil {
		return c, err
	}
	priority, err := optional(r.cell(columnPriority))
	if err == nil && (priority != math.Trunc(priority) || priority > math.MaxInt32) {
		err = fmt.Errorf("%.60q is no priority: use a whole number of 0 or more", r.cell(columnPriority))
	}
	c.Priority = int(priority)
	return c, err
}

func (r *row) wrong(err error) error { return fmt.Errorf("line %d: %w", r.line, err) }

// all rows with something in them; what stops them is in err.
func (t *table) all() iter.Seq[*row] {
	return func(yield func(*row) bool) {
		r := &row{at: t.at}
		for {
			cells, err := t.csv.Read()
			if err != nil {
				if !errors.Is(err, io.EOF) {
					t.err = err
				}
				return
			}
			r.cells = cells
			r.line, _ = t.csv.FieldPos(0)
			if !yield(r) {
				return
			}
		}
	}
}

// optional is a number, or 0 for nothing.
func optional(text string) (float64, error) {
	if text == "" {
		return 0, nil
	}
	return number(text)
}

// greatest is more than any time of a trace, also in milliseconds since 1970, and than any count.
const greatest = 1e13

func number(text string) (float64, error) {
	x, err := strconv.ParseFloat(text, 64)
	if err != nil || !(x >= 0) || x > greatest { // also NaN
		return 0, fmt.Errorf("%.60q is no number of 0 or more", text)
	}
	return x, nil
}

// instants reads times, all of one kind.
type instants struct {
	location *time.Location
	// absolute says that times are since 1970.
	absolute, relative bool
}

// A number from firstUnix on is a Unix time, of 1973 and later, one from firstMilli on in milliseconds.
const firstUnix, firstMilli = 1e8, 1e11

// read gives seconds: since 1970 for absolute times, else since the beginning of the trace.
func (i *instants) read(text string) (float64, error) {
	if x, err := strconv.ParseFloat(text, 64); err == nil {
		if _, err := number(text); err != nil {
			return 0, err
		}
		switch {
		case x >= firstMilli:
			i.absolute = true
			return x / 1000, nil
		case x >= firstUnix:
			i.absolute = true
		default:
			i.relative = true
		}
		return x, nil
	}
	for _, layout := range []string{
		time.RFC3339, time.DateTime, "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02 15:04:05Z07:00", time.DateOnly,
	} {
		if at, err := time.ParseInLocation(layout, text, i.location); err == nil && at.Unix() >= firstUnix {
			i.absolute = true
			return float64(at.Unix()) + float64(at.Nanosecond())/1e9, nil
		}
	}
	return 0, fmt.Errorf("%.60q is no time: write seconds since the beginning, a Unix time, or 2026-11-11T00:00:00Z", text)
}

// check that all times are of one kind.
func (i *instants) check() error {
	if i.absolute && i.relative {
		return fmt.Errorf("some of its times are dates, others are seconds below %.0f: use one kind", firstUnix)
	}
	return nil
}

func unix(seconds float64) time.Time {
	whole, part := math.Modf(seconds)
	return time.Unix(int64(whole), int64(part*1e9))
}
