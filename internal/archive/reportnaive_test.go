package archive

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/deskfleet/deskfleet/internal/archive/protocol"
	"github.com/deskfleet/deskfleet/internal/conversation"
)

// naive adds up by looking around in the events for each single figure.
func naive(drawn map[conversation.ID][]told, r *protocol.ReportRequest, now time.Time) map[string]protocol.ReportRow {
	rows := map[string]protocol.ReportRow{}
	conversations, spans := map[string]map[conversation.ID]bool{}, map[string][3][]float64{}
	bots, latest, scores, satisfied := map[string]int64{}, map[string]int64{}, map[string]int64{}, map[string]int64{}
	for id, events := range drawn {
		for i, e := range events {
			entered := e.what == "opened" || e.what == "queued"
			if entered && i > 0 && waitingIn(events[:i]) == e.queue || !entered || e.at.Before(r.From) || !e.at.Before(r.To) {
				continue
			}
			rest := events[i+1:]
			// It is decided by the next thing that is neither a message nor a move within the queue.
			next := slices.IndexFunc(rest, func(n told) bool { return n.what != "said" && (n.what != "queued" || n.queue != e.queue) })
			decided := rest[next]
			key := e.queue
			if r.By == protocol.ByAgent {
				if decided.what != "answered" {
					continue
				}
				if key = decided.agent.ID; decided.agent.Kind == conversation.KindBot {
					key = decided.agent.Pool
				}
			}
			row, all := rows[key], spans[key]
			row.ID, row.WithinSeconds = key, r.WithinSeconds
			row.Stays++
			if last(events, i) {
				latest[key]++
				if score := int64(events[0].score); score > 0 {
					row.Ratings++
					scores[key] += score
					if score > 3 {
						satisfied[key]++
					}
				}
				if events[0].complaint {
					row.Complaints++
				}
			}
			switch decided.what {
			case "abandoned":
				row.Abandoned++
			case "queued":
				row.Moved++
			case "answered":
				row.Answered++
				if conversations[key] == nil {
					conversations[key] = map[conversation.ID]bool{}
				}
				conversations[key][id] = true
				if decided.agent.Kind == conversation.KindBot {
					bots[key]++
				}
				since := waitsSince(events[:i+1])
				wait := decided.at.Sub(since).Seconds()
				all[0] = append(all[0], wait)
				if wait <= float64(r.WithinSeconds) {
					row.AnsweredWithin++
				}
				part := rest[next+1:]
				end := slices.IndexFunc(part, func(n told) bool { return n.what != "said" })
				if end > 0 {
					all[1] = append(all[1], part[0].at.Sub(since).Seconds())
				}
				all[2] = append(all[2], part[end].at.Sub(decided.at).Seconds())
				if r.By == protocol.ByAgent {
					row.Kind, row.Name, row.Pool = decided.agent.Kind, decided.agent.Name, decided.agent.Pool
				}
				switch {
				case part[end].cause == conversation.CauseHandOff:
					row.Transfers++
				case part[end].cause == conversation.CauseAgentLost:
					row.Lost++
				case part[end].what == "closed":
					row.Closed++
					again := len(part) > end+1
					if again {
						row.Reopened++
					} else if !comesBack(drawn, id, e.contact, part[end].at) {
						row.ResolvedFirst++
						if part[end].at.Add(7 * 24 * time.Hour).After(now) {
							row.Provisional++
						}
					}
					if decided.agent.Kind == conversation.KindBot && !slices.ContainsFunc(events, func(n told) bool { return n.queue != "" && n.queue != "bot" }) {
						row.Deflected++
					}
				}
			}
			rows[key], spans[key] = row, all
		}
	}
	for key, row := range rows {
		row.Conversations = int64(len(conversations[key]))
		row.AbandonmentShare, row.ServiceLevel = part(row.Abandoned, row.Answered+row.Abandoned), part(row.AnsweredWithin, row.Answered+row.Abandoned)
		row.FirstContactResolution, row.DeflectionShare = part(row.ResolvedFirst, row.Closed), part(row.Deflected, bots[key])
		row.ScoreMean, row.CSAT, row.ComplaintShare = part(scores[key], row.Ratings), part(satisfied[key], row.Ratings), part(row.Complaints, latest[key])
		row.Wait, row.FirstResponse, row.Handle = summary(spans[key][0]), summary(spans[key][1]), summary(spans[key][2])
		rows[key] = row
	}
	return rows
}

// waitingIn is the queue in which it waits after these events, empty when it does not.
func waitingIn(events []told) string {
	for _, e := range slices.Backward(events) {
		switch e.what {
		case "opened", "queued":
			return e.queue
		case "said":
		default:
			return ""
		}
	}
	return ""
}

// waitsSince goes back over all queues in which it waited on end.
func waitsSince(events []told) time.Time {
	since := events[len(events)-1].at
	for _, e := range slices.Backward(events) {
		if e.what != "opened" && e.what != "queued" {
			break
		}
		since = e.at
	}
	return since
}

func comesBack(drawn map[conversation.ID][]told, id conversation.ID, contact string, after time.Time) bool {
	for other, events := range drawn {
		if opened := events[0].at; other != id && events[0].contact == contact && opened.After(after) && !opened.After(after.Add(7*24*time.Hour)) {
			return true
		}
	}
	return false
}

func part(n, of int64) *float64 {
	if of == 0 {
		return nil
	}
	return new(float64(n) / float64(of))
}

func summary(all []float64) protocol.Spans {
	if len(all) == 0 {
		return protocol.Spans{}
	}
	slices.SortFunc(all, cmp.Compare[float64])
	sum := 0.0
	for _, v := range all {
		sum += v
	}
	rank := func(p float64) float64 { return all[int(math.Ceil(p*float64(len(all))))-1] }
	return protocol.Spans{Count: int64(len(all)), MeanSeconds: sum / float64(len(all)), P50Seconds: rank(0.5), P90Seconds: rank(0.9)}
}

// last says whether the conversation came into no queue anew behind event i.
func last(events []told, i int) bool {
	for j := i + 1; j < len(events); j++ {
		if e := events[j]; e.what == "queued" && waitingIn(events[:j]) != e.queue {
			return false
		}
	}
	return true
}
