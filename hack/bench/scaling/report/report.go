// Package report collects the results of policies and prints them.
package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"text/tabwriter"

	"github.com/deskfleet/deskfleet/internal/simulation"
	"github.com/deskfleet/deskfleet/internal/simulation/world"
)

// Row is a policy in a scenario: the mean over its draws.
type Row struct {
	world.Result
	// Level95 and Hours95 are the half widths of the 95 % confidence intervals of service level and agent-hours.
	Level95 float64 `json:"serviceLevel95"`
	Hours95 float64 `json:"agentHours95"`
	Draws   int     `json:"draws"`
	// Levels are the service levels of the draws, by which policies are compared; programs of peers hand them over, they are not printed.
	Levels []float64 `json:"levels,omitempty"`
}

// Scenario with its policies.
type Scenario struct {
	Name     string `json:"name"`
	Policies []Row  `json:"policies"`
}

// Sheet is everything that was measured.
type Sheet struct {
	Scenarios []Scenario `json:"scenarios"`
}

// Add runs all policies in all draws of a scenario.
func (s *Sheet) Add(group world.Group, policies func(*world.Scenario) []world.Result) {
	var byPolicy [][]world.Result
	for _, draw := range group.Draws {
		for i, r := range policies(draw) {
			if i == len(byPolicy) {
				byPolicy = append(byPolicy, nil)
			}
			byPolicy[i] = append(byPolicy[i], r)
		}
	}
	sc := Scenario{Name: group.Name}
	for _, results := range byPolicy {
		sc.Policies = append(sc.Policies, mean(results))
	}
	s.Scenarios = append(s.Scenarios, sc)
}

// Measure runs the policies of a peer in the scenarios that are asked for, and
// writes the sheet into a file for whoever merges it.
func Measure(o *world.Options, file string, policies func(*world.Scenario) []world.Result) error {
	groups, err := o.Scenarios()
	if err != nil {
		return err
	}
	var sheet Sheet
	for _, group := range groups {
		sheet.Add(group, policies)
	}
	content, err := json.Marshal(&sheet)
	if err != nil {
		return fmt.Errorf("the sheet: %w", err)
	}
	if err := os.WriteFile(file, content, 0o600); err != nil {
		return fmt.Errorf("the sheet: %w", err)
	}
	return nil
}

// Merge adds the policies of another sheet to the scenarios of the same name.
func (s *Sheet) Merge(other *Sheet) {
	for _, sc := range other.Scenarios {
		i := slices.IndexFunc(s.Scenarios, func(o Scenario) bool { return o.Name == sc.Name })
		if i < 0 {
			s.Scenarios = append(s.Scenarios, sc)
			continue
		}
		s.Scenarios[i].Policies = append(s.Scenarios[i].Policies, sc.Policies...)
	}
}

func mean(results []world.Result) Row {
	row := Row{Draws: len(results)}
	row.Name, row.Series = results[0].Name, results[0].Series
	n := float64(len(results))
	whole := func(get func(world.Result) int) int {
		sum := 0
		for _, r := range results {
			sum += get(r)
		}
		return int(math.Round(float64(sum) / n))
	}
	part := func(get func(world.Result) float64) (mean, half float64) {
		values := make([]float64, len(results))
		for i, r := range results {
			values[i] = get(r)
		}
		return simulation.Interval(values)
	}
	row.ServiceLevel, row.Level95 = part(func(r world.Result) float64 { return r.ServiceLevel })
	for _, r := range results {
		row.Levels = append(row.Levels, r.ServiceLevel)
	}
	row.AgentHours, row.Hours95 = part(func(r world.Result) float64 { return r.AgentHours })
	row.Abandonment, _ = part(func(r world.Result) float64 { return r.Abandonment })
	row.P50, _ = part(func(r world.Result) float64 { return r.P50 })
	row.P95, _ = part(func(r world.Result) float64 { return r.P95 })
	row.Dropped = whole(func(r world.Result) int { return r.Dropped })
	row.HandedOver = whole(func(r world.Result) int { return r.HandedOver })
	row.ScaleEvents = whole(func(r world.Result) int { return r.ScaleEvents })
	row.PodsMade = whole(func(r world.Result) int { return r.PodsMade })
	row.Conversations = whole(func(r world.Result) int { return r.Conversations })
	for _, r := range results {
		if r.Dropped > 0 {
			row.Dropped = max(row.Dropped, 1) // one dropped in ten days is not none
		}
	}
	return row
}

// Write prints the sheet as a table or as JSON.
func (s *Sheet) Write(to io.Writer, form string) error {
	switch form {
	case "json":
		for i := range s.Scenarios {
			for j := range s.Scenarios[i].Policies {
				s.Scenarios[i].Policies[j].Series, s.Scenarios[i].Policies[j].Levels = nil, nil
			}
		}
		encoder := json.NewEncoder(to)
		encoder.SetIndent("", " ")
		return encoder.Encode(s)
	case "table":
		return s.table(to)
	default:
		return fmt.Errorf("-o %s: use table or json", form)
	}
}

func (s *Sheet) table(to io.Writer) error {
	w := tabwriter.NewWriter(to, 2, 8, 2, ' ', 0)
	for _, sc := range s.Scenarios {
		limit := 0.0
		if r := sc.row(bound); r != nil {
			limit = r.AgentHours
		}
		fmt.Fprintf(w, "%s: %d conversations, %d draws\n", sc.Name, sc.Policies[0].Conversations, sc.Policies[0].Draws)
		fmt.Fprintln(w, "  policy\tin time %\t±\tabandoned %\tagent-hours\t±\tof bound\tp95 s\tdropped\thanded over\tevents\tpods")
		rows := slices.Clone(sc.Policies)
		slices.SortStableFunc(rows, func(a, b Row) int { return cmp.Compare(rank(a.Name), rank(b.Name)) })
		for _, r := range rows {
			fmt.Fprintf(w, "  %s\t%.2f\t%.2f\t%.2f\t%.1f\t%.1f\t%s\t%.1f\t%d\t%d\t%d\t%d\n", r.Name, 100*r.ServiceLevel, 100*r.Level95, 100*r.Abandonment,
				r.AgentHours, r.Hours95, ratio(r.AgentHours, limit), r.P95, r.Dropped, r.HandedOver, r.ScaleEvents, r.PodsMade)
		}
		fmt.Fprintln(w)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("the table: %w", err)
	}
	s.bars(to)
	return nil
}

func ratio(a, b float64) string {
	if b <= 0 {
		return "-"
	}
	return fmt.Sprintf("%.3f", a/b)
}

func rank(name string) int {
	switch name {
	case ours:
		return 0
	case bound:
		return 1
	default:
		return 2
	}
}
