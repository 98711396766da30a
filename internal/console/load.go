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

	archive "github.com/deskfleet/deskfleet/internal/archive/protocol"
	"github.com/deskfleet/deskfleet/internal/web/problem"
)

// loadReply is what came to the desk in a time.
type loadReply struct {
	From        time.Time `json:"from"`
	To          time.Time `json:"to"`
	StepSeconds int       `json:"stepSeconds"`
	archive.Load
}

// loadReport asks the archive what came to the desk, after the question was stored for the audit.
func (c *Console) loadReport(k *call) (any, error) {
	from, fromErr := instant(k, "from")
	to, toErr := instant(k, "to")
	format := k.URL.Query().Get("format")
	if err := errors.Join(fromErr, toErr, checkRange(from, to), checkFormat(format)); err != nil {
		return nil, err
	}
	request := archive.ReportRequest{By: archive.ByLoad, From: from, To: to}
	details, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	if err := k.link.report(k.Context(), "report.read", k.user, "", details); err != nil {
		return nil, err
	}
	reply, err := k.link.archive.Report(k.Context(), request)
	if err != nil {
		return nil, err
	}
	out := &loadReply{From: from, To: to, StepSeconds: int(archive.LoadStep.Seconds())}
	if reply.Load != nil {
		out.Load = *reply.Load
	}
	if format == "csv" {
		return csvLoad{out, c.log}, nil
	}
	return out, nil
}

// csvLoad is a load as a trace.
type csvLoad struct {
	*loadReply
	log *slog.Logger
}

func (l csvLoad) write(ctx context.Context, w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/csv; charset=utf-8; header=present")
	w.Header().Set("Content-Disposition", `attachment; filename="load-`+l.From.UTC().Format("20060102")+"-"+l.To.UTC().Format("20060102")+`.csv"`)
	out := csv.NewWriter(w)
	err := out.Write([]string{"interval_start", "count"})
	for i, n := range l.Arrivals {
		at := l.From.Add(time.Duration(i) * archive.LoadStep).UTC()
		err = errors.Join(err, out.Write([]string{at.Format(time.RFC3339), strconv.FormatInt(n, 10)}))
	}
	out.Flush()
	if err := errors.Join(err, out.Error()); err != nil {
		l.log.Log(ctx, problem.Level(ctx, err), "a report broke off", "error", err)
		panic(http.ErrAbortHandler) // half a table must not look like a whole one
	}
}
