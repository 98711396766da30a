package localcluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	waitPoll   = 200 * time.Millisecond
	waitNotice = 5 * time.Second
	// tryTimeout bounds one question to a component, so that a silent one is asked again.
	tryTimeout = 2 * time.Second
	// dnsTimeout is short: a question asked before kube-proxy is done is lost.
	dnsTimeout = 500 * time.Millisecond
	logTail    = 15
)

// await asks until a component gives the wanted answer; try bounds its own time. It fails early, with
// the end of the log, when the component's process ends.
func (c *cluster) await(ctx context.Context, name, what string, try func(context.Context) error) error {
	started := time.Now()
	poll, notice := time.NewTicker(waitPoll), time.NewTicker(waitNotice)
	defer poll.Stop()
	defer notice.Stop()
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-c.exits[name]: // nil, hence never, for a process that ran before
			return fmt.Errorf("%s ended while waiting for %s; the end of %s:\n%s", name, what, c.log(name), tail(c.log(name), logTail))
		case <-ctx.Done():
			return fmt.Errorf("%s: no %s after %s: %w; the end of %s:\n%s",
				name, what, time.Since(started).Round(time.Second), err, c.log(name), tail(c.log(name), logTail))
		case <-notice.C:
			c.say("waiting for %s: %v", what, err)
		case <-poll.C:
		}
	}
}

// httpOK asks a health endpoint of the node.
func httpOK(client *http.Client, url string) func(context.Context) error {
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
		err = errors.Join(err, resp.Body.Close())
		if err == nil && resp.StatusCode != http.StatusOK {
			err = fmt.Errorf("%s: %s: %s", url, resp.Status, lastLines(body, 2))
		}
		return err
	}
}

// httpClient trusts the cluster's authority, or with a nil one nothing but plain HTTP.
func (c *cluster) httpClient(ca *authority, client string) (*http.Client, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: x509.NewCertPool()}
	if ca != nil {
		config.RootCAs.AddCert(ca.cert)
	}
	if client != "" {
		pair, err := tls.LoadX509KeyPair(c.cert(client), c.key(client))
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return &http.Client{Timeout: tryTimeout, Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}, nil
}

func (c *cluster) clientset() (*kubernetes.Clientset, error) {
	config, err := clientcmd.BuildConfigFromFlags("", c.kubeconfig("admin"))
	if err != nil {
		return nil, err
	}
	config.Timeout = tryTimeout
	return kubernetes.NewForConfig(config)
}

// readyNode returns the cluster's node; an error says why it is not Ready.
func (c *cluster) readyNode(ctx context.Context, client kubernetes.Interface) (*corev1.Node, error) {
	node, err := client.CoreV1().Nodes().Get(ctx, c.Name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	if cond := readyCondition(node); cond.Status != corev1.ConditionTrue {
		return node, fmt.Errorf("the node is not Ready: %s", cond.Message)
	}
	return node, nil
}

// reported: a node that was Ready stays so in the API for a while after its
// kubelet ended. A report of the present kubelet shows that it is back.
func (c *cluster) reported(node *corev1.Node) error {
	kubelet, err := readRecord(c.record(kubeletName))
	if err != nil {
		return err
	}
	if kubelet == nil || readyCondition(node).LastHeartbeatTime.Time.Before(kubelet.Since) {
		return errors.New("the kubelet has not reported since its start")
	}
	return nil
}

func readyCondition(node *corev1.Node) corev1.NodeCondition {
	for _, cond := range node.Status.Conditions {
		if cond.Type == corev1.NodeReady {
			return cond
		}
	}
	return corev1.NodeCondition{Status: corev1.ConditionUnknown, Message: "the kubelet reports nothing yet"}
}

// dnsAnswers asks for the API server's Service at the DNS Service's address: an
// answer proves CoreDNS, its access to the API, kube-proxy and the route.
func (c *cluster) dnsAnswers(ctx context.Context) error {
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, hostPort(c.addr.DNS, 53))
	}}
	ctx, cancel := context.WithTimeout(ctx, dnsTimeout)
	defer cancel()
	name := "kubernetes.default.svc." + clusterDomain
	got, err := resolver.LookupNetIP(ctx, "ip4", name+".")
	if fault, ok := errors.AsType[*net.DNSError](err); ok {
		fault.Server = hostPort(c.addr.DNS, 53) // it names the machine's resolver, which was not asked
	}
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(got, func(a netip.Addr) bool { return a.Unmap() == c.addr.APIServer }) {
		return fmt.Errorf("%s is %v instead of %s", name, got, c.addr.APIServer)
	}
	return nil
}

// portFree finds a stranger on a component's port before the component fails on it.
func (c *cluster) portFree(ctx context.Context, p component) error {
	if p.port == 0 {
		return nil
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.at(p.port))
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("port %d, which %s needs on %s, is taken by another process of this machine: end that one (ss -ltnp shows it)", p.port, p.name, c.addr.Node)
	}
	if err != nil {
		return err
	}
	return l.Close()
}

// waitSocket waits for a Unix socket that accepts.
func waitSocket(path string) func(context.Context) error {
	return func(ctx context.Context) error {
		conn, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
		if err != nil {
			return err
		}
		return conn.Close()
	}
}

func copyFile(from, to string, mode os.FileMode) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return writeFile(to, content, mode)
}
