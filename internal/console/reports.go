package console

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	archive "github.com/deskfleet/deskfleet/internal/archive/protocol"
	"github.com/deskfleet/deskfleet/internal/web/problem"
)

// stream is an answer that is written part by part, when its first part is known: until then a request can be refused.
type stream interface {
	write(ctx context.Context, w http.ResponseWriter)
}

// report is one, of which the first part is known.
type report struct {
	link    *link
	request archive.ReportRequest
	first   *archive.ReportReply
	log     *slog.Logger
}

// reports asks the archive what agents or queues did, after the question was stored for the audit.
func (c *Console) reports(by archive.ReportBy) func(*call) (any, error) {
	return func(k *call) (any, error) {
		from, fromErr := instant(k, "from")
		to, toErr := instant(k, "to")
		within, withinErr := number(k, "within", 0, uint64(archive.MaxWithin.Seconds()))
		format := k.URL.Query().Get("format")
		if err := errors.Join(fromErr, toErr, withinErr, checkRange(from, to), checkFormat(format)); err != nil {
			return nil, err
		}
		r := &report{link: k.link, log: c.log, request: archive.ReportRequest{
			By: by, From: from, To: to, WithinSeconds: int(within), //nolint:gosec // at most a day
			Tag: k.URL.Query().Get("tag"), Disposition: k.URL.Query().Get("disposition"),
		}}
		details, err := json.Marshal(r.request)
		if err != nil {
			return nil, err
		}
		if err := k.link.report(k.Context(), "report.read", k.user, "", details); err != nil {
			return nil, err
		}
		if r.first, err = k.link.archive.Report(k.Context(), r.request); err != nil {
			return nil, err
		}
		if format == "csv" {
			return csvReport{r}, nil
		}
		return r.whole(k.Context())
	}
}

func checkRange(from, to time.Time) error {
	switch {
	case from.IsZero():
		return problem.Field(http.StatusBadRequest, problem.CodeInvalid, "from", "", "a report is of a bounded time", "give from and to in RFC 3339, such as 2026-11-20T08:00:00Z")
	case !to.After(from) || to.Sub(from) > archive.MaxReportRange:
		return problem.Field(http.StatusBadRequest, problem.CodeInvalid, "to", to.Format(time.RFC3339), "a report is of a bounded time",
			"give a time after from, at most "+strconv.Itoa(int(archive.MaxReportRange.Hours()/24))+" days later")
	}
	return nil
}

func checkFormat(format string) error {
	if format != "" && format != "json" && format != "csv" {
		return problem.Field(http.StatusBadRequest, problem.CodeInvalid, "format", format, "", "use json or csv")
	}
	return nil
}

// parts calls f for each part of the report.
func (r *report) parts(ctx context.Context, f func([]archive.ReportRow) error) error {
	part := r.first
	for {
		if err := f(part.Rows); err != nil || part.Next == "" {
			return err
		}
		var err error
		if part, err = r.after(ctx, part.Next); err != nil {
			return err
		}
	}
}

func (r *report) after(ctx context.Context, next string) (*archive.ReportReply, error) {
	ctx, cancel := context.WithTimeout(ctx, archiveWithin)
	defer cancel()
	request := r.request
	request.After = next
	return r.link.archive.Report(ctx, request)
}

// reportReply is what is answered.
type reportReply struct {
	From    time.Time               `json:"from"`
	To      time.Time               `json:"to"`
	Rows    []archive.ReportRow     `json:"rows"`
	Missing []archive.MissingFigure `json:"missing"`
}

func (r *report) whole(ctx context.Context) (any, error) {
	reply := reportReply{From: r.request.From, To: r.request.To, Rows: []archive.ReportRow{}, Missing: orEmpty(r.first.Missing)}
	err := r.parts(ctx, func(rows []archive.ReportRow) error {
		reply.Rows = append(reply.Rows, rows...)
		return nil
	})
	return reply, err
}

type csvReport struct{ *report }

// write sends the rows as they come. When the archive fails on the way the connection is cut: half a table must not
// look like a whole one.
func (r csvReport) write(ctx context.Context, w http.ResponseWriter) {
	name := "report-" + string(r.request.By) + "-" + r.request.From.UTC().Format("20060102") + "-" + r.request.To.UTC().Format("20060102") + ".csv"
	w.Header().Set("Content-Type", "text/csv; charset=utf-8; header=present")
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	if err := r.table(ctx, w); err != nil {
		r.log.Log(ctx, problem.Level(ctx, err), "a report broke off", "error", err)
		panic(http.ErrAbortHandler)
	}
}

func (r csvReport) table(ctx context.Context, w io.Writer) error {
	out := csv.NewWriter(w)
	header := make([]string, len(columns))
	for i, c := range columns {
		header[i] = c.name
	}
	if err := out.Write(header); err != nil {
		return err
	}
	err := r.parts(ctx, func(rows []archive.ReportRow) error {
		for i := range rows {
			if err := out.Write(cells(&rows[i])); err != nil {
				return err
			}
		}
		out.Flush()
		return out.Error()
	})
	out.Flush()
	return errors.Join(err, out.Error())
}

// columns of the table. Times are in seconds, shares from 0 to 1, and empty where there is nothing to take a share of.
var columns = []struct {
	name string
	of   func(*archive.ReportRow) string
}{
	{"id", func(r *archive.ReportRow) string { return cell(r.ID) }},
	{"kind", func(r *archive.ReportRow) string { return cell(string(r.Kind)) }},
	{"name", func(r *archive.ReportRow) string { return cell(r.Name) }},
	{"pool", func(r *archive.ReportRow) string { return cell(r.Pool) }},
	{"stays", func(r *archive.ReportRow) string { return whole(r.Stays) }},
	{"answered", func(r *archive.ReportRow) string { return whole(r.Answered) }},
	{"abandoned", func(r *archive.ReportRow) string { return whole(r.Abandoned) }},
	{"moved", func(r *archive.ReportRow) string { return whole(r.Moved) }},
	{"turned_away", func(r *archive.ReportRow) string { return whole(r.TurnedAway) }},
	{"waiting", func(r *archive.ReportRow) string { return whole(r.Waiting) }},
	{"conversations", func(r *archive.ReportRow) string { return whole(r.Conversations) }},
	{"abandonment_share", func(r *archive.ReportRow) string { return ratio(r.AbandonmentShare) }},
	{"answered_within", func(r *archive.ReportRow) string { return whole(r.AnsweredWithin) }},
	{"within_seconds", func(r *archive.ReportRow) string { return whole(int64(r.WithinSeconds)) }},
	{"service_level", func(r *archive.ReportRow) string { return ratio(r.ServiceLevel) }},
	{"wait_mean", func(r *archive.ReportRow) string { return decimal(r.Wait.MeanSeconds) }},
	{"wait_p50", func(r *archive.ReportRow) string { return decimal(r.Wait.P50Seconds) }},
	{"wait_p90", func(r *archive.ReportRow) string { return decimal(r.Wait.P90Seconds) }},
	{"first_response_mean", func(r *archive.ReportRow) string { return decimal(r.FirstResponse.MeanSeconds) }},
	{"first_response_p50", func(r *archive.ReportRow) string { return decimal(r.FirstResponse.P50Seconds) }},
	{"first_response_p90", func(r *archive.ReportRow) string { return decimal(r.FirstResponse.P90Seconds) }},
	{"handle_mean", func(r *archive.ReportRow) string { return decimal(r.Handle.MeanSeconds) }},
	{"handle_p50", func(r *archive.ReportRow) string { return decimal(r.Handle.P50Seconds) }},
	{"handle_p90", func(r *archive.ReportRow) string { return decimal(r.Handle.P90Seconds) }},
	{"transfers", func(r *archive.ReportRow) string { return whole(r.Transfers) }},
	{"lost", func(r *archive.ReportRow) string { return whole(r.Lost) }},
	{"closed", func(r *archive.ReportRow) string { return whole(r.Closed) }},
	{"reopened", func(r *archive.ReportRow) string { return whole(r.Reopened) }},
	{"resolved_first", func(r *archive.ReportRow) string { return whole(r.ResolvedFirst) }},
	{"provisional", func(r *archive.ReportRow) string { return whole(r.Provisional) }},
	{"first_contact_resolution", func(r *archive.ReportRow) string { return ratio(r.FirstContactResolution) }},
	{"deflected", func(r *archive.ReportRow) string { return whole(r.Deflected) }},
	{"deflection_share", func(r *archive.ReportRow) string { return ratio(r.DeflectionShare) }},
	{"ratings", func(r *archive.ReportRow) string { return whole(r.Ratings) }},
	{"score_mean", func(r *archive.ReportRow) string { return ratio(r.ScoreMean) }},
	{"csat", func(r *archive.ReportRow) string { return ratio(r.CSAT) }},
	{"complaints", func(r *archive.ReportRow) string { return whole(r.Complaints) }},
	{"complaint_share", func(r *archive.ReportRow) string { return ratio(r.ComplaintShare) }},
	{"online_seconds", func(r *archive.ReportRow) string { return decimal(r.OnlineSeconds) }},
	{"away_seconds", func(r *archive.ReportRow) string { return decimal(r.AwaySeconds) }},
	{"busy_seconds", func(r *archive.ReportRow) string { return decimal(r.BusySeconds) }},
	{"occupancy", func(r *archive.ReportRow) string { return ratio(r.Occupancy) }},
}

func cells(r *archive.ReportRow) []string {
	all := make([]string, len(columns))
	for i, c := range columns {
		all[i] = c.of(r)
	}
	return all
}

// cell keeps a spreadsheet from taking a name for a formula, which could send the table to somebody else: a name
// that begins like one gets an apostrophe in front. The full-width forms are taken for the others by some programs.
func cell(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r\n＝＋－＠", []rune(text)[0]) {
		return "'" + text
	}
	return text
}

func whole(n int64) string { return strconv.FormatInt(n, 10) }

func decimal(v float64) string { return strconv.FormatFloat(v, 'f', 3, 64) }

func ratio(v *float64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatFloat(*v, 'f', 4, 64)
}
