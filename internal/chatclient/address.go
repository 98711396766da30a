package chatclient

import (
	"fmt"
	"net/url"
	"strings"
)

// endpoint is the address of a WebSocket of a desk: the path behind the desk's own address, which may
// have a path too where an ingress shares one host among desks.
func endpoint(address, path string) (string, error) {
	bad := func(remedy string) (string, error) {
		return "", fmt.Errorf("URL %q: %s", redact(address), remedy)
	}
	if address == "" {
		return bad("give the address of a desk, such as http://localhost:8080")
	}
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	u, err := url.Parse(address)
	if err != nil {
		return bad("write it as http://HOST:PORT or https://HOST")
	}
	switch u.Scheme {
	case "http", "ws":
		u.Scheme = "ws"
	case "https", "wss":
		u.Scheme = "wss"
	default:
		return bad("use http, https, ws or wss")
	}
	switch {
	case u.Hostname() == "":
		return bad("name the host, as in http://localhost:8080")
	case u.User != nil, u.RawQuery != "", u.Fragment != "":
		// Addresses end in logs and in other people's process lists.
		return bad("leave out what stands before @, behind ? and behind #: secrets do not belong into an address")
	}
	return u.JoinPath(path).String(), nil
}

// redact keeps what may be a secret out of messages.
func redact(address string) string {
	address, _, _ = strings.Cut(address, "?")
	address, _, _ = strings.Cut(address, "#")
	scheme, rest, found := strings.Cut(address, "://")
	if !found {
		scheme, rest = "", address
	}
	host, path, slash := strings.Cut(rest, "/")
	if at := strings.LastIndexByte(host, '@'); at >= 0 {
		host = "…" + host[at:]
	}
	rest = host
	if slash {
		rest += "/" + path
	}
	if !found {
		return rest
	}
	return scheme + "://" + rest
}
