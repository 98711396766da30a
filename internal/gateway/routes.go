package gateway

import (
	"embed"
	"fmt"
	"net/http"

	"github.com/deskfleet/deskfleet/docs/api"
	"github.com/deskfleet/deskfleet/internal/web/page"
	"github.com/deskfleet/deskfleet/internal/web/problem"
)

//go:embed static
var static embed.FS

// routes builds the role's handler.
func (g *Gateway) routes() (http.Handler, error) {
	files, err := page.Load(static, "static")
	if err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	mux := http.NewServeMux()
	for pattern, serve := range g.handlers(files) {
		mux.HandleFunc(pattern, serve)
	}
	return g.cors(mux), nil
}

// handlers by pattern. Each pattern is in docs/api/openapi.yaml, and nothing else of the gateway is.
func (g *Gateway) handlers(files *page.Files) map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"GET /v1/chat":                         g.chat,
		"POST /v1/conversations":               g.reply(g.start),
		"POST /v1/conversations/{id}/messages": g.api(g.send),
		"GET /v1/conversations/{id}/messages":  g.api(g.history),
		"POST /v1/conversations/{id}/close":    g.api(g.close),
		"POST /v1/conversations/{id}/callback": g.api(g.callback),
		"POST /v1/conversations/{id}/rating":   g.api(g.rating),
		"POST /v1/channels/webhook":            g.reply(g.bridged),
		"GET /widget.js": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Content-Type-Options", "nosniff")
			w.Header().Set("Cross-Origin-Resource-Policy", "cross-origin")
			files.Serve(w, r, "widget.js")
		},
		"GET /{$}": func(w http.ResponseWriter, r *http.Request) {
			page.Secure(w.Header(), page.Ancestors(g.document().WebChat.AllowedOrigins))
			files.Serve(w, r, "chat.html")
		},
		"GET /assets/{name}": func(w http.ResponseWriter, r *http.Request) {
			page.Secure(w.Header(), nil)
			files.Serve(w, r, r.PathValue("name"))
		},
		"GET /openapi.yaml": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/yaml")
			w.Header().Set("X-Content-Type-Options", "nosniff")
			w.Header().Set("Cache-Control", "no-cache")
			_, _ = w.Write(api.OpenAPI) // the client may be gone
		},
	}
}

// cors lets pages of the allowed sites call the REST API and refuses those of others. The API has no
// cookies, so that what it guards is the sites' own use of a desk, not a session.
func (g *Gateway) cors(next http.Handler) http.Handler {
	const api = "/v1/"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.URL.Path) < len(api) || r.URL.Path[:len(api)] != api {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Add("Vary", "Origin")
		if p := page.CheckOrigin(r, g.document().WebChat.AllowedOrigins); p != nil {
			problem.Write(w, p)
			return
		}
		if origin := r.Header.Get("Origin"); origin != "" {
			h := w.Header()
			h.Set("Access-Control-Allow-Origin", origin)
			h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
			h.Set("Access-Control-Allow-Methods", "GET, POST")
			h.Set("Access-Control-Expose-Headers", "Retry-After")
			h.Set("Access-Control-Max-Age", "600")
		}
		if r.Method == http.MethodOptions {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, r)
	})
}
