package console

import (
	"bytes"
	"encoding/json"
	"sync"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/console/agentwire"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
)

// figures passes the router's figures on to all sessions when they change.
type figures struct {
	mu       sync.Mutex
	last     *agentwire.Figures
	content  []byte
	sessions map[*session]struct{}
}

// received takes the figures of one second.
func (f *figures) received(m *bus.Message) {
	numbers, err := protocol.DecodeFigures(m.Data)
	if err != nil {
		return // the next ones come in a second
	}
	frame := &agentwire.Figures{Type: agentwire.TypeFigures, Queues: numbers.Queues, Pools: numbers.Pools}
	content, err := json.Marshal(frame)
	if err != nil {
		return
	}
	frame.At = numbers.At
	f.mu.Lock()
	defer f.mu.Unlock()
	if bytes.Equal(content, f.content) {
		return
	}
	f.last, f.content = frame, content
	for s := range f.sessions {
		s.sock.Push(*frame)
	}
}

// enter adds a session and gives it the last figures.
func (f *figures) enter(s *session) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sessions[s] = struct{}{}
	if f.last != nil {
		s.sock.Push(*f.last)
	}
}

func (f *figures) leave(s *session) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.sessions, s)
}
