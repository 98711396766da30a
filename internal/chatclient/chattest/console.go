package chattest

import (
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/deskfleet/deskfleet/internal/console"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
	"github.com/deskfleet/deskfleet/internal/web/webtest"
)

// TokenOf an agent at the consoles of the tests.
func TokenOf(agent string) string { return "token-of-" + agent + "-0123456789" }

// WriteTokens lets agents sign in, and nobody else from now on. An agent's role may follow the name and a colon.
func (d *Desk) WriteTokens(agents ...string) {
	d.T.Helper()
	var list strings.Builder
	for _, agent := range agents {
		name, role, given := strings.Cut(agent, ":")
		if !given {
			role = "agent"
		}
		fmt.Fprintf(&list, "- {name: %s, role: %s, token: %s}\n", name, role, TokenOf(name))
	}
	if err := os.WriteFile(d.tokens(), []byte(list.String()), 0o600); err != nil {
		d.T.Fatal(err)
	}
}

func (d *Desk) tokens() string { return filepath.Join(d.secrets, "tokens.yaml") }

// Console starts a console at which chen and wu, and nobody, who is in no pool, can sign in. It returns its
// address and what drains and ends it, at the latest with the test.
func (d *Desk) Console(name string) (url string, stop func()) {
	d.T.Helper()
	if _, err := os.Stat(d.tokens()); err != nil {
		d.WriteTokens("chen", "wu", "nobody")
	}
	c, err := console.New(console.Options{
		Name: name, Source: d.Config, Dialer: d.Server, Tokens: d.tokens(), Logger: webtest.Quiet(d.T),
		Registerer: prometheus.NewRegistry(), DrainWithin: 10 * time.Second, TokensEvery: 10 * time.Millisecond,
	})
	if err != nil {
		d.T.Fatal(err)
	}
	server := httptest.NewServer(c.Handler())
	end := run(d.T, "console "+name, c.Run)
	stop = func() {
		end()
		server.Close()
	}
	d.T.Cleanup(stop)
	eventually.Nil(d.T, "the console is ready", c.Ready)
	return server.URL, stop
}
