package report

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/deskfleet/deskfleet/internal/simulation/world"
)

// A plot has one strip a policy: demand and slots, and below them the queue.
const (
	plotWidth, stripHeight = 1000.0, 150.0
	queueHeight, margin    = 30.0, 24.0
	// plotPoints of a line: more are not seen.
	plotPoints = 300
)

// Plot writes an SVG a scenario into a folder: conversations in the system, slots that serve, and the queue, by policy,
// of the first draw. Only are the policies that are shown; none for all.
func (s *Sheet) Plot(folder string, only ...string) error {
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return err
	}
	for _, sc := range s.Scenarios {
		name := strings.NewReplacer(" ", "-", ",", "", "/", "-").Replace(sc.Name) + ".svg"
		if err := os.WriteFile(filepath.Join(folder, name), sc.svg(only), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (sc *Scenario) svg(only []string) []byte {
	var rows []Row
	for _, r := range sc.Policies {
		if len(r.Series) > 1 && (len(only) == 0 || slices.Contains(only, r.Name)) {
			r.Series = thin(r.Series)
			rows = append(rows, r)
		}
	}
	var b bytes.Buffer
	height := float64(len(rows))*(stripHeight+queueHeight+margin) + 2*margin
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" font-family="sans-serif" font-size="12">`+"\n", plotWidth+2*margin, height)
	fmt.Fprint(&b, `<rect width="100%" height="100%" fill="white"/>`+"\n")
	text(&b, margin, margin*0.8, sc.Name+": conversations in the system (grey), slots that serve (blue), waiting (red)")
	most, queue, end := 1, 1, 1.0
	for _, r := range rows {
		for _, p := range r.Series {
			most, queue, end = max(most, p.Demand, p.Slots), max(queue, p.Queue), max(end, p.At)
		}
	}
	for i, r := range rows {
		top := float64(i)*(stripHeight+queueHeight+margin) + 2*margin
		text(&b, margin, top-4, fmt.Sprintf("%s: %.2f %% in time, %.1f agent-hours, %d dropped", r.Name, 100*r.ServiceLevel, r.AgentHours, r.Dropped))
		line := func(color string, base, height float64, most int, value func(world.Point) int) {
			fmt.Fprintf(&b, `<polyline fill="none" stroke="%s" stroke-width="1" points="`, color)
			for _, p := range r.Series {
				fmt.Fprintf(&b, "%.1f,%.1f ", margin+p.At/end*plotWidth, base-float64(value(p))/float64(most)*height)
			}
			fmt.Fprint(&b, `"/>`+"\n")
		}
		line("#888", top+stripHeight, stripHeight, most, func(p world.Point) int { return p.Demand })
		line("#06c", top+stripHeight, stripHeight, most, func(p world.Point) int { return p.Slots })
		line("#c00", top+stripHeight+queueHeight, queueHeight, queue, func(p world.Point) int { return p.Queue })
	}
	fmt.Fprint(&b, "</svg>\n")
	return b.Bytes()
}

// thin keeps as many points as are seen: of neighbours one, with the greatest that each of its values has among them.
func thin(series []world.Point) []world.Point {
	each := (len(series) + plotPoints - 1) / plotPoints
	out := make([]world.Point, 0, plotPoints)
	for part := range slices.Chunk(series, each) {
		p := part[0]
		for _, q := range part[1:] {
			p.Demand, p.Slots, p.Queue = max(p.Demand, q.Demand), max(p.Slots, q.Slots), max(p.Queue, q.Queue)
		}
		out = append(out, p)
	}
	return out
}

func text(b *bytes.Buffer, x, y float64, content string) {
	fmt.Fprintf(b, `<text x="%g" y="%g">`, x, y)
	_ = xml.EscapeText(b, []byte(content)) // a buffer takes everything
	fmt.Fprint(b, "</text>\n")
}
