package archive

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"time"

	"github.com/deskfleet/deskfleet/internal/archive/protocol"
	"github.com/deskfleet/deskfleet/internal/conversation"
)

// period of time; the end is not included.
type period struct{ from, to time.Time }

// shift is what an agent is from a moment on; empty for not signed on.
type shift struct {
	at       time.Time
	presence conversation.Presence
}

// staffed is how an agent spent a time.
type staffed struct {
	online, away, busy, available time.Duration
}

// occupancy adds up what an agent did in a time: shifts are in their order, busy are the stays that the agent answered,
// in any order. Busy counts while the agent was signed on only; available is the time online or busy, of which an
// occupancy is a share.
func occupancy(shifts []shift, busy []period, within period) staffed {
	var online, away []period
	for i, s := range shifts {
		p := period{s.at, within.to}
		if i+1 < len(shifts) {
			p.to = shifts[i+1].at
		}
		switch p = p.cut(within); {
		case p.empty():
		case s.presence == conversation.PresenceOnline:
			online = append(online, p)
		case s.presence == conversation.PresenceAway:
			away = append(away, p)
		}
	}
	var working []period
	signedOn := union(slices.Concat(online, away))
	for _, b := range union(busy) {
		for _, on := range signedOn {
			if p := b.cut(on); !p.empty() {
				working = append(working, p)
			}
		}
	}
	return staffed{
		online: length(union(online)), away: length(union(away)), busy: length(union(working)),
		available: length(union(slices.Concat(online, working))),
	}
}

func (p period) empty() bool { return !p.from.Before(p.to) }

// cut gives the part of p that lies in o.
func (p period) cut(o period) period {
	if p.from.Before(o.from) {
		p.from = o.from
	}
	if p.to.After(o.to) {
		p.to = o.to
	}
	return p
}

// union joins periods that overlap or touch.
func union(all []period) []period {
	sorted := slices.SortedFunc(slices.Values(all), func(a, b period) int { return a.from.Compare(b.from) })
	var out []period
	for _, p := range sorted {
		if n := len(out); n > 0 && !p.from.After(out[n-1].to) {
			if p.to.After(out[n-1].to) {
				out[n-1].to = p.to
			}
			continue
		}
		out = append(out, p)
	}
	return out
}

func length(all []period) time.Duration {
	sum := time.Duration(0)
	for _, p := range all {
		sum += p.to.Sub(p.from)
	}
	return sum
}

// Actions of the audit by which the router tells of people's presence.
const (
	actionSignedOn  = "agent.signedOn"
	actionPresence  = "agent.presence"
	actionSignedOff = "agent.signedOff"
)

// occupied fills in how a person spent the time of the report.
func (q *reportQuery) occupied(ctx context.Context, tx *sql.Tx, r *protocol.ReportRow, now time.Time) error {
	if r.Kind != conversation.KindAgent {
		return nil
	}
	within := period{q.request.From, q.request.To}
	if now.Before(within.to) {
		within.to = now
	}
	shifts, err := shiftsOf(ctx, tx, r.ID, within)
	if err != nil || len(shifts) == 0 {
		return err
	}
	busy, err := busyOf(ctx, tx, r.ID, within)
	if err != nil {
		return err
	}
	s := occupancy(shifts, busy, within)
	r.OnlineSeconds, r.AwaySeconds, r.BusySeconds = s.online.Seconds(), s.away.Seconds(), s.busy.Seconds()
	r.Occupancy = share(s.busy.Milliseconds(), s.available.Milliseconds())
	return nil
}

// shiftsOf a person in a time, with the last one before it.
func shiftsOf(ctx context.Context, tx *sql.Tx, agent string, within period) ([]shift, error) {
	rows, err := tx.QueryContext(ctx, `SELECT at, action, details FROM audit WHERE role = 'router' AND who_id = $1 AND at <= $3
		AND at >= COALESCE((SELECT MAX(at) FROM audit WHERE role = 'router' AND who_id = $1 AND at <= $2), $2) ORDER BY at, number`,
		agent, clampNanos(within.from), clampNanos(within.to))
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // its error is that of rows.Err
	var shifts []shift
	for rows.Next() {
		var at int64
		var action, details string
		if err := rows.Scan(&at, &action, &details); err != nil {
			return nil, err
		}
		s := shift{at: fromNanos(at)}
		switch action {
		case actionSignedOn, actionPresence:
			var said struct {
				Presence conversation.Presence `json:"presence"`
			}
			if err := json.Unmarshal([]byte(details), &said); err != nil {
				continue // of another release
			}
			s.presence = said.Presence
		case actionSignedOff:
		default:
			continue
		}
		shifts = append(shifts, s)
	}
	return shifts, rows.Err()
}

// busyOf a person in a time: the conversations that the person had and that have left.
func busyOf(ctx context.Context, tx *sql.Tx, agent string, within period) ([]period, error) {
	rows, err := tx.QueryContext(ctx, `SELECT left_at, handle_ms FROM stays WHERE agent_kind = 'agent' AND agent_id = $1 AND left_at >= $2
		AND handle_ms IS NOT NULL AND left_at - handle_ms * 1000000 < $3`, agent, clampNanos(within.from), clampNanos(within.to))
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // its error is that of rows.Err
	var busy []period
	for rows.Next() {
		var left, handle int64
		if err := rows.Scan(&left, &handle); err != nil {
			return nil, err
		}
		to := fromNanos(left)
		busy = append(busy, period{to.Add(-time.Duration(handle) * time.Millisecond), to})
	}
	return busy, rows.Err()
}
