package play

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// pause between two things that a customer says: as fast as a person types, within the desk's bound a minute.
const pause = 2 * time.Second

// Talk is a customer who says numbered things until talking ends, and then
// checks that all of them are stored once and in order: in the log and, where a
// supervisor can look, in the archive behind the end of the conversation. It
// returns how many.
func Talk(ctx, talking context.Context, url, name string, archive *Supervisor) (said int, err error) {
	customer, err := Arrive(ctx, url, name, "en", nil)
	if err != nil {
		return 0, err
	}
	defer customer.Leave()
	for talking.Err() == nil {
		if err := customer.Say(ctx, fmt.Sprintf("%s says number %d: where is my order?", name, said+1)); err != nil {
			return said, err
		}
		said++
		select {
		case <-time.After(pause):
		case <-talking.Done():
		}
	}
	if err := customer.CheckStored(ctx); err != nil || archive == nil {
		return said, err
	}
	if err := customer.End(ctx); err != nil {
		return said, err
	}
	return said, archive.CheckArchived(ctx, customer)
}

// Chatter is n customers who talk at the same time until hush is called; total
// is how many things they said, and err what any of them lost.
func Chatter(ctx context.Context, url string, n int, archive *Supervisor) (hush func() (total int, err error)) {
	talking, cancel := context.WithCancel(ctx)
	var work sync.WaitGroup
	said, errs := make([]int, n), make([]error, n)
	for i := range n {
		work.Go(func() { said[i], errs[i] = Talk(ctx, talking, url, fmt.Sprintf("customer-%d", i), archive) })
	}
	return func() (total int, err error) {
		cancel()
		work.Wait()
		for _, n := range said {
			total += n
		}
		return total, errors.Join(errs...)
	}
}
