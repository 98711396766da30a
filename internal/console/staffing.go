package console

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/deskfleet/deskfleet/internal/router/protocol"
	"github.com/deskfleet/deskfleet/internal/web/problem"
)

// staffing is what a pool of people needs in the next days.
type staffing struct {
	Pool             string         `json:"pool"`
	StepSeconds      int            `json:"stepSeconds"`
	ShrinkagePercent float64        `json:"shrinkagePercent"`
	Steps            []staffingStep `json:"steps"`
}

// staffingStep is one step; what is not known is nil.
type staffingStep struct {
	Start     time.Time `json:"start"`
	Arrivals  *float64  `json:"arrivals,omitempty"`
	Required  *int      `json:"required,omitempty"`
	Scheduled *int      `json:"scheduled,omitempty"`
	Rostered  *int      `json:"rostered,omitempty"`
	Missing   *int      `json:"missing,omitempty"`
}

// staffing asks the router for the plan of a pool, after the question was stored for the audit.
func (c *Console) staffing(k *call) (any, error) {
	pool, format := k.URL.Query().Get("pool"), k.URL.Query().Get("format")
	if err := errors.Join(checkPool(pool), checkFormat(format)); err != nil {
		return nil, err
	}
	details, err := json.Marshal(map[string]string{"pool": pool})
	if err != nil {
		return nil, err
	}
	if err := k.link.report(k.Context(), "staffing.read", k.user, "", details); err != nil {
		return nil, err
	}
	reply, err := k.link.router.Ask(k.Context(), k.user.Name, protocol.Request{Type: protocol.Staffing, Pool: pool})
	if err != nil {
		return nil, err
	}
	out := staffingOf(pool, reply.Staffing)
	if format == "csv" {
		return csvStaffing{out, c.log}, nil
	}
	return out, nil
}

func checkPool(pool string) error {
	if pool == "" {
		return problem.Field(http.StatusBadRequest, problem.CodeInvalid, "pool", "", "a plan is of one pool", "give the name of an AgentPool of type Human")
	}
	return nil
}

func staffingOf(pool string, plan *protocol.Plan) *staffing {
	out := &staffing{Pool: pool, Steps: []staffingStep{}}
	if plan == nil {
		return out
	}
	out.StepSeconds, out.ShrinkagePercent = plan.StepSeconds, plan.ShrinkagePercent
	for i := range plan.Required {
		s := staffingStep{
			Start:    plan.Start.Add(time.Duration(i*plan.StepSeconds) * time.Second).UTC(),
			Arrivals: known(plan.Arrivals[i]), Required: known(plan.Required[i]), Scheduled: known(plan.Scheduled[i]), Rostered: known(plan.Rostered[i]),
		}
		if s.Scheduled != nil && s.Rostered != nil {
			s.Missing = new(max(0, *s.Scheduled-*s.Rostered))
		}
		out.Steps = append(out.Steps, s)
	}
	return out
}

func known[T int | float64](n T) *T {
	if n < 0 {
		return nil
	}
	return &n
}

type csvStaffing struct {
	*staffing
	log *slog.Logger
}

// write sends the steps as a table; times are in UTC.
func (s csvStaffing) write(ctx context.Context, w http.ResponseWriter) {
	name := "staffing-" + s.Pool
	if len(s.Steps) > 0 {
		name += "-" + s.Steps[0].Start.Format("20060102")
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8; header=present")
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`.csv"`) // the router knows no pool with a quote in its name
	out := csv.NewWriter(w)
	err := out.Write([]string{"start", "arrivals", "required", "scheduled", "rostered", "missing"})
	for i := range s.Steps {
		step := &s.Steps[i]
		arrivals := ""
		if step.Arrivals != nil {
			arrivals = strconv.FormatFloat(*step.Arrivals, 'f', 1, 64)
		}
		err = errors.Join(err, out.Write([]string{
			step.Start.Format(time.RFC3339), arrivals, orNothing(step.Required), orNothing(step.Scheduled), orNothing(step.Rostered), orNothing(step.Missing),
		}))
	}
	out.Flush()
	if err = errors.Join(err, out.Error()); err != nil {
		s.log.Log(ctx, problem.Level(ctx, err), "a staffing plan broke off", "error", err)
		panic(http.ErrAbortHandler) // half a table must not look like a whole one
	}
}

func orNothing(n *int) string {
	if n == nil {
		return ""
	}
	return strconv.Itoa(*n)
}
