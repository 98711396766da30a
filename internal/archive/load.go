package archive

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"

	"github.com/deskfleet/deskfleet/internal/archive/protocol"
	"github.com/deskfleet/deskfleet/internal/conversation"
)

// quantileSteps between the least and the greatest handle time.
const quantileSteps = 20

// load adds up what came to the desk.
func (d *DB) load(ctx context.Context, r *protocol.ReportRequest) (*protocol.ReportReply, error) {
	if err := checkReport(r); err != nil {
		return nil, err
	}
	if r.Tag != "" || r.Disposition != "" || r.WithinSeconds != 0 || r.After != "" {
		return nil, badRequest("by", string(r.By), "leave out tag, disposition, withinSeconds and after: the load is of all conversations")
	}
	tx, err := d.read.BeginTx(ctx, d.engine.snapshot)
	if err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // it only reads
	load := &protocol.Load{}
	if load.Arrivals, err = arrivals(ctx, tx, r); err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	if err := served(ctx, tx, r, load); err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	if err := handled(ctx, tx, r, load); err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	return &protocol.ReportReply{V: protocol.Version, OK: true, Missing: []protocol.MissingFigure{}, Load: load}, nil
}

// arrivals counts conversations where their first stay began.
func arrivals(ctx context.Context, tx *sql.Tx, r *protocol.ReportRequest) ([]int64, error) {
	counts := make([]int64, int(math.Ceil(float64(r.To.Sub(r.From))/float64(protocol.LoadStep))))
	rows, err := tx.QueryContext(ctx, `SELECT (began_at - $1) / $3 AS step, COUNT(*) FROM stays
		WHERE number = 1 AND began_at >= $1 AND began_at < $2 GROUP BY step`, clampNanos(r.From), clampNanos(r.To), int64(protocol.LoadStep))
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // its error is that of rows.Err
	for rows.Next() {
		var step, n int64
		if err := rows.Scan(&step, &n); err != nil {
			return nil, err
		}
		if step >= 0 && step < int64(len(counts)) {
			counts[step] = n
		}
	}
	return counts, rows.Err()
}

// of the bots is what waited in their queue, of people all else.
func of(load *protocol.Load, bots bool) *protocol.Served {
	if bots {
		return &load.Bots
	}
	return &load.People
}

const ofBots = `CASE WHEN queue = '` + conversation.BotQueue + `' THEN 1 ELSE 0 END`

func served(ctx context.Context, tx *sql.Tx, r *protocol.ReportRequest, load *protocol.Load) error {
	rows, err := tx.QueryContext(ctx, `SELECT `+ofBots+` AS bots, SUM(CASE WHEN outcome = 'answered' THEN 1 ELSE 0 END), SUM(CASE WHEN outcome = 'abandoned' THEN 1 ELSE 0 END),
		SUM(CASE WHEN ending = 'handOff' THEN 1 ELSE 0 END), CAST(SUM(CASE WHEN outcome IN ('answered', 'abandoned') THEN COALESCE(wait_ms, 0) ELSE 0 END) AS BIGINT)
		FROM stays WHERE began_at >= $1 AND began_at < $2 GROUP BY bots`, clampNanos(r.From), clampNanos(r.To))
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // its error is that of rows.Err
	for rows.Next() {
		var bots, waited int64
		var s protocol.Served
		if err := rows.Scan(&bots, &s.Answered, &s.Abandoned, &s.HandedOff, &waited); err != nil {
			return err
		}
		s.WaitedSeconds = seconds(waited)
		*of(load, bots == 1) = s
	}
	return rows.Err()
}

// handled finds the handle times. They are sorted here: as for percentiles of rows, that is faster than in SQL.
func handled(ctx context.Context, tx *sql.Tx, r *protocol.ReportRequest, load *protocol.Load) error {
	rows, err := tx.QueryContext(ctx, `SELECT `+ofBots+`, handle_ms FROM stays
		WHERE outcome = 'answered' AND handle_ms IS NOT NULL AND began_at >= $1 AND began_at < $2`, clampNanos(r.From), clampNanos(r.To))
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // its error is that of rows.Err
	var all [2][]int64
	for rows.Next() {
		var bots, ms int64
		if err := rows.Scan(&bots, &ms); err != nil {
			return err
		}
		all[bots] = append(all[bots], ms)
	}
	for i, ms := range all {
		s := of(load, i == 1)
		s.HandleMeanSeconds, s.HandleQuantilesSeconds = quantiles(ms)
	}
	return rows.Err()
}

// quantiles sorts its milliseconds; it has none of nothing.
func quantiles(ms []int64) (mean float64, list []float64) {
	list = []float64{}
	if len(ms) == 0 {
		return 0, list
	}
	slices.Sort(ms)
	for _, v := range ms {
		mean += seconds(v) / float64(len(ms))
	}
	for i := range quantileSteps + 1 {
		list = append(list, seconds(ms[(len(ms)-1)*i/quantileSteps]))
	}
	return mean, list
}
