package console

import (
	"embed"
	"fmt"
	"net/http"

	"github.com/deskfleet/deskfleet/internal/console/tokens"
	"github.com/deskfleet/deskfleet/internal/web/page"
)

//go:embed static
var static embed.FS

// routes builds the role's handler.
func (c *Console) routes() (http.Handler, error) {
	files, err := page.Load(static, "static")
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+Path+"/v1/agent", c.serveAgent)
	mux.HandleFunc("GET "+Path+"/v1/me", c.api(tokens.RoleAgent, c.me))
	mux.HandleFunc("GET "+Path+"/v1/transcripts/{id}", c.api(tokens.RoleAgent, c.transcript))
	mux.HandleFunc("GET "+Path+"/v1/search", c.api(tokens.RoleSupervisor, c.search))
	mux.HandleFunc("GET "+Path+"/v1/audit", c.api(tokens.RoleAdmin, c.audit))
	mux.Handle("GET "+Path, http.RedirectHandler(Path+"/", http.StatusMovedPermanently))
	mux.HandleFunc("GET "+Path+"/{$}", func(w http.ResponseWriter, r *http.Request) {
		page.Secure(w.Header(), nil)
		files.Serve(w, r, "console.html")
	})
	mux.HandleFunc("GET "+Path+"/assets/{name}", func(w http.ResponseWriter, r *http.Request) {
		page.Secure(w.Header(), nil)
		files.Serve(w, r, r.PathValue("name"))
	})
	return mux, nil
}
