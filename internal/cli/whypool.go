package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
)

func newWhyPool() *cobra.Command {
	var access kubectl
	var format string
	cmd := &cobra.Command{
		Use:   "pool NAME",
		Short: "Tell why a pool has as many agents as it has",
		Long: `Pool prints the last decision about the agents of an AgentPool: what each way of the
decision asks for, which one won, what limits, and what is planned. It reads the
status of the pool, at most half a minute old, with your own rights:

  kubectl desk why pool shop-bots -n shop`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return &usageError{fmt.Errorf("%d arguments: give the name of one AgentPool", len(args))}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if format != outputTable && format != outputJSON {
				return &usageError{fmt.Errorf("--output is %q: use table or json", format)}
			}
			pool := &v1alpha1.AgentPool{}
			if err := access.get(cmd.Context(), pool, "agentpools.deskfleet.dev", args[0]); err != nil {
				return err
			}
			if format == outputTable {
				return printPool(cmd.OutOrStdout(), pool)
			}
			if pool.Spec.Type == v1alpha1.PoolTypeHuman && pool.Status.Seats != nil {
				return encode(cmd.OutOrStdout(), pool.Status.Seats)
			}
			if pool.Status.Scaling == nil {
				return fmt.Errorf("AgentPool %s has no status.scaling: it is a pool of people, or nothing has been decided yet", pool.Name)
			}
			return encode(cmd.OutOrStdout(), pool.Status.Scaling)
		},
	}
	access.addFlags(cmd.Flags())
	cmd.Flags().StringVarP(&format, "output", "o", outputTable, "table or json")
	return cmd
}

func encode(out io.Writer, v any) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}

// limiterWords say what each limiter of a decision means.
var limiterWords = map[string]string{
	"min": "min asks for more", "max": "max allows no more", "peak": "a running peak asks for more", "cap": "a running peak caps the pool",
	"budget": "the day's agent-hours would not last", "hold": "more were needed a moment ago", "panic": "nobody leaves in a burst",
	"pace": "a pool shrinks step by step, not in a rollout and not shortly before a peak", "stale": "the desk's figures are missing or cannot be",
}

// lines collects what is printed, and the first failure to print it.
type lines struct {
	out io.Writer
	err error
}

func (l *lines) say(format string, args ...any) {
	if l.err == nil {
		_, l.err = fmt.Fprintf(l.out, format, args...)
	}
}

// printPool prints a decision for somebody who wonders.
func printPool(out io.Writer, pool *v1alpha1.AgentPool) error {
	l := &lines{out: out}
	st, d := &pool.Status, pool.Status.Scaling
	switch {
	case pool.Spec.Type == v1alpha1.PoolTypeHuman:
		l.people(pool)
	case pool.Spec.Scaling == nil:
		l.say("AgentPool %s has no spec.scaling: spec.replicas says %d, you or an autoscaler through /scale; %d run and do not drain.\n", pool.Name, pool.Spec.Replicas, st.Replicas)
		if d != nil {
			l.say("What the operator would do:\n")
			l.decision(pool.Name, d)
		}
	case d == nil:
		return errors.Join(l.err, fmt.Errorf("nothing has been decided about AgentPool %s yet: look at its conditions", pool.Name))
	default:
		l.decision(pool.Name, d)
	}
	for _, name := range []string{v1alpha1.ConditionScalingActive, v1alpha1.ConditionScalingLimited, v1alpha1.ConditionStaffed} {
		if c := meta.FindStatusCondition(st.Conditions, name); c != nil {
			l.say("%s is %s since %s, %s: %s\n", c.Type, c.Status, c.LastTransitionTime.UTC().Format(time.RFC3339), c.Reason, c.Message)
		}
	}
	return l.err
}

// people says how many are needed, when they will be missing, and who was called in.
func (l *lines) people(pool *v1alpha1.AgentPool) {
	st := &pool.Status
	l.say("AgentPool %s of people: %d seats are required, %d signed on, %d missing.\n", pool.Name, st.Required, st.SignedOn, st.Shortfall)
	s := st.Seats
	if s == nil {
		return
	}
	if s.Scheduled != nil {
		l.say("On the roster are %d", *s.Scheduled)
		if s.RequiredScheduled != nil {
			l.say("; %d should be, shrinkage counted in", *s.RequiredScheduled)
		}
		l.say(".\n")
	}
	switch {
	case s.Next != nil:
		l.say("Next shortfall: %d seats from %s to %s.\n", s.Next.Seats, s.Next.At.UTC().Format(time.RFC3339), s.Next.Until.UTC().Format(time.RFC3339))
	case s.Scheduled != nil && s.Peak != nil:
		l.say("No shortfall in the next eight days.\n")
	}
	if s.Peak != nil {
		l.say("Most are needed at %s: %d on the roster.\n", s.Peak.At.UTC().Format(time.RFC3339), s.Peak.Seats)
	}
	for i := range s.Reserve {
		r := &s.Reserve[i]
		l.say("Reserve %s: %s", r.Name, r.State)
		if r.Since != nil {
			l.say(" since %s", r.Since.UTC().Format(time.RFC3339))
		}
		if r.By != "" {
			l.say(", by %s", r.By)
		}
		if r.Until != nil {
			l.say(", until %s at least", r.Until.UTC().Format(time.RFC3339))
		}
		l.say("\n")
	}
}

func (l *lines) decision(name string, d *v1alpha1.PoolScalingStatus) {
	verb := "are to"
	if d.Mode == v1alpha1.ScalingExternal {
		verb = "should"
	}
	l.say("AgentPool %s: %d workers %s serve", name, d.Recommended, verb)
	if d.At != nil {
		l.say(" since %s", d.At.UTC().Format(time.RFC3339))
	}
	l.say(", %d do; the load needs %d.\n%s\n", d.Current, d.Needed, d.Reason)
	if d.Limiter != "" {
		l.say("Not the needed number: %s (%s).\n", limiterWords[d.Limiter], d.Limiter)
	}
	if len(d.Proposals) > 0 {
		l.say("\n")
		l.proposals(d)
	}
	l.say("\nLead time: %s", d.LeadTime)
	if n := d.Next; n != nil {
		verb := map[string]string{"Begins": "begins", "Ends": "ends"}[n.Phase]
		l.say("; planned: peak %s %s, at least %d workers from %s on", n.Peak, verb, n.Floor, n.At.UTC().Format(time.RFC3339))
	}
	l.say("\n")
}

func (l *lines) proposals(d *v1alpha1.PoolScalingStatus) {
	table := tabwriter.NewWriter(l.out, 0, 0, 2, ' ', 0)
	cells := &lines{out: table, err: l.err}
	cells.say("PROPOSAL\tWORKERS\tCONVERSATIONS\tARRIVALS PER HOUR\n")
	for _, p := range d.Proposals {
		won, arrivals := "", "-"
		if p.Name == d.Winner {
			won = " (wins)"
		}
		if p.Name != "feedback" {
			arrivals = fmt.Sprint(p.ArrivalsPerHour)
		}
		cells.say("%s%s\t%d\t%d\t%s\n", p.Name, won, p.Agents, p.Load, arrivals)
	}
	l.err = errors.Join(cells.err, table.Flush())
}
