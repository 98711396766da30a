package fault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/deskfleet/deskfleet/internal/chatclient"
	"github.com/deskfleet/deskfleet/internal/console/agentwire"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
	"github.com/deskfleet/deskfleet/internal/testing/ledger"
)

// traffic is customers and agents who talk all the time.
type traffic struct {
	*rig
	stopped  chan struct{}
	ending   bool
	work     sync.WaitGroup
	agents   []*chatclient.Agent
	serving  sync.WaitGroup
	number   atomic.Int64
	answered atomic.Int64

	receiptsMu sync.Mutex
	receipts   []ledger.Receipt
}

// turns of a conversation.
const turns = 3

// quick reconnects keep the tests short; the pauses are random all the same.
var quick = chatclient.Reconnect{First: 50 * time.Millisecond, Most: 400 * time.Millisecond}

// talk begins traffic of so many customers at a time. Without ending they stay until the traffic ends, which
// keeps their conversations open.
func (r *rig) talk(customers int, ending bool) *traffic {
	r.t.Helper()
	tr := &traffic{rig: r, stopped: make(chan struct{}), ending: ending}
	for _, name := range people {
		tr.signOn(name)
	}
	for i := range customers {
		gateway := r.gateways[i%len(r.gateways)]
		tr.work.Go(func() {
			for tr.customer(gateway, ending) {
				select {
				case <-tr.stopped:
					return
				default:
				}
			}
		})
	}
	r.t.Cleanup(func() {
		for _, a := range tr.agents {
			a.Close()
		}
		tr.serving.Wait()
	})
	return tr
}

func (tr *traffic) note(sender string, receipt chatclient.Receipt) {
	tr.receiptsMu.Lock()
	defer tr.receiptsMu.Unlock()
	tr.receipts = append(tr.receipts, ledger.Receipt{
		Conversation: receipt.Conversation, Sender: sender, ClientID: receipt.ClientID, Seq: receipt.Seq,
	})
}

// from gives each customer an address of the network that is set aside for benchmarks (RFC 2544), as a proxy would tell it.
type from struct {
	address string
	next    *http.Transport
}

// RoundTrip implements http.RoundTripper.
func (f from) RoundTrip(q *http.Request) (*http.Response, error) {
	q = q.Clone(q.Context())
	q.Header.Set("X-Forwarded-For", f.address)
	return f.next.RoundTrip(q)
}

// customer comes, talks and goes. It is false when no further one should come.
func (tr *traffic) customer(gateway *process, ending bool) bool {
	n := tr.number.Add(1)
	limit, cancel := context.WithTimeout(tr.ctx, eventually.Limit)
	defer cancel()
	transport := &http.Transport{MaxIdleConns: 1}
	defer transport.CloseIdleConnections()
	chat, err := chatclient.Connect(limit, chatclient.Options{
		URL: "http://" + gateway.spec.Listen, Name: fmt.Sprint("customer ", n), Language: "en", Reconnect: quick,
		HTTPClient: &http.Client{Transport: from{fmt.Sprintf("198.18.%d.%d", n>>8&0xff, n&0xff), transport}},
	})
	if err != nil {
		tr.t.Errorf("customer %d does not get in: %v", n, err)
		return false
	}
	defer func() {
		chat.Close()
		for range chat.Events() { // the client ends when its events were taken
		}
	}()
	if err := tr.converse(limit, chat, n, ending); err != nil {
		tr.t.Errorf("customer %d, conversation %s: %v", n, chat.Standing().Conversation, err)
		return false
	}
	return true
}

func (tr *traffic) converse(ctx context.Context, chat *chatclient.Chat, n int64, ending bool) error {
	ear := &hearing{chat: chat, heard: map[string]bool{}}
	for turn := 1; ; turn++ {
		text := fmt.Sprintf("I would like to talk to a person, please: %d of customer %d", turn, n)
		if n%3 == 0 {
			text += ", about a refund"
		}
		receipt, err := chat.Send(ctx, chatclient.Outgoing{Text: text, Language: "en"})
		if err != nil {
			return fmt.Errorf("turn %d is not stored: %w", turn, err)
		}
		tr.note("", receipt)
		if err := ear.until(ctx, "you said: "+text); err != nil {
			return fmt.Errorf("turn %d is not answered: %w", turn, err)
		}
		tr.answered.Add(1)
		if over := turn >= turns; over && !ending {
			select {
			case <-tr.stopped:
				return nil
			case <-time.After(50 * time.Millisecond): // the pace of a customer who stays
				continue
			}
		} else if !over {
			continue
		}
		return chat.End(ctx)
	}
}

// hearing is what came to a customer: each message once, and in order.
type hearing struct {
	chat  *chatclient.Chat
	heard map[string]bool
	last  uint64
}

func (h *hearing) until(ctx context.Context, answer string) error {
	for {
		select {
		case event, open := <-h.chat.Events():
			if !open {
				return errors.Join(errors.New("the connection ended for good"), h.chat.Err())
			}
			switch e := event.(type) {
			case chatclient.Anew:
				return errors.New("the desk says that its log is another one")
			case chatclient.Refused:
				return e.Problem
			case chatclient.Said:
				if h.heard[string(e.ID)] || e.Seq <= h.last {
					return fmt.Errorf("message %s came at %d, behind %d, came before: %t", e.ID, e.Seq, h.last, h.heard[string(e.ID)])
				}
				h.heard[string(e.ID)], h.last = true, e.Seq
				if e.From.Kind == conversation.KindAgent && e.Text == answer {
					return nil
				}
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// signOn lets an agent serve until the test ends.
func (tr *traffic) signOn(name string) {
	tr.t.Helper()
	transport := &http.Transport{MaxIdleConns: 1}
	agent, err := chatclient.OpenAgent(chatclient.AgentOptions{
		URL: "http://" + tr.consoles[0].spec.Listen, Token: tokenOf(name), Presence: agentwire.Available, Reconnect: quick,
		HTTPClient: &http.Client{Transport: transport},
	})
	if err != nil {
		tr.t.Fatal(err)
	}
	tr.agents = append(tr.agents, agent)
	tr.serving.Go(func() {
		defer transport.CloseIdleConnections()
		d := &desktop{traffic: tr, agent: agent, name: name, lines: map[conversation.ID]chan string{}}
		defer d.leave()
		for event := range agent.Events() {
			switch e := event.(type) {
			case chatclient.Related:
				if e.Relation == agentwire.Offered {
					// An offer may be gone when it is accepted.
					d.tasks.Go(func() { _ = agent.Accept(tr.ctx, e.Conversation.Conversation) })
				}
			case chatclient.Heard:
				if e.From.Kind == conversation.KindCustomer {
					d.answer(e.Conversation, "you said: "+e.Text)
				}
			}
		}
	})
}

// desktop is what an agent works at.
type desktop struct {
	*traffic
	agent *chatclient.Agent
	name  string
	tasks sync.WaitGroup
	// lines are what is still to be said in each conversation.
	lines map[conversation.ID]chan string
}

// answer says something behind what is still to be said. Who got a conversation from somebody else answers once more
// what was said before.
func (d *desktop) answer(conv conversation.ID, text string) {
	line := d.lines[conv]
	if line == nil {
		line = make(chan string, 1024)
		d.lines[conv] = line
		d.tasks.Go(func() {
			for text := range line {
				// What is refused, because the conversation is somebody else's by now, was not acknowledged.
				if receipt, err := d.agent.Say(d.ctx, conv, chatclient.Outgoing{Text: text}); err == nil {
					d.note(d.name, receipt)
				}
			}
		})
	}
	line <- text
}

func (d *desktop) leave() {
	for _, line := range d.lines {
		close(line)
	}
	d.tasks.Wait()
}

// replies waits until so many more turns were answered.
func (tr *traffic) replies(more int64) {
	tr.t.Helper()
	target := tr.answered.Load() + more
	eventually.True(tr.t, "turns are answered", func() bool { return tr.answered.Load() >= target })
}

// end lets the last customers finish, and holds the desk to its promises.
func (tr *traffic) end() {
	tr.t.Helper()
	close(tr.stopped)
	tr.work.Wait()
	if tr.ending {
		tr.until("nobody is talking any more", func(l *ledger.Ledger) bool { return len(l.Open()) == 0 })
	}
	for _, a := range tr.agents {
		a.Close()
	}
	tr.serving.Wait()
	tr.until("what was decided is copied", (*ledger.Ledger).Settled)
	tr.mu.Lock()
	defer tr.mu.Unlock()
	for _, problem := range tr.ledger.Close(tr.receipts) {
		tr.t.Error(problem)
	}
	tr.t.Logf("%d messages acknowledged, %d turns answered, %d conversations ended, the lead was taken %d times",
		len(tr.receipts), tr.answered.Load(), tr.ledger.Ended(), tr.ledger.Leaders())
	if len(tr.receipts) == 0 {
		tr.t.Error("nothing was said")
	}
}
