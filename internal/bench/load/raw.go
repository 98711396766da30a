package load

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

// rawMessage has the size of a usual message with its envelope.
const rawMessage = 400

// BusRaw measures how many messages a second the bus alone stores in a folder,
// each synced to disk before it is acknowledged, from so many senders at once.
func BusRaw(ctx context.Context, folder string, senders int, duration time.Duration) (perSecond float64, err error) {
	document := &runtimeconfig.Document{
		Version: runtimeconfig.Version, Namespace: "bench", Desk: "raw", DisplayName: "raw", Languages: []string{"en"},
		Queues: []runtimeconfig.Queue{{Name: "general"}}, DefaultQueue: "general", RetentionDays: 1,
		Bus: runtimeconfig.Bus{Replicas: 1, MaxStoreBytes: 4 << 30},
	}
	server, err := bus.StartEmbedded(ctx, document, folder, slog.New(slog.DiscardHandler))
	if err != nil {
		return 0, fmt.Errorf("start a bus: %w", err)
	}
	defer func() { err = errors.Join(err, server.Shutdown(context.WithoutCancel(ctx))) }()
	if err := server.EnsureStream(ctx); err != nil {
		return 0, err
	}
	subjects, err := bus.NewSubjects(document.Namespace, document.Desk)
	if err != nil {
		return 0, err
	}
	conn, err := server.Dial(ctx, bus.ClientOptions{Name: "raw"})
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	log := conn.Log(subjects.Stream())
	over, cancel := context.WithTimeout(ctx, duration)
	defer cancel()
	data := make([]byte, rawMessage)
	var stored atomic.Int64
	errs := make([]error, senders)
	begin := time.Now()
	var work sync.WaitGroup
	for n := range senders {
		work.Go(func() {
			for i := 0; over.Err() == nil && errs[n] == nil; i++ {
				_, _, err := log.Append(ctx, subjects.Messages(fmt.Sprint("c", n)), data, bus.AppendOptions{MsgID: fmt.Sprint(n, "-", i)})
				if errs[n] = err; err == nil {
					stored.Add(1)
				}
			}
		})
	}
	work.Wait()
	return float64(stored.Load()) / time.Since(begin).Seconds(), errors.Join(errs...)
}
