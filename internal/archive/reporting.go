package archive

import (
	"context"
	"time"

	"github.com/deskfleet/deskfleet/internal/archive/protocol"
)

// staysBatch of one transaction: a message that is to be stored waits for it.
const staysBatch = 50

// tellStays prepares reports of what has ended since the last time, and of what an older release has stored.
func (r *role) tellStays(ctx context.Context) {
	for ctx.Err() == nil {
		n, err := r.store.TellStays(ctx, staysBatch)
		if err != nil {
			r.fail(ctx, "report", err)
			return
		}
		if n < staysBatch {
			return
		}
	}
}

func (r *role) answerReport(ctx context.Context, data []byte) (any, error) {
	var request protocol.ReportRequest
	if err := decodeRequest(data, &request); err != nil {
		return nil, err
	}
	levels := Levels{}
	document := r.opts.Source.Current().Document
	for i := range document.Queues {
		if level := document.Queues[i].ServiceLevel; level != nil && level.WithinSeconds > 0 {
			levels[document.Queues[i].Name] = level.WithinSeconds
		}
	}
	return r.store.Report(ctx, request, levels, time.Now())
}
