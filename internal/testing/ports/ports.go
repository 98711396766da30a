// Package ports finds addresses for servers that a test starts, kills and starts again at the same place.
package ports

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
)

// Ports are taken from below those that systems give to connections that go out, from 32768 on with Linux: while a
// server is dead, the port that it comes back to would otherwise go to one of its clients, and the server never came back.
const (
	lowest = 10_000
	count  = 22_000
)

// given are ports that tests of this process have got. None is given twice: a server that is dead at the moment comes back.
var given struct {
	sync.Mutex
	ports map[int]bool
}

// Free finds so many addresses on loopback where nobody listens.
func Free(t testing.TB, n int) []string {
	t.Helper()
	given.Lock()
	defer given.Unlock()
	if given.ports == nil {
		given.ports = map[int]bool{}
	}
	var addresses []string
	for range count {
		if len(addresses) == n {
			return addresses
		}
		port := lowest + rand.IntN(count)
		if given.ports[port] {
			continue
		}
		address := fmt.Sprintf("127.0.0.1:%d", port)
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", address)
		if err != nil {
			continue // somebody else's
		}
		_ = l.Close() // nothing was accepted
		given.ports[port] = true
		addresses = append(addresses, address)
	}
	t.Fatalf("found %d free ports of %d", len(addresses), n)
	return nil
}
