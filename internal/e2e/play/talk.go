package play

import (
	"context"
	"fmt"
	"time"
)

// pause between two things that a customer says: as fast as a person types, within the desk's bound a minute.
const pause = 2 * time.Second

// Talk is a customer who says numbered things until talking ends, and then
// checks that all of them are stored once and in order. It returns how many.
func Talk(ctx, talking context.Context, url, name string) (said int, err error) {
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
	return said, customer.CheckStored(ctx)
}
