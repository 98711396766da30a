package bus

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

// Ready says whether the server may serve: it listens, its store is recovered,
// and in a cluster it is current with the leaders of all that it stores.
func (s *Server) Ready() error {
	if err := s.logger.err(); err != nil {
		return fmt.Errorf("bus server failed: %w", err)
	}
	// The check is exported by the server only as an HTTP handler.
	var answer health
	s.nats.HandleHealthz(&answer, &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/healthz"}})
	return answer.err()
}

// health is the ResponseWriter of [Server.Ready].
type health struct {
	header http.Header
	status int
	body   []byte
}

func (h *health) Header() http.Header {
	if h.header == nil {
		h.header = http.Header{}
	}
	return h.header
}

func (h *health) WriteHeader(status int) { h.status = status }

func (h *health) Write(data []byte) (int, error) {
	h.body = append(h.body, data...)
	return len(data), nil
}

func (h *health) err() error {
	var answer struct {
		Status string `json:"status"`
		Error  string `json:"error"`
	}
	if err := json.Unmarshal(h.body, &answer); err != nil {
		return fmt.Errorf("bus server: health: %w", err)
	}
	if answer.Status == "ok" && (h.status == 0 || h.status == http.StatusOK) {
		return nil
	}
	if answer.Error == "" {
		answer.Error = "status " + answer.Status
	}
	return errors.New("bus server is not ready: " + answer.Error)
}
