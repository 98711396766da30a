package console

import (
	"embed"
	"fmt"
	"net/http"

	archive "github.com/deskfleet/deskfleet/internal/archive/protocol"
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
	for pattern, serve := range c.handlers(files) {
		mux.Handle(pattern, serve)
	}
	return mux, nil
}

// handlers by pattern. Each pattern is in docs/api/openapi.yaml, and nothing else of the console is.
func (c *Console) handlers(files *page.Files) map[string]http.Handler {
	return map[string]http.Handler{
		"GET " + Path + "/v1/agent":                          http.HandlerFunc(c.serveAgent),
		"GET " + Path + "/v1/me":                             c.api(tokens.RoleAgent, c.me),
		"GET " + Path + "/v1/transcripts/{id}":               c.api(tokens.RoleAgent, c.transcript),
		"GET " + Path + "/v1/agents":                         c.api(tokens.RoleAgent, c.colleagues),
		"GET " + Path + "/v1/conversations":                  c.api(tokens.RoleAgent, c.open),
		"GET " + Path + "/v1/queues":                         c.api(tokens.RoleAgent, c.queues),
		"PUT " + Path + "/v1/queues/{queue}/steps/{step}":    c.api(tokens.RoleSupervisor, c.holdStep),
		"DELETE " + Path + "/v1/queues/{queue}/steps/{step}": c.api(tokens.RoleSupervisor, c.releaseStep),
		"GET " + Path + "/v1/search":                         c.api(tokens.RoleSupervisor, c.search),
		"GET " + Path + "/v1/reports/agents":                 c.api(tokens.RoleSupervisor, c.reports(archive.ByAgent)),
		"GET " + Path + "/v1/reports/queues":                 c.api(tokens.RoleSupervisor, c.reports(archive.ByQueue)),
		"GET " + Path + "/v1/reports/load":                   c.api(tokens.RoleSupervisor, c.loadReport),
		"GET " + Path + "/v1/reserve":                        c.api(tokens.RoleAgent, c.reserve),
		"PUT " + Path + "/v1/pools/{pool}/reserve/{tier}":    c.api(tokens.RoleSupervisor, c.callReserve),
		"DELETE " + Path + "/v1/pools/{pool}/reserve/{tier}": c.api(tokens.RoleSupervisor, c.releaseReserve),
		"GET " + Path + "/v1/staffing":                       c.api(tokens.RoleSupervisor, c.staffing),
		"GET " + Path + "/v1/audit":                          c.api(tokens.RoleAdmin, c.audit),
		"GET " + Path + "/v1/webhooks":                       c.api(tokens.RoleAdmin, c.webhooks),
		"GET " + Path + "/v1/webhooks/{name}/dead-letters":   c.api(tokens.RoleAdmin, c.deadLetters),
		"POST " + Path + "/v1/webhooks/{name}/replay":        c.api(tokens.RoleAdmin, c.replay),
		"POST " + Path + "/v1/webhooks/{name}/enable":        c.api(tokens.RoleAdmin, c.enable),
		"GET " + Path: http.RedirectHandler(Path+"/", http.StatusMovedPermanently),
		"GET " + Path + "/{$}": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			page.Secure(w.Header(), nil)
			files.Serve(w, r, "console.html")
		}),
		"GET " + Path + "/assets/{name}": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			page.Secure(w.Header(), nil)
			files.Serve(w, r, r.PathValue("name"))
		}),
	}
}
