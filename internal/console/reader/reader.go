// Package reader reads a desk's console over HTTP, with the token of an agent.
package reader

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/deskfleet/deskfleet/internal/web/problem"
)

// maxBytes of an answer.
const maxBytes = 64 << 20

// Console of a desk.
type Console struct {
	// URL of the console, such as http://localhost:8080.
	URL string
	// Token of an agent; which one may read depends on what is read.
	Token  string
	Client *http.Client
}

// Get reads what a path answers, such as /console/v1/queues, into a value. A refusal is a *problem.Problem. Errors name what was
// refused and what to do; they never hold the token.
func (c *Console) Get(ctx context.Context, path string, query url.Values, into any) error {
	address := strings.TrimSuffix(c.URL, "/") + path + "?" + query.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return fmt.Errorf("%s: %w", c.URL, err)
	}
	request.Header.Set("Authorization", "Bearer "+c.Token)
	client := c.Client
	if client == nil {
		client = &http.Client{Timeout: time.Minute}
	}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("ask the console: %w", err)
	}
	defer func() { _ = response.Body.Close() }() // it was read
	body := io.LimitReader(response.Body, maxBytes)
	if response.StatusCode != http.StatusOK {
		return refused(response, body)
	}
	if err := json.NewDecoder(body).Decode(into); err != nil {
		return fmt.Errorf("%s does not answer as a console: %w", c.URL, err)
	}
	return nil
}

// refused turns the console's problem into an error.
func refused(response *http.Response, body io.Reader) error {
	p := &problem.Problem{}
	if json.NewDecoder(body).Decode(p) != nil || p.Title == "" {
		return fmt.Errorf("the console answers %s: is this the console of a desk?", response.Status)
	}
	return p
}
