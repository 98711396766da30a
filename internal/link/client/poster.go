package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/deskfleet/deskfleet/internal/link"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

// backAfter so long a manager gets what it recalled: soon, as it decides without it, and never in a tight loop.
const backAfter = link.OnChange / 4

// poster posts to one manager.
type poster struct {
	client   *Client
	managers runtimeconfig.Link
	address  netip.Addr
	http     *http.Client

	posted  *link.Report // the last report that arrived
	failing bool
	// reading says that what the manager recalled is being read, back is what was read. Both are the client's to lock.
	reading bool
	back    map[string][]byte
}

func newPoster(c *Client, managers runtimeconfig.Link, address netip.Addr) *poster {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(managers.CA)) // without a certificate every connection is refused, and says why
	target := net.JoinHostPort(address.String(), strconv.Itoa(managers.Port))
	return &poster{client: c, managers: managers, address: address, http: &http.Client{
		Timeout: postTimeout,
		// A manager does not redirect; whoever does gets no token.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			// The name stands for all managers; this one is meant.
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return c.o.Dial(ctx, network, target)
			},
			TLSClientConfig:     &tls.Config{RootCAs: roots, ServerName: managers.Host, MinVersion: tls.VersionTLS13},
			TLSHandshakeTimeout: postTimeout,
			IdleConnTimeout:     3 * link.Idle,
			MaxIdleConns:        1,
			ReadBufferSize:      2 << 10,
			WriteBufferSize:     2 << 10,
		},
	}}
}

// run posts on change at most once in link.OnChange, else every link.Idle.
func (p *poster) run(ctx context.Context) {
	defer p.http.CloseIdleConnections()
	var pause time.Duration
	var last time.Time
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		report, change := p.client.latest()
		switch due := p.due(report, last, pause); {
		case due == 0:
			last = time.Now()
			err := p.post(ctx, report)
			pause = p.after(ctx, err, pause)
			continue
		case due > 0:
			timer.Reset(due)
		default:
			timer.Stop() // nothing to post: the next report wakes us
		}
		select {
		case <-ctx.Done():
			return
		case <-change:
		case <-timer.C:
		}
	}
}

// due is in how long the report is to be posted: 0 for now, less for never.
func (p *poster) due(report *link.Report, last time.Time, pause time.Duration) time.Duration {
	if report == nil {
		return -1
	}
	if last.IsZero() {
		return 0
	}
	wait := link.Idle
	switch {
	case p.givesBack():
		wait = backAfter
	case p.posted == nil || !report.Same(p.posted):
		wait = link.OnChange
	}
	return max(0, max(wait, pause)-time.Since(last))
}

// after is how long to pause after a post: nothing after one that arrived.
func (p *poster) after(ctx context.Context, err error, pause time.Duration) time.Duration {
	if err == nil {
		if p.failing {
			p.failing = false
			p.client.o.Logger.InfoContext(ctx, "link stands again", "manager", p.address)
		}
		return 0
	}
	p.posted = nil // whoever takes its place knows nothing
	p.client.o.Metrics.failed(failedPost)
	if !p.failing && ctx.Err() == nil {
		p.failing = true
		p.client.o.Logger.WarnContext(ctx, "report did not arrive, it is tried again", "manager", p.address, "error", err)
	}
	return jitter(min(longestPause, max(link.OnChange, 2*pause)))
}

func (p *poster) post(ctx context.Context, report *link.Report) error {
	token, err := os.ReadFile(p.client.o.TokenFile)
	if err != nil {
		return fmt.Errorf("token of the link: %w: mount the projected ServiceAccount token", err)
	}
	snapshot := p.client.o.Config.Current()
	sent := *report
	sent.V = link.Version
	sent.Seq, sent.Refused = p.client.number()
	sent.Namespace, sent.Desk = snapshot.Document.Namespace, snapshot.Document.Desk
	sent.Revision, sent.Generation = snapshot.Revision, snapshot.Document.Generation
	sent.Learned = p.giveBack()
	body, err := json.Marshal(&sent)
	if err != nil {
		return fmt.Errorf("encode the report: %w", err)
	}
	url := "https://" + net.JoinHostPort(p.managers.Host, strconv.Itoa(p.managers.Port)) + link.Path(sent.Namespace, sent.Desk)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("make the request: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	response, err := p.http.Do(request)
	if err != nil {
		return fmt.Errorf("post the report: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	reply, err := read(response)
	if err != nil {
		return err
	}
	p.posted = report
	p.client.o.Metrics.arrived(reply.Leads)
	p.client.take(ctx, p, reply)
	return nil
}

func read(response *http.Response) (*link.Reply, error) {
	body, err := io.ReadAll(io.LimitReader(response.Body, link.MaxReplyBytes+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the reply: %w", err)
	case len(body) > link.MaxReplyBytes:
		return nil, fmt.Errorf("the reply has more than %d bytes", link.MaxReplyBytes)
	}
	if response.StatusCode != http.StatusOK {
		var problem link.Problem
		if json.Unmarshal(body, &problem) != nil || problem.What == "" {
			problem.What = http.StatusText(response.StatusCode)
		}
		return nil, &refusedError{status: response.StatusCode, problem: problem}
	}
	var reply link.Reply
	if err := json.Unmarshal(body, &reply); err != nil {
		return nil, fmt.Errorf("the reply is not the JSON of one: %w", err)
	}
	if reply.V < 1 {
		return nil, errors.New("the reply has no version")
	}
	return &reply, nil
}

// refusedError is a manager's refusal.
type refusedError struct {
	status  int
	problem link.Problem
}

func (e *refusedError) Error() string {
	text := fmt.Sprintf("the manager refuses the report with status %d: %s", e.status, e.problem.What)
	if e.problem.Remedy != "" {
		text += ": " + e.problem.Remedy
	}
	return text
}
