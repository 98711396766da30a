package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/version"
)

// Files of a webhook's Secret, for short.
const (
	fileSecret = runtimeconfig.FileWebhookSecret
	fileCA     = runtimeconfig.FileWebhookCA
)

// Bounds of a secret in bytes, those of Standard Webhooks, and of secrets at a time.
const (
	minSecret   = 24
	maxSecret   = 64
	mostSecrets = 4
	maxFile     = 64 << 10
)

// mostAnswer of a receiver that is read, so that its connection can be used again.
const mostAnswer = 64 << 10

// ReadSecrets reads the signing secrets of a folder. Errors name the file and never what is in it.
func ReadSecrets(folder string) ([]*standardwebhooks.Webhook, error) {
	file := filepath.Join(folder, fileSecret)
	data, err := readFile(file)
	if err != nil {
		return nil, err
	}
	words := strings.Fields(string(data))
	if len(words) == 0 || len(words) > mostSecrets {
		return nil, fmt.Errorf("%s holds %d secrets: give 1 to %d, the first is the current one", file, len(words), mostSecrets)
	}
	keys := make([]*standardwebhooks.Webhook, 0, len(words))
	for _, word := range words {
		raw, found := strings.CutPrefix(word, "whsec_")
		key, err := base64.StdEncoding.DecodeString(raw)
		if !found || err != nil || len(key) < minSecret || len(key) > maxSecret {
			return nil, fmt.Errorf("%s is no signing secret: write whsec_ and %d to %d random bytes in base64", file, minSecret, maxSecret)
		}
		w, err := standardwebhooks.NewWebhookRaw(key)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		keys = append(keys, w)
	}
	return keys, nil
}

func readFile(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("%w: make the Secret that the webhook's secretRef names, with the key %s", err, filepath.Base(file))
	}
	defer func() { _ = f.Close() }() // it was only read
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("%s has more than %d bytes", file, maxFile)
	}
	return data, err
}

// readCA reads the authorities of a folder; nil without.
func readCA(folder string) (*x509.CertPool, error) {
	file := filepath.Join(folder, fileCA)
	if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
		return nil, nil //nolint:nilnil // no file is a good answer: the system's authorities
	}
	data, err := readFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("%s holds no certificate: write one or more in PEM", file)
	}
	return pool, nil
}

// newClient makes a client that connects to no address which is refused, and follows no redirect: both would let
// a receiver send the desk's requests to somebody else.
func newClient(p Policy, private bool, roots *x509.CertPool) *http.Client {
	dialer := &net.Dialer{Timeout: p.Timeout, ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("address %s: %w", address, err)
		}
		return CheckAddress(at.Addr(), private)
	}}
	return &http.Client{
		Timeout:       p.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			// No Proxy: it would connect to the addresses that the dialer refuses.
			DialContext: dialer.DialContext, ForceAttemptHTTP2: true,
			TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
			MaxIdleConnsPerHost: p.Parallel, IdleConnTimeout: 90 * time.Second, MaxResponseHeaderBytes: 16 << 10,
		},
	}
}

// ErrAddress is wrapped where a receiver's address is refused.
var ErrAddress = errors.New("the address is refused")

// notPublic are networks that are nobody's public address, beside those that netip knows: carriers' shared
// addresses, networks of this host, benchmarks, reserved ones, and IPv6 forms that lead to an IPv4 address.
var notPublic = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2002::/16"),
	netip.MustParsePrefix("fec0::/10"),
}

// CheckAddress refuses addresses that a receiver must not have: of private networks and the host itself, unless
// they are allowed; of the link (where clouds have their metadata) and of groups, always.
func CheckAddress(addr netip.Addr, private bool) error {
	addr = addr.Unmap()
	switch {
	case !addr.IsValid(), addr.IsUnspecified(), addr.IsMulticast(), addr.IsLinkLocalUnicast():
		return fmt.Errorf("%w: %s is of the link, a group or nobody", ErrAddress, addr)
	case private:
		return nil
	case addr.IsPrivate(), addr.IsLoopback():
		return fmt.Errorf("%w: %s is private: set allowPrivateAddresses to Allow if that is meant", ErrAddress, addr)
	}
	for _, network := range notPublic {
		if network.Contains(addr) {
			return fmt.Errorf("%w: %s is not public: set allowPrivateAddresses to Allow if that is meant", ErrAddress, addr)
		}
	}
	return nil
}

// post sends an event once.
func post(ctx context.Context, client *http.Client, address string, keys []*standardwebhooks.Webhook, id string, body []byte, now time.Time) outcome {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return outcome{problem: "the URL cannot be used: " + reason(err)}
	}
	signatures := make([]string, len(keys))
	for i, key := range keys {
		if signatures[i], err = key.Sign(id, now, body); err != nil {
			return outcome{problem: "it cannot be signed: " + err.Error()}
		}
	}
	h := request.Header
	h.Set("Content-Type", ContentType)
	h.Set("User-Agent", "deskfleet/"+version.Version())
	h.Set(standardwebhooks.HeaderWebhookID, id)
	h.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	h.Set(standardwebhooks.HeaderWebhookSignature, strings.Join(signatures, " "))
	response, err := client.Do(request)
	if err != nil {
		return outcome{problem: "the receiver cannot be reached: " + reason(err)}
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.CopyN(io.Discard, response.Body, mostAnswer) // what it says beyond the status is not for us
	o := outcome{status: response.StatusCode, retryAfter: retryAfter(response.Header, now)}
	switch {
	case o.status >= 200 && o.status < 300:
	case o.status >= 300 && o.status < 400:
		o.problem = fmt.Sprintf("it answered with the redirect %d, which is not followed: give the URL that it leads to", o.status)
	case o.status == http.StatusGone:
		o.problem, o.gone = "it answered with 410, it wants no events any more", true
	default:
		o.problem = fmt.Sprintf("it answered with status %d", o.status)
	}
	return o
}

// reason of a failed request without the URL, which may hold a token in its path.
func reason(err error) string {
	if ue, ok := errors.AsType[*url.Error](err); ok {
		err = ue.Err
	}
	return err.Error()
}
