package routing_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/routing"
)

func event(now time.Time, d routing.Decision) conversation.Event {
	return conversation.NewEvent(conversation.NewID(now), d.Conversation, now, d.Body)
}

// journal is the log of a desk: what was heard and what was decided, as bytes.
type journal struct {
	entries []journalEntry
}

type journalEntry struct {
	data []byte
	own  uint64 // sequence on .own, for decisions that go there
	seq  uint64
}

func (j *journal) add(t fataler, e conversation.Event, own uint64) {
	data, err := conversation.Encode(e)
	if err != nil {
		t.Fatalf("a decision cannot be stored: %v", err)
	}
	j.entries = append(j.entries, journalEntry{data: data, own: own, seq: e.Seq})
}

type fataler interface{ Fatalf(string, ...any) }

// replay builds a desk from the log.
func (j *journal) replay(t fataler, config routing.Config) *routing.Desk {
	d, err := routing.New(config)
	if err != nil {
		t.Fatalf("%v", err)
	}
	for _, entry := range j.entries {
		e, err := conversation.Decode(entry.data)
		if err != nil {
			t.Fatalf("%v", err)
		}
		e.Seq = entry.seq
		if e.Type == conversation.TypeMessage {
			d.Hear(e)
			continue
		}
		if err := d.Fold(e); err != nil {
			t.Fatalf("replay: %v", err)
		}
		if entry.own > 0 {
			d.Owned(e.Conversation, entry.own)
		}
	}
	return d
}

// dump renders everything that a desk knows.
func dump(t fataler, d *routing.Desk) string {
	var b strings.Builder
	for _, e := range d.Snapshot(start) { // without ids, so that they are no events to be stored
		body, err := json.Marshal(e.Body)
		if err != nil {
			t.Fatalf("%v", err)
		}
		fmt.Fprintf(&b, "%s %s %s\n", e.Type, e.Conversation, body)
	}
	views, err := json.Marshal(struct {
		Queues []routing.QueueView
		Agents []routing.AgentView
	}{withoutVersions(d.Queues()), d.Agents()})
	if err != nil {
		t.Fatalf("%v", err)
	}
	b.Write(views)
	return b.String()
}

func withoutVersions(views []routing.QueueView) []routing.QueueView {
	for i := range views {
		views[i].Version, views[i].Nobody = 0, false // what the leader finds for itself
	}
	return views
}

func same(t fataler, what string, a, b *routing.Desk) {
	if of, other := dump(t, a), dump(t, b); of != other {
		t.Fatalf("%s: %s", what, cmp.Diff(of, other))
	}
}
