package servicedesk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"

	"github.com/deskfleet/deskfleet/internal/apply"
)

// TestLateKindIsLookedForOnce for all desks that wait, and not at all while none does.
func TestLateKindIsLookedForOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var looks, watches atomic.Int32
		var here, willing atomic.Bool
		woken := make(chan string, 9)
		k := &lateKind{
			kind: apply.HTTPRouteKind(), log: slog.New(slog.DiscardHandler), waiting: map[types.NamespacedName]bool{},
			known: func() (bool, error) { looks.Add(1); return here.Load(), nil },
			watch: func(context.Context) error {
				if watches.Add(1); willing.Load() {
					return nil
				}
				return errors.New("refused")
			},
			wake: func(_, name string) { woken <- name },
		}
		always := apply.DeskKinds()
		desk := func(i int) types.NamespacedName {
			return types.NamespacedName{Namespace: "tenant", Name: fmt.Sprintf("desk-%d", i)}
		}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go func() { _ = k.Start(ctx) }()
		looked := func(what string, after time.Duration, want int32) {
			t.Helper()
			time.Sleep(after) //nolint:forbidigo // the clock of synctest
			synctest.Wait()
			if n := looks.Swap(0); n != want {
				t.Errorf("%s: looked %d times, expected %d", what, n, want)
			}
		}
		k.kinds(always, desk(0), false)
		looked("nobody waits", time.Hour, 0)
		for i := range 3 {
			if got := k.kinds(always, desk(i), true); len(got) != len(always) {
				t.Errorf("a kind that is not here is among the %d", len(got))
			}
		}
		looked("three desks wait", time.Minute, 6)

		k.forget(desk(0))
		here.Store(true)
		looked("it is here, and cannot be watched", lookEvery, 1)
		if watches.Load() != 1 || len(woken) > 0 {
			t.Errorf("watched %d times, %d desks are woken", watches.Load(), len(woken))
		}
		willing.Store(true)
		looked("it is watched", lookEvery, 1)
		close(woken)
		if diff := cmp.Diff([]string{"desk-1", "desk-2"}, drained(woken)); diff != "" {
			t.Errorf("woken (-expected +got):\n%s", diff)
		}
		for _, wants := range []bool{true, false} { // a desk that does not want it any more may have one
			if got := k.kinds(always, desk(1), wants); len(got) != len(always)+1 {
				t.Errorf("wants %t: %d kinds", wants, len(got))
			}
		}
		looked("never again", time.Hour, 0)
	})
}

// drained are the values of a closed channel, sorted.
func drained(names <-chan string) []string {
	var all []string
	for name := range names {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}
