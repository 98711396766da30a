package load

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/deskfleet/deskfleet/internal/chatclient"
)

// maxIdle customers: each takes a file of this process.
const maxIdle = 15000

// firstIdle is the number of the first idle customer, so that the addresses differ from those who talk.
const firstIdle = 1 << 16

// idlers are customers who have come and say nothing.
type idlers struct {
	chats []*chatclient.Chat
	work  sync.WaitGroup
}

func (l *load) sitIdle(ctx context.Context) (*idlers, error) {
	i := &idlers{}
	if l.Idle == 0 {
		return i, nil
	}
	chats := make([]*chatclient.Chat, l.Idle)
	errs := make([]error, l.Idle)
	places := make(chan struct{}, 50)
	var work sync.WaitGroup
	for n := range l.Idle {
		work.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			ctx, cancel := context.WithTimeout(ctx, l.Patience)
			defer cancel()
			chats[n], errs[n] = chatclient.Connect(ctx, chatclient.Options{URL: l.URL, Name: "idle", HTTPClient: clientFrom(addressOf(firstIdle + int64(n)))})
		})
	}
	work.Wait()
	for _, chat := range chats {
		if chat == nil {
			continue
		}
		i.chats = append(i.chats, chat)
		i.work.Go(func() {
			for range chat.Events() { // they must be taken
			}
		})
	}
	if len(i.chats) < l.Idle {
		return i, fmt.Errorf("%d of %d idle customers could not connect: %w", l.Idle-len(i.chats), l.Idle, first(errs))
	}
	_, _ = fmt.Fprintf(l.Out, "%d idle customers are connected\n", l.Idle)
	return i, nil
}

func first(errs []error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return errors.New("no error was told")
}

func (i *idlers) leave() {
	for _, chat := range i.chats {
		chat.Close()
	}
	i.work.Wait()
}
