package load

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"
)

// Report of a load. Times are in milliseconds, memory in KiB and MiB.
type Report struct {
	// Acknowledged messages of both sides, and what became of them; see the package's description.
	Acknowledged int `json:"acknowledged"`
	Lost         int `json:"lost"`
	Duplicated   int `json:"duplicated"`
	Reordered    int `json:"reordered"`
	// Conversations that went from the first word to the end, and those that Failed on the way.
	Conversations int `json:"conversations"`
	Failed        int `json:"failed"`
	Agents        int `json:"agents"`
	Idle          int `json:"idle"`
	// Seconds from the first conversation's begin to the last one's end.
	Seconds                float64 `json:"seconds"`
	ConversationsPerSecond float64 `json:"conversationsPerSecond"`
	MessagesPerSecond      float64 `json:"messagesPerSecond"`
	// BusRawPerSecond is what the bus alone stores on the same disk, each message synced; 0 when it was not measured.
	BusRawPerSecond float64 `json:"busRawPerSecond"`
	P50Millis       float64 `json:"p50Millis"`
	P95Millis       float64 `json:"p95Millis"`
	P99Millis       float64 `json:"p99Millis"`
	// Routing: from the customer's first message until an agent is asked.
	RoutingP50Millis float64 `json:"routingP50Millis"`
	RoutingP99Millis float64 `json:"routingP99Millis"`
	// IdleKiB of memory that an idle customer costs the desk; 0 when it was not measured.
	IdleKiB float64 `json:"idleKiB"`
	// Roles by name; empty when they were not measured.
	Roles map[string]Role `json:"roles,omitempty"`
	// Errors of the first conversations that failed.
	Errors []string `json:"errors,omitempty"`
}

// Role is what one process of the desk used.
type Role struct {
	// CPU is the share of one core while the load ran, RSSMiB the memory at its end.
	CPU    float64 `json:"cpu"`
	RSSMiB float64 `json:"rssMiB"`
}

// Exact says that nothing was lost, doubled or reordered.
func (r *Report) Exact() bool { return r.Lost == 0 && r.Duplicated == 0 && r.Reordered == 0 }

func (r *Report) idleCost(before, after map[string]Usage) {
	if r.Idle == 0 {
		return
	}
	var grown int64
	for role, u := range after {
		grown += u.RSSBytes - before[role].RSSBytes
	}
	r.IdleKiB = float64(grown) / 1024 / float64(r.Idle)
}

func (r *Report) roles(before, after map[string]Usage, took time.Duration) {
	for role, u := range after {
		if r.Roles == nil {
			r.Roles = map[string]Role{}
		}
		r.Roles[role] = Role{CPU: (u.CPUSeconds - before[role].CPUSeconds) / took.Seconds(), RSSMiB: float64(u.RSSBytes) / (1 << 20)}
	}
}

// Print writes the report as a table.
func (r *Report) Print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		_, _ = fmt.Fprintf(w, "%s\t"+format+"\n", append([]any{name}, args...)...)
	}
	row("conversations", "%d in %.1f s, %.1f a second; %d failed", r.Conversations, r.Seconds, r.ConversationsPerSecond, r.Failed)
	row("messages", "%d acknowledged, %d lost, %d duplicated, %d reordered", r.Acknowledged, r.Lost, r.Duplicated, r.Reordered)
	row("throughput", "%.0f messages a second", r.MessagesPerSecond)
	if r.BusRawPerSecond > 0 {
		row("", "%.0f a second is what the bus alone stores on this disk: %.0f %%", r.BusRawPerSecond, 100*r.MessagesPerSecond/r.BusRawPerSecond)
	}
	row("end to end", "p50 %.1f ms, p95 %.1f ms, p99 %.1f ms", r.P50Millis, r.P95Millis, r.P99Millis)
	row("routing", "p50 %.1f ms, p99 %.1f ms", r.RoutingP50Millis, r.RoutingP99Millis)
	if r.IdleKiB > 0 {
		row("idle customers", "%d, %.1f KiB each", r.Idle, r.IdleKiB)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Roles)) {
		row(name, "%.2f cores, %.0f MiB", r.Roles[name].CPU, r.Roles[name].RSSMiB)
	}
	for _, text := range r.Errors {
		row("error", "%s", text)
	}
	return w.Flush()
}
