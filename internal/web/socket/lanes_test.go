package socket

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/deskfleet/deskfleet/internal/testing/eventually"
)

// What belongs together stays in order, and nothing else waits for it. A drain waits for all of it.
func TestLanes(t *testing.T) {
	goOn := make(chan struct{})
	c, s, ended := serve(t, Options{}, func(s *Socket) Session {
		return session{
			receive: func(ctx context.Context, frame []byte) error {
				lane, text, _ := strings.Cut(string(frame), " ")
				s.InOrder(ctx, lane, func() {
					if lane == "slow" {
						<-goOn
					}
					s.Push(text)
				})
				return nil
			},
			deliver: s.Write,
		}
	})
	for _, text := range []string{"slow 1", "slow 2", "fast 3", "slow 4", "fast 5"} {
		send(t, c, text)
	}
	for _, want := range []string{`"3"`, `"5"`} {
		if got, err := read(t, c); err != nil || got != want {
			t.Fatalf("got %s, %v; want %s", got, err, want)
		}
	}
	drained := make(chan struct{})
	go func() {
		s.End(CodeRestart, "drain")
		close(drained)
	}()
	select {
	case <-drained:
		t.Error("the drain did not wait")
	default:
	}
	close(goOn)
	code, before := closed(t, c)
	if code != CodeRestart || !slices.Equal(before, []string{`"1"`, `"2"`, `"4"`}) {
		t.Errorf("closed with %d behind %v", code, before)
	}
	<-drained
	eventually.Receive(t, "the end", ended)
}

// A peer that sends more than can be handled is held up; nothing of it is dropped.
func TestLanesAreBounded(t *testing.T) {
	goOn := make(chan struct{})
	l := newLanes()
	var came []int
	for i := range mostUnderWay {
		l.add(t.Context(), "one", func() {
			<-goOn
			came = append(came, i)
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	l.add(ctx, "other", func() { t.Error("there was a place") })
	close(goOn)
	l.add(t.Context(), "one", func() { came = append(came, mostUnderWay) })
	l.work.Wait()
	if len(came) != mostUnderWay+1 || !slices.IsSorted(came) {
		t.Errorf("%v", came)
	}
}
