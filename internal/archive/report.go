package archive

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/deskfleet/deskfleet/internal/archive/protocol"
	"github.com/deskfleet/deskfleet/internal/conversation"
)

// usualWithin is the service level's time of a queue that declares none: that of the API's default.
const usualWithin = 20

// Levels are the seconds within which queues promise an answer, by queue.
type Levels map[string]int

// keys of the rows.
var reportKeys = map[protocol.ReportBy]struct{ key, kind, where, same string }{
	protocol.ByQueue: {"queue", "''", "", "e.queue = st.queue"},
	// Bot workers are pods, whose names say nothing to a supervisor.
	protocol.ByAgent: {
		"CASE WHEN agent_kind = 'bot' THEN agent_pool ELSE agent_id END", "agent_kind", " AND outcome = 'answered'",
		"e.agent_kind = st.agent_kind AND (st.agent_kind = 'bot' AND e.agent_pool = st.agent_pool OR st.agent_kind <> 'bot' AND e.agent_id = st.agent_id)",
	},
}

// Report implements Store.
func (d *DB) Report(ctx context.Context, r protocol.ReportRequest, levels Levels, now time.Time) (*protocol.ReportReply, error) {
	if r.By == protocol.ByLoad {
		return d.load(ctx, &r)
	}
	q, err := newReportQuery(&r, levels, now)
	if err != nil {
		return nil, err
	}
	tx, err := d.read.BeginTx(ctx, d.engine.snapshot)
	if err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // it only reads
	rows, err := q.counts(ctx, tx)
	if err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	reply := &protocol.ReportReply{V: protocol.Version, OK: true, Missing: []protocol.MissingFigure{}}
	if len(rows) > q.limit {
		rows = rows[:q.limit]
		reply.Next = afterOf(&rows[len(rows)-1])
	}
	if err := q.spans(ctx, tx, rows); err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	for i := range rows {
		q.complete(&rows[i])
		if err := q.occupied(ctx, tx, &rows[i], now); err != nil {
			return nil, fmt.Errorf("report: %w", err)
		}
	}
	reply.Rows = rows
	return reply, nil
}

func afterOf(r *protocol.ReportRow) string { return string(r.Kind) + ":" + r.ID }

// reportQuery is a request in the words of SQL.
type reportQuery struct {
	request *protocol.ReportRequest
	levels  Levels
	limit   int
	// with are the stays of the range, with key and kind of their row, the service level's time, what became of the
	// contact, and whether the row has the conversation already; args are its parameters.
	with string
	args []any
	// where are the stays of the range, that the row can be made of and that the request asks for.
	where string
	// selected is how many of args where takes.
	selected int
}

func newReportQuery(r *protocol.ReportRequest, levels Levels, now time.Time) (*reportQuery, error) {
	if err := checkReport(r); err != nil {
		return nil, err
	}
	keys := reportKeys[r.By]
	q := &reportQuery{request: r, levels: levels, limit: r.Limit}
	if q.limit == 0 {
		q.limit = protocol.MaxReportRows
	}
	q.args = []any{clampNanos(r.From), clampNanos(r.To)}
	q.where = "began_at >= $1 AND began_at < $2" + keys.where
	if r.Tag != "" {
		q.args = append(q.args, r.Tag)
		q.where += fmt.Sprintf(" AND EXISTS (SELECT 1 FROM conversation_tags a WHERE a.conversation = st.conversation AND a.tag = $%d)", len(q.args))
	}
	if r.Disposition != "" {
		q.args = append(q.args, r.Disposition)
		q.where += fmt.Sprintf(" AND EXISTS (SELECT 1 FROM conversations d WHERE d.id = st.conversation AND d.disposition = $%d)", len(q.args))
	}
	q.selected = len(q.args)
	q.with = fmt.Sprintf(`WITH s AS (SELECT %s AS k, %s AS kind, %s AS within_ms, st.*,
		CASE WHEN closing = 1 AND reopened = 0 AND NOT EXISTS (SELECT 1 FROM conversations n WHERE n.contact = st.contact
			AND n.id <> st.conversation AND n.opened_at > st.left_at AND n.opened_at <= st.left_at + %d) THEN 1 ELSE 0 END AS resolved,
		CASE WHEN closing = 1 AND reopened = 0 AND st.left_at + %d > %d THEN 1 ELSE 0 END AS provisional,
		CASE WHEN EXISTS (SELECT 1 FROM stays e WHERE e.conversation = st.conversation AND e.number < st.number AND e.outcome = 'answered'
			AND e.began_at >= $1 AND %s) THEN 1 ELSE 0 END AS again,
		CASE WHEN EXISTS (SELECT 1 FROM stays l WHERE l.conversation = st.conversation AND l.number > st.number) THEN 0 ELSE 1 END AS latest,
		COALESCE((SELECT c.rating FROM conversations c WHERE c.id = st.conversation), 0) AS rating,
		CASE WHEN EXISTS (SELECT 1 FROM conversation_tags g WHERE g.tag = '%s' AND g.conversation = st.conversation) THEN 1 ELSE 0 END AS complaint
		FROM stays st WHERE %s) `,
		keys.key, keys.kind, q.within(), int64(protocol.FirstContactWindow), int64(protocol.FirstContactWindow), nanos(now), keys.same, conversation.TagComplaint, q.where)
	return q, nil
}

func checkReport(r *protocol.ReportRequest) error {
	_, known := reportKeys[r.By]
	known = known || r.By == protocol.ByLoad
	span := r.To.Sub(r.From)
	switch {
	case !known:
		return badRequest("by", string(r.By), "use agents, queues or load")
	case r.From.IsZero() || r.To.IsZero():
		return badRequest("from", "", "give from and to: reports are of a bounded time")
	case span <= 0 || span > protocol.MaxReportRange:
		return badRequest("to", r.To.Format(time.RFC3339), fmt.Sprintf("give a time after from, at most %d days later", int(protocol.MaxReportRange.Hours()/24)))
	case r.WithinSeconds < 0 || r.WithinSeconds > int(protocol.MaxWithin.Seconds()):
		return badRequest("withinSeconds", fmt.Sprint(r.WithinSeconds), fmt.Sprintf("use 1 to %d, or leave it out", int(protocol.MaxWithin.Seconds())))
	case r.Limit < 0 || r.Limit > protocol.MaxReportRows:
		return badRequest("limit", fmt.Sprint(r.Limit), fmt.Sprintf("use 1 to %d, or leave it out", protocol.MaxReportRows))
	case clean(r.Tag) != r.Tag || clean(r.Disposition) != r.Disposition:
		return badRequest("tag", clean(r.Tag), "write it in UTF-8 without zero bytes")
	case clean(r.After) != r.After:
		return badRequest("after", clean(r.After), "use the next of the reply before")
	}
	return nil
}

// within is the service level's time of a stay in milliseconds, as SQL.
func (q *reportQuery) within() string {
	if q.request.WithinSeconds > 0 {
		return fmt.Sprint(q.request.WithinSeconds * 1000)
	}
	var b strings.Builder
	for _, queue := range sortedKeys(q.levels) {
		q.args = append(q.args, queue)
		fmt.Fprintf(&b, " WHEN $%d THEN %d", len(q.args), q.levels[queue]*1000)
	}
	if b.Len() == 0 {
		return fmt.Sprint(usualWithin * 1000)
	}
	return fmt.Sprintf("CASE queue%s ELSE %d END", b.String(), usualWithin*1000)
}

func sortedKeys(l Levels) []string {
	keys := make([]string, 0, len(l))
	for k := range l {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// counts gives one row more than the limit, if there is one.
func (q *reportQuery) counts(ctx context.Context, tx *sql.Tx) ([]protocol.ReportRow, error) {
	count := func(condition string) string { return "SUM(CASE WHEN " + condition + " THEN 1 ELSE 0 END)" }
	kind, id, _ := strings.Cut(q.request.After, ":")
	args := append(slices.Clone(q.args), kind, id)
	n := len(args)
	//nolint:gosec // constants and numbered parameters
	query := q.with + `SELECT kind, k, MAX(agent_name), MAX(agent_pool), COUNT(*), ` + strings.Join([]string{
		count("outcome = 'answered'"), count("outcome = 'abandoned'"), count("outcome = 'moved'"),
		count("outcome IN ('closed', 'putOff')"), count("outcome = 'waiting'"),
		count("outcome = 'answered' AND again = 0"),
		count("outcome = 'answered' AND wait_ms <= within_ms"),
		count("ending = 'handOff'"), count("ending IN ('agentLost', 'signedOff', 'drained')"),
		count("closing = 1"), count("reopened = 1"), count("resolved = 1"), count("resolved = 1 AND provisional = 1"), count("deflected = 1"),
		count("outcome = 'answered' AND agent_kind = 'bot'"),
		count("latest = 1 AND rating > 0"), "SUM(CASE WHEN latest = 1 THEN rating ELSE 0 END)", count("latest = 1 AND rating >= 4"),
		count("latest = 1 AND complaint = 1"), count("latest = 1"),
	}, ", ") + fmt.Sprintf(` FROM s WHERE kind > $%d OR kind = $%d AND k > $%d GROUP BY kind, k ORDER BY kind, k LIMIT %d`, n-1, n-1, n, q.limit+1)
	found, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = found.Close() }() // its error is that of found.Err
	var rows []protocol.ReportRow
	for found.Next() {
		var r protocol.ReportRow
		var byBots, scores, satisfied, latest int64
		if err := found.Scan(&r.Kind, &r.ID, &r.Name, &r.Pool, &r.Stays, &r.Answered, &r.Abandoned, &r.Moved, &r.TurnedAway, &r.Waiting,
			&r.Conversations, &r.AnsweredWithin, &r.Transfers, &r.Lost, &r.Closed, &r.Reopened, &r.ResolvedFirst, &r.Provisional,
			&r.Deflected, &byBots, &r.Ratings, &scores, &satisfied, &r.Complaints, &latest); err != nil {
			return nil, err
		}
		r.DeflectionShare = share(r.Deflected, byBots)
		r.CSAT, r.ScoreMean, r.ComplaintShare = share(satisfied, r.Ratings), share(scores, r.Ratings), share(r.Complaints, latest)
		rows = append(rows, r)
	}
	return rows, found.Err()
}

// spans fills in the times of the rows, in one pass over the stays. The percentiles are found here and not in SQL:
// sorting with window functions takes SQLite ten times as long.
func (q *reportQuery) spans(ctx context.Context, tx *sql.Tx, rows []protocol.ReportRow) error {
	at := map[string]*[3][]int64{}
	for i := range rows {
		at[afterOf(&rows[i])] = &[3][]int64{}
	}
	keys := reportKeys[q.request.By]
	//nolint:gosec // constants and numbered parameters
	found, err := tx.QueryContext(ctx, `SELECT `+keys.kind+`, `+keys.key+`, CASE WHEN outcome = 'answered' THEN wait_ms END, reply_ms, handle_ms
		FROM stays st WHERE `+q.where, q.args[:q.selected]...)
	if err != nil {
		return err
	}
	defer func() { _ = found.Close() }() // its error is that of found.Err
	for found.Next() {
		var kind, id string
		var ms [3]sql.NullInt64
		if err := found.Scan(&kind, &id, &ms[0], &ms[1], &ms[2]); err != nil {
			return err
		}
		all := at[kind+":"+id]
		for i := range ms {
			if all != nil && ms[i].Valid {
				all[i] = append(all[i], ms[i].Int64)
			}
		}
	}
	if err := found.Err(); err != nil {
		return err
	}
	for i := range rows {
		all := at[afterOf(&rows[i])]
		rows[i].Wait, rows[i].FirstResponse, rows[i].Handle = spansFrom(all[0]), spansFrom(all[1]), spansFrom(all[2])
	}
	return nil
}

// spansFrom sorts its milliseconds.
func spansFrom(ms []int64) protocol.Spans {
	n := len(ms)
	if n == 0 {
		return protocol.Spans{}
	}
	slices.Sort(ms)
	sum := 0.0
	for _, v := range ms {
		sum += seconds(v)
	}
	// The nearest rank is the first that at least so many percent do not pass.
	rank := func(percent int) float64 { return seconds(ms[(n*percent+99)/100-1]) }
	return protocol.Spans{Count: int64(n), MeanSeconds: sum / float64(n), P50Seconds: rank(50), P90Seconds: rank(90)}
}

func seconds(ms int64) float64 { return float64(ms) / 1000 }

// complete gives the shares.
func (q *reportQuery) complete(r *protocol.ReportRow) {
	r.AbandonmentShare = share(r.Abandoned, r.Answered+r.Abandoned)
	r.ServiceLevel = share(r.AnsweredWithin, r.Answered+r.Abandoned)
	r.FirstContactResolution = share(r.ResolvedFirst, r.Closed)
	switch {
	case q.request.WithinSeconds > 0:
		r.WithinSeconds = q.request.WithinSeconds
	case q.request.By == protocol.ByQueue:
		r.WithinSeconds = usualWithin
		if seconds, declared := q.levels[r.ID]; declared {
			r.WithinSeconds = seconds
		}
	}
	if r.Kind == conversation.KindBot {
		r.Name, r.Pool = "", r.ID
	}
	if q.request.By == protocol.ByQueue {
		r.Name, r.Pool = "", ""
	}
}

func share(part, of int64) *float64 {
	if of == 0 {
		return nil
	}
	return new(float64(part) / float64(of))
}
