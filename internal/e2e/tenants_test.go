//go:build e2e

package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
	corev1 "k8s.io/api/core/v1"

	"github.com/deskfleet/deskfleet/internal/e2e/play"
	"github.com/deskfleet/deskfleet/internal/gateway/chatwire"
)

// Two tenants with desks, pools and bases of the same names: each answers from its own, and what opens one is worthless at the other.
func TestDesksOfTwoNamespacesAreBlindToEachOther(t *testing.T) {
	minimal, err := os.ReadFile(filepath.Join(theStage.Root(), "config", "samples", "minimal.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	const weekdays, sundays = "Monday to Friday, 9:00 to 18:00.", "On Sundays only."
	other := strings.Replace(string(minimal), weekdays, sundays, 1)
	if other == string(minimal) {
		t.Fatal("the minimal sample has changed: its answer was not found")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
	defer cancel()
	tenants := map[string]string{tenantOf(t, "e2e-red", string(minimal)): weekdays, tenantOf(t, "e2e-blue", other): sundays}
	customers := map[string]*play.Customer{}
	for namespace, answer := range tenants {
		customer, err := play.Arrive(ctx, address(t, namespace, "hello-gateway"), "Anna", "en", os.Stderr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(customer.Leave)
		customers[namespace] = customer
		if err := customer.Say(ctx, "When are you open?"); err != nil {
			t.Fatal(err)
		}
		if m, err := customer.Expect(ctx, "an answer that cites an entry", func(m *chatwire.Message) bool { return m.Entry != nil }); err != nil || !strings.Contains(m.Text, answer) {
			t.Errorf("%s answers %+v (%v), expected %q", namespace, m, err, answer)
		}
	}
	red := customers["e2e-red"].Standing()
	for namespace, want := range map[string]int{"e2e-red": http.StatusOK, "e2e-blue": http.StatusUnauthorized} {
		if got := history(ctx, t, address(t, namespace, "hello-gateway"), string(red.Conversation), red.Token); got != want {
			t.Errorf("a conversation of e2e-red is read at %s: status %d, expected %d", namespace, got, want)
		}
	}
	t.Run("bus", func(t *testing.T) {
		if os.Getenv("CLUSTER") == "existing" {
			t.Skip("the bus is reached from inside a cluster only, and this test runs outside")
		}
		for _, row := range []struct{ identity, bus string }{{"e2e-red", "e2e-red"}, {"e2e-red", "e2e-blue"}, {"e2e-blue", "e2e-red"}} {
			err := signOn(ctx, t, row.identity, row.bus)
			if own := row.identity == row.bus; own && err != nil || !own && !errors.Is(err, nats.ErrAuthorization) {
				t.Errorf("the router of %s at the bus of %s: %v", row.identity, row.bus, err)
			}
		}
	})
}

// history reads a conversation as a customer, and returns the status.
func history(ctx context.Context, t *testing.T, url, conversation, token string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/v1/conversations/"+conversation+"/messages", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	return response.StatusCode
}

// signOn presents the identity of one tenant's router at the bus of a tenant.
func signOn(ctx context.Context, t *testing.T, identity, bus string) error {
	t.Helper()
	pair, err := nkeys.FromSeed(secret(ctx, t, identity, "hello-router")["nkey.seed"])
	if err != nil {
		t.Fatal(err)
	}
	public, err := pair.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	// The authority of the bus that is called: the identity alone must decide.
	authorities := x509.NewCertPool()
	if !authorities.AppendCertsFromPEM(secret(ctx, t, bus, "hello-router")["ca.crt"]) {
		t.Fatalf("the Secret of %s holds no certificate", bus)
	}
	ip, err := theStage.Kubectl(ctx, nil, "-n", bus, "get", "service", "hello-bus", "-o", "jsonpath={.spec.clusterIP}")
	if err != nil {
		t.Fatal(err)
	}
	if ip == "None" {
		ip, err = theStage.Kubectl(ctx, nil, "-n", bus, "get", "endpointslices", "-l", "kubernetes.io/service-name=hello-bus", "-o", "jsonpath={.items[0].endpoints[0].addresses[0]}")
		if err != nil {
			t.Fatal(err)
		}
	}
	conn, err := nats.Connect("tls://"+ip+":4222", nats.Nkey(public, pair.Sign),
		nats.Secure(&tls.Config{RootCAs: authorities, ServerName: "hello-bus." + bus + ".svc", MinVersion: tls.VersionTLS13}))
	if err != nil {
		return err
	}
	conn.Close()
	return nil
}

func secret(ctx context.Context, t *testing.T, namespace, name string) map[string][]byte {
	t.Helper()
	text, err := theStage.Kubectl(ctx, nil, "-n", namespace, "get", "secret", name, "-o", "json")
	if err != nil {
		t.Fatal(err)
	}
	var s corev1.Secret
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		t.Fatal(err)
	}
	return s.Data
}
