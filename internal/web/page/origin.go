package page

import (
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/deskfleet/deskfleet/internal/web/problem"
)

// CheckOrigin refuses a request that a browser makes for a page of another site, unless the site is
// allowed. A pattern is scheme://host[:port], or a host alone, in which "*" stands for any run of
// characters. A request without an Origin does not come from a page of another site.
func CheckOrigin(r *http.Request, allowed []string) *problem.Problem {
	origin := r.Header.Get("Origin")
	if origin == "" || Allowed(origin, r.Host, allowed) {
		return nil
	}
	return problem.Field(http.StatusForbidden, problem.CodeOrigin, "Origin", origin,
		"pages of this site may not use the desk", "add the site to the desk's allowedOrigins")
}

// Allowed says whether pages of the origin may use the desk that is served at host.
func Allowed(origin, host string, allowed []string) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" {
		return false // such as "null", of pages without an origin
	}
	if strings.EqualFold(u.Host, host) {
		return true
	}
	for _, pattern := range allowed {
		target := u.Host
		if strings.Contains(pattern, "://") {
			target = u.Scheme + "://" + u.Host
		}
		if ok, err := path.Match(strings.ToLower(pattern), strings.ToLower(target)); err == nil && ok {
			return true
		}
	}
	return false
}
