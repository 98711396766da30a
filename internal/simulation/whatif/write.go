package whatif

import (
	"cmp"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// busiest is how many quarters of an hour of each pool the table shows.
const busiest = 6

// JSON writes the whole answer.
func (a *Answer) JSON(to io.Writer) error {
	out := json.NewEncoder(to)
	out.SetIndent("", "  ")
	return out.Encode(a)
}

// CSV writes the quarters of an hour of all pools.
func (a *Answer) CSV(to io.Writer) error {
	out := csv.NewWriter(to)
	if err := out.Write([]string{"start", "pool", "type", "arrivals", "required", "agents", "service_level", "abandonment"}); err != nil {
		return err
	}
	for i := range a.Pools {
		p := &a.Pools[i]
		for j := range p.Quarters {
			c := &p.Quarters[j]
			if err := out.Write([]string{
				c.Start.Format(time.RFC3339), p.Name, string(p.Type), decimal(c.Arrivals, 1), strconv.Itoa(c.Required), decimal(c.Agents, 2),
				shareCell(c.ServiceLevel), shareCell(c.Abandonment),
			}); err != nil {
				return err
			}
		}
	}
	out.Flush()
	return out.Error()
}

func decimal(v float64, digits int) string { return strconv.FormatFloat(v, 'f', digits, 64) }

func shareCell(v *float64) string {
	if v == nil {
		return ""
	}
	return decimal(*v, 4)
}

// Table writes what people read: the pools, what limits, the busiest quarters of an hour, what was assumed, and the verdict.
func (a *Answer) Table(to io.Writer) error {
	w := tabwriter.NewWriter(to, 2, 8, 2, ' ', 0)
	draws := "1 draw"
	if a.Draws > 1 {
		draws = fmt.Sprintf("%d draws, ± 95 %%", a.Draws)
	}
	fmt.Fprintf(w, "ServiceDesk %s, %s to %s %s: %.0f conversations (%s)\n\n", a.Desk, a.From.Format("2006-01-02 15:04"), a.To.Format("2006-01-02 15:04"),
		a.From.Location(), a.Conversations.Mean, draws)
	fmt.Fprintln(w, "POOL\tARRIVALS\tSERVICE LEVEL\tOBJECTIVE\tABANDONED\tAT MOST\tP95 WAIT\tAGENT-HOURS\tPEAK\tREQUIRED")
	for i := range a.Pools {
		p := &a.Pools[i]
		fmt.Fprintf(w, "%s\t%.0f\t%s\t%s in %s\t%s\t%s\t%s\t%s\t%.0f\t%d\n", p.Name, p.Conversations.Mean, shareOf(p.ServiceLevel),
			percent(p.Objective.Share), seconds(p.Objective.WithinSeconds), shareOf(p.Abandonment), percent(p.Objective.MaxAbandonment),
			plusMinus(p.P95Wait, 1, 0, " s"), plusMinus(p.AgentHours, 1, 1, ""), p.PeakAgents.Mean, p.PeakRequired)
	}
	a.limits(w)
	for i := range a.Pools {
		a.Pools[i].busiest(w)
	}
	fmt.Fprintf(w, "\nAssumed:\n")
	for _, text := range a.Assumed {
		fmt.Fprintf(w, "- %s\n", text)
	}
	fmt.Fprintf(w, "\n%s\n", a.Verdict)
	return w.Flush()
}

func shareOf(e Estimate) string { return plusMinus(e, 100, 1, " %") }

func plusMinus(e Estimate, factor float64, digits int, unit string) string {
	text := decimal(factor*e.Mean, digits)
	if e.PlusMinus > 0 {
		text += " ±" + decimal(factor*e.PlusMinus, digits)
	}
	return text + unit
}

func (a *Answer) limits(w *tabwriter.Writer) {
	var lines []string
	for i := range a.Pools {
		p := &a.Pools[i]
		for j := range p.Limits {
			lines = append(lines, p.sentence(&p.Limits[j], a.Draws))
		}
	}
	if len(lines) == 0 {
		fmt.Fprintf(w, "\nNothing limits.\n")
		return
	}
	fmt.Fprintf(w, "\nWhat limits, the first of each pool at the top:\n- %s\n", strings.Join(lines, "\n- "))
}

// busiest prints the quarters of an hour in which most agents are required, in their order.
func (p *Pool) busiest(w *tabwriter.Writer) {
	list := slices.Clone(p.Quarters)
	slices.SortStableFunc(list, func(a, b Curve) int {
		return cmp.Or(cmp.Compare(b.Required, a.Required), cmp.Compare(b.Arrivals, a.Arrivals))
	})
	list = list[:min(busiest, len(list))]
	slices.SortFunc(list, func(a, b Curve) int { return a.Start.Compare(b.Start) })
	fmt.Fprintf(w, "\nBUSIEST OF %s\tARRIVALS\tREQUIRED\tAGENTS\tSERVICE LEVEL\tABANDONED\n", strings.ToUpper(p.Name))
	for i := range list {
		c := &list[i]
		level, abandonment := "-", "-"
		if c.ServiceLevel != nil {
			level, abandonment = percent(*c.ServiceLevel), percent(*c.Abandonment)
		}
		fmt.Fprintf(w, "%s\t%.1f\t%d\t%.1f\t%s\t%s\n", c.Start.Format(clock), c.Arrivals, c.Required, c.Agents, level, abandonment)
	}
}
