package fault

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	archive "github.com/deskfleet/deskfleet/internal/archive/protocol"
	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
	"github.com/deskfleet/deskfleet/internal/testing/ledger"
)

// compactCustomers fit into the agents' slots: all of them talk all the time.
const compactCustomers = 4

// A desk of one process is killed, stopped and paused under load and started again, as a cluster does. Its
// conversations stay open meanwhile, so that everything that was ever said is in the log, and in the archive as well.
func TestTheCompactDeskIsKilled(t *testing.T) {
	t.Parallel()
	r := newRig(t, shape{compact: true})
	tr := r.talk(compactCustomers, false)
	tr.replies(10)
	desk := r.buses[0]
	for range 2 {
		t.Logf("killed, it serves again after %s", r.restarted(tr))
		tr.replies(10)
	}
	desk.stop()
	tr.back(desk.start)
	desk.pause()
	tr.back(desk.resume)
	tr.end()
	r.archived(tr.receipts)
}

// back starts something and waits until a turn is answered that was begun later.
func (tr *traffic) back(start func()) time.Duration {
	began := time.Now()
	start()
	tr.replies(compactCustomers + 1) // at most one of each was answered before
	return time.Since(began).Round(time.Millisecond)
}

// The volume of a desk of one process is full.
func TestTheDiskOfTheCompactDeskIsFull(t *testing.T) {
	t.Parallel()
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, diskSize); err != nil {
		t.Skipf("a full disk needs a file system of its own, which only root can mount: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	r := newRig(t, shape{compact: true, store: filepath.Join(disk, "desk")})
	tr := r.talk(compactCustomers, false)
	tr.replies(10)
	filler := fill(t, filepath.Join(disk, "filler"))
	r.buses[0].says("failed to store a msg")
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	target := tr.answered.Load() + 10
	eventually.True(t, "the desk serves again", func() bool {
		r.buses[0].revive()
		return tr.answered.Load() >= target
	})
	tr.end()
	r.archived(tr.receipts)
}

// archived holds that the archive has each acknowledged message once and in order.
func (r *rig) archived(receipts []ledger.Receipt) {
	r.t.Helper()
	conn, err := r.dialer(runtimeconfig.RoleConsole).Dial(r.ctx, bus.ClientOptions{Name: "reader", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		r.t.Fatal(err)
	}
	defer conn.Close()
	client := archive.Client{Bus: conn, Subjects: r.names}
	eventually.Nil(r.t, "the archive has it all", func() error {
		status, err := client.Status(r.ctx)
		if err == nil && status.Lag > 0 {
			err = fmt.Errorf("it is %d events behind", status.Lag)
		}
		return err
	})
	texts := map[conversation.ID][]string{}
	for _, receipt := range receipts {
		if _, read := texts[receipt.Conversation]; !read {
			texts[receipt.Conversation] = transcript(r.ctx, r.t, client, receipt.Conversation)
		}
		n := 0
		for _, id := range texts[receipt.Conversation] {
			if id == receipt.ClientID {
				n++
			}
		}
		if n != 1 {
			r.t.Errorf("message %s of %s is %d times in the archive", receipt.ClientID, receipt.Conversation, n)
		}
	}
}

// transcript lists the client ids of a conversation's messages, and holds their order.
func transcript(ctx context.Context, t testing.TB, client archive.Client, conv conversation.ID) []string {
	t.Helper()
	var ids []string
	last, after := uint64(0), ""
	for {
		reply, err := client.Transcript(ctx, archive.TranscriptRequest{Conversation: conv, After: after})
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range reply.Items {
			if item.Seq <= last {
				t.Errorf("the archive has %d of %s behind %d", item.Seq, conv, last)
			}
			last = item.Seq
			e, err := conversation.Decode(item.Event)
			if err != nil {
				t.Fatal(err)
			}
			if m, ok := e.Body.(*conversation.Message); ok {
				ids = append(ids, m.ClientID)
			}
		}
		if after = reply.Next; after == "" {
			return ids
		}
	}
}
