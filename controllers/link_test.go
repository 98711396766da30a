package controllers_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/controllers/link"
	wire "github.com/deskfleet/deskfleet/internal/link"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
)

// desk plays the leading router of desk shop, and the pods of its bots.
type desk struct {
	*bench
	address string
	report  wire.Report
	// store has the document that the desk runs.
	store *runtimeconfig.Store
	// ahead is by how much the operator's clock is ahead, as figures age by it.
	ahead atomic.Int64
}

// newLinkedDesk applies the shop and starts an operator with a link.
func newLinkedDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{bench: newBench(t)}
	d.link = func() *link.Options {
		listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		d.address = listener.Addr().String()
		return &link.Options{Namespace: d.namespace, Name: "manager-0", Listener: listener, Registry: prometheus.NewRegistry(),
			Now: func() time.Time { return time.Now().Add(time.Duration(d.ahead.Load())) }}
	}
	d.report = wire.Report{V: 1, Namespace: d.namespace, Desk: "shop", Router: "r", Term: 1}
	d.apply(shop)
	return d
}

// start starts the operator and takes the mounted configuration.
func (d *desk) start() {
	d.t.Helper()
	d.startOperator()
	d.allReady()
	store, err := runtimeconfig.NewStore([]byte(d.mounted()))
	if err != nil {
		d.t.Fatal(err)
	}
	d.store = store
}

// mounted is the configuration in the desk's ConfigMap.
func (d *desk) mounted() string {
	d.t.Helper()
	var c corev1.ConfigMap
	if err := d.get(&c, "shop-config"); err != nil {
		d.t.Fatal(err)
	}
	return c.Data[runtimeconfig.FileName]
}

// token that a real API server signs.
func (d *desk) token(account, audience string) string {
	d.t.Helper()
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{Audiences: []string{audience}}}
	of := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: d.namespace, Name: account}}
	if err := d.client.SubResource("token").Create(d.t.Context(), of, request); err != nil {
		d.t.Fatal(err)
	}
	return request.Status.Token
}

// post sends a report as a router does, and takes the configuration of the reply.
func (d *desk) post(token string) (*wire.Reply, error) {
	d.report.Seq++
	current := d.store.Current()
	d.report.Revision, d.report.Generation = current.Revision, current.Document.Generation
	body, err := json.Marshal(d.report)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(current.Document.Link.CA))
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: current.Document.Link.Host, MinVersion: tls.VersionTLS13}}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(d.t.Context(), http.MethodPost, "https://"+d.address+wire.Path(d.namespace, "shop"), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		var problem wire.Problem
		return nil, errors.Join(fmt.Errorf("status %d", response.StatusCode), json.NewDecoder(response.Body).Decode(&problem), errors.New(problem.What))
	}
	var reply wire.Reply
	if err := json.NewDecoder(response.Body).Decode(&reply); err != nil {
		return nil, err
	}
	if reply.Document != "" {
		if _, err := d.store.Offer([]byte(reply.Document)); err != nil {
			return nil, err
		}
	}
	return &reply, nil
}

// until reports until something holds.
func (d *desk) until(what string, holds func(*wire.Reply) error) {
	d.t.Helper()
	token := d.token("shop-desk", wire.Audience)
	eventually.Nil(d.t, what, func() error {
		reply, err := d.post(token)
		if err != nil {
			return err
		}
		return holds(reply)
	})
}

// pods makes ready pods of the bots, as a ReplicaSet would.
func (d *desk) pods(names ...string) {
	d.t.Helper()
	var deployment appsv1.Deployment
	if err := d.get(&deployment, "bots-worker"); err != nil {
		d.t.Fatal(err)
	}
	for _, name := range names {
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: d.namespace, Name: name, Labels: deployment.Spec.Template.Labels},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "bot", Image: "deskfleet:test"}}},
		}
		if err := d.client.Create(d.t.Context(), pod); err != nil {
			d.t.Fatal(err)
		}
		pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
		if err := d.client.Status().Update(d.t.Context(), pod); err != nil {
			d.t.Fatal(err)
		}
	}
}

// givenUp lists the pods that are to go first.
func (d *desk) givenUp() []string {
	d.t.Helper()
	var list corev1.PodList
	if err := d.client.List(d.t.Context(), &list, client.InNamespace(d.namespace)); err != nil {
		d.t.Fatal(err)
	}
	var names []string
	for _, p := range list.Items {
		if cost, marked := p.Annotations[corev1.PodDeletionCost]; marked {
			if n, err := strconv.Atoi(cost); err != nil || n >= 0 {
				d.t.Errorf("pod %s has deletion cost %q", p.Name, cost)
			}
			names = append(names, p.Name)
		}
	}
	return names
}

func (d *desk) replicas() int {
	d.t.Helper()
	var deployment appsv1.Deployment
	if err := d.get(&deployment, "bots-worker"); err != nil {
		d.t.Fatal(err)
	}
	return int(*deployment.Spec.Replicas)
}

func (d *desk) setReplicas(n int32) {
	d.t.Helper()
	edit(d.bench, &v1alpha1.AgentPool{}, "bots", func(p *v1alpha1.AgentPool) { p.Spec.Replicas = n })
}

// workers sets what the desk reports of its bots: names with their conversations.
func (d *desk) workers(workers ...wire.Worker) {
	pool := wire.Pool{Name: "bots"}
	for _, w := range workers {
		w.Slots = 5
		pool.InProgress += w.Busy
		if !w.Draining {
			pool.SignedOn, pool.Slots = pool.SignedOn+1, pool.Slots+5
		}
		pool.Workers = append(pool.Workers, w)
	}
	d.report.Pools = []wire.Pool{pool}
}

func active(want int) func(*wire.Reply) error {
	return func(reply *wire.Reply) error {
		if got, told := reply.Pools["bots"]; !told || got.Active != want {
			return fmt.Errorf("the desk is told %+v, expected %d active", reply.Pools, want)
		}
		return nil
	}
}

func TestPoolShrinksByDrain(t *testing.T) {
	d := newLinkedDesk(t)
	d.start()
	d.setReplicas(3)
	eventually.Nil(t, "three workers", func() error {
		if n := d.replicas(); n != 3 {
			return fmt.Errorf("%d replicas", n)
		}
		return nil
	})
	d.pods("bots-a", "bots-b", "bots-c")
	d.workers(wire.Worker{Name: "bots-a", Busy: 2}, wire.Worker{Name: "bots-b", Busy: 1}, wire.Worker{Name: "bots-c"})
	d.until("three are wanted", active(3))
	d.allReady()

	d.setReplicas(1)
	d.until("one is wanted", active(1))
	d.workers(wire.Worker{Name: "bots-a", Busy: 2}, wire.Worker{Name: "bots-b", Busy: 1, Draining: true}, wire.Worker{Name: "bots-c", Draining: true})
	d.until("the status counts those that serve", func(*wire.Reply) error {
		var pool v1alpha1.AgentPool
		if err := d.get(&pool, "bots"); err != nil || pool.Status.Replicas != 1 {
			return fmt.Errorf("status.replicas is %d (%w)", pool.Status.Replicas, err)
		}
		return nil
	})
	if n := d.replicas(); n != 3 {
		t.Fatalf("%d replicas, although nobody has nothing left", n)
	}

	// The emptiest is done: it goes, and no other.
	d.workers(wire.Worker{Name: "bots-a", Busy: 2}, wire.Worker{Name: "bots-b", Busy: 1, Draining: true}, wire.Worker{Name: "bots-c", Draining: true, Drained: true})
	d.until("bots-c is given up", func(reply *wire.Reply) error {
		if !slices.Equal(reply.Pools["bots"].Leaving, []string{"bots-c"}) {
			return fmt.Errorf("leaving are %v", reply.Pools["bots"].Leaving)
		}
		return nil
	})
	d.idle()
	if n := d.replicas(); n != 2 || !slices.Equal(d.givenUp(), []string{"bots-c"}) {
		t.Fatalf("%d replicas, given up are %v", n, d.givenUp())
	}

	// Its pod is gone before the desk hears of it: it must not be taken off twice.
	if err := d.client.Delete(t.Context(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: d.namespace, Name: "bots-c"}}, client.GracePeriodSeconds(0)); err != nil {
		t.Fatal(err)
	}
	d.allReady()
	d.idle()
	d.until("the status counts the pods that are there", func(*wire.Reply) error {
		var pool v1alpha1.AgentPool
		if err := d.get(&pool, "bots"); err != nil || pool.Status.Replicas != 1 {
			return fmt.Errorf("status.replicas is %d (%w)", pool.Status.Replicas, err)
		}
		return nil
	})
	d.pods("bots-c")

	// The author changes their mind before it is gone: who serves again is no longer first to go.
	d.setReplicas(3)
	d.until("three are wanted again", active(3))
	d.workers(wire.Worker{Name: "bots-a", Busy: 2}, wire.Worker{Name: "bots-b", Busy: 1}, wire.Worker{Name: "bots-c"})
	d.until("nobody is given up", func(*wire.Reply) error {
		if marked, n := d.givenUp(), d.replicas(); len(marked) > 0 || n != 3 {
			return fmt.Errorf("%d replicas, given up are %v", n, marked)
		}
		return nil
	})
	// A silent desk keeps what it has.
	d.setReplicas(1)
	d.idle()
	if n := d.replicas(); n != 3 {
		t.Errorf("%d replicas of a desk that does not say what they do", n)
	}
}

// A desk that is silent for long must not keep its author from taking its workers away.
func TestAuthorsWordIsCarriedOutForASilentDesk(t *testing.T) {
	d := newLinkedDesk(t)
	d.start()
	d.setReplicas(3)
	eventually.Nil(t, "three workers", func() error {
		if n := d.replicas(); n != 3 {
			return fmt.Errorf("%d replicas", n)
		}
		return nil
	})
	d.pods("bots-a", "bots-b", "bots-c")
	d.setReplicas(1)
	d.idle()
	if n := d.replicas(); n != 3 {
		t.Fatalf("%d replicas of a desk that has been silent for a moment", n)
	}
	d.ahead.Store(int64(2 * time.Minute))
	eventually.Nil(t, "one worker, and a condition that says how", func() error {
		pool := &v1alpha1.AgentPool{}
		if err := d.get(pool, "bots"); err != nil {
			return err
		}
		c := meta.FindStatusCondition(pool.Status.Conditions, v1alpha1.ConditionScalingActive)
		if n := d.replicas(); n != 1 || c == nil || c.Reason != v1alpha1.ReasonShrunkWithoutDrain || !strings.Contains(c.Message, "without a drain") {
			return fmt.Errorf("%d replicas, condition %+v", n, c)
		}
		return nil
	})
	d.workers(wire.Worker{Name: "bots-a"})
	d.until("the condition goes when the desk speaks again", func(*wire.Reply) error {
		pool := &v1alpha1.AgentPool{}
		if err := d.get(pool, "bots"); err != nil {
			return err
		}
		if c := meta.FindStatusCondition(pool.Status.Conditions, v1alpha1.ConditionScalingActive); c != nil {
			return fmt.Errorf("it says %+v", c)
		}
		return nil
	})
}

// Reports that say the same, and restarts, cost no write.
func TestLinkedDeskIsQuiet(t *testing.T) {
	d := newLinkedDesk(t)
	d.start()
	d.pods("bots-a")
	d.workers(wire.Worker{Name: "bots-a", Busy: 1})
	d.until("one is wanted", active(1))
	d.allReady()
	d.settled()
	before := d.mounted()
	d.recorder.Reset()
	seen := 0
	d.until("five reports", func(*wire.Reply) error {
		if seen++; seen < 5 {
			return errors.New("not yet")
		}
		return nil
	})
	d.idle()
	if writes := d.recorder.Writes(); len(writes) > 0 {
		t.Errorf("an idle desk that reports costs %v", writes)
	}
	d.stopOperator()
	d.recorder.Reset()
	d.startOperator()
	d.until("the new operator answers", active(1))
	d.allReady()
	if writes := d.recorder.Writes(); len(writes) > 0 {
		t.Errorf("a restart costs %v", writes)
	}
	if after := d.mounted(); after != before {
		t.Errorf("the configuration changed: %s", cmp.Diff(before, after))
	}
}

// A change reaches a running desk in the reply; the mounted copy says the same.
func TestConfigurationTravelsOverTheLink(t *testing.T) {
	d := newLinkedDesk(t)
	d.start()
	first := d.store.Current().Document
	if first.Link == nil || first.Link.Host != "deskfleet-link."+d.namespace+".svc" || first.Link.Port != wire.Port || first.Generation == 0 {
		t.Fatalf("link %+v, generation %d", first.Link, first.Generation)
	}
	var router appsv1.Deployment
	if err := d.get(&router, "shop-router"); err != nil || !slices.Contains(router.Spec.Template.Spec.Containers[0].Args, "--link-token=/etc/deskfleet/link/token") {
		t.Errorf("the router runs with %v (%v)", router.Spec.Template.Spec.Containers[0].Args, err)
	}
	d.editDesk(func(s *v1alpha1.ServiceDeskSpec) { s.DisplayName = "Shop of the year" })
	d.until("the desk has its new name", func(*wire.Reply) error {
		if got := d.store.Current().Document; got.DisplayName != "Shop of the year" || got.Generation <= first.Generation {
			return fmt.Errorf("the desk runs %q of generation %d", got.DisplayName, got.Generation)
		}
		return nil
	})
	d.idle()
	if mounted := d.mounted(); runtimeconfig.Revision([]byte(mounted)) != d.store.Current().Revision {
		t.Error("the mounted configuration is another one")
	}

	// A former leader with a clock far ahead has left the desk with a configuration that counts as newer.
	foreign := *d.store.Current().Document
	foreign.Generation, foreign.DisplayName = time.Now().Add(24*time.Hour).UnixMilli(), "Shop of tomorrow"
	data, err := foreign.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.store.Offer(data); err != nil {
		t.Fatal(err)
	}
	d.until("the desk comes back", func(*wire.Reply) error {
		if got := d.store.Current().Document; got.DisplayName != "Shop of the year" {
			return fmt.Errorf("the desk runs %q of generation %d", got.DisplayName, got.Generation)
		}
		return nil
	})
}

// altered changes the signature in its middle: the last character holds bits that a decoder may overlook.
func altered(token string) string {
	at := len(token) - 100
	return token[:at] + strings.Map(func(r rune) rune {
		if r == 'A' {
			return 'B'
		}
		return 'A'
	}, token[at:at+1]) + token[at+1:]
}

// Tokens that a real API server signs, for others.
func TestOnlyTheDeskItselfReports(t *testing.T) {
	d := newLinkedDesk(t)
	d.start()
	stranger := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: d.namespace, Name: "stranger"}}
	if err := d.client.Create(t.Context(), stranger); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ token, want string }{
		"another account":        {d.token("stranger", wire.Audience), "status 403"},
		"for the API server":     {d.token("shop-desk", "https://kubernetes.default.svc"), "status 401"},
		"altered":                {altered(d.token("shop-desk", wire.Audience)), "status 401"},
		"no token":               {"", "status 401"},
		"of a person, not a pod": {"hunter2", "status 401"},
	} {
		if _, err := d.post(c.token); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, expected %s", name, err, c.want)
		}
	}
	if _, err := d.post(d.token("shop-desk", wire.Audience)); err != nil {
		t.Errorf("the desk itself: %v", err)
	}
	if err := d.client.Delete(t.Context(), d.desk()); err != nil {
		t.Fatal(err)
	}
	token := d.token("shop-desk", wire.Audience)
	eventually.Nil(t, "a deleted desk is refused", func() error {
		if _, err := d.post(token); err == nil || !strings.Contains(err.Error(), "status 404") {
			return fmt.Errorf("a desk that is gone: %w", err)
		}
		return nil
	})
}

// A manager that does not lead keeps what it hears, and wants nothing.
func TestStandbyHearsAndWantsNothing(t *testing.T) {
	d := newLinkedDesk(t)
	d.start()
	d.workers(wire.Worker{Name: "bots-a"})
	d.until("the leader wants", active(1))
	d.settled()
	d.stopOperator()
	now := metav1.NowMicro()
	lease := &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: d.namespace, Name: leaseName},
		Spec: coordinationv1.LeaseSpec{
			HolderIdentity: new("another"), LeaseDurationSeconds: new(int32(3600)), AcquireTime: &now, RenewTime: &now,
		},
	}
	if err := d.client.Create(t.Context(), lease); err != nil {
		t.Fatal(err)
	}
	d.standby = true
	d.recorder.Reset()
	d.startOperator()
	d.until("the standby hears", func(reply *wire.Reply) error {
		if reply.Leads || len(reply.Pools) > 0 || reply.Revision != "" {
			return fmt.Errorf("it says %+v", reply)
		}
		return nil
	})
	// The lease ends: it leads with what it has heard already.
	if err := d.client.Delete(context.WithoutCancel(t.Context()), lease); err != nil {
		t.Fatal(err)
	}
	d.until("it leads", active(1))
	d.allReady()
	if writes := d.recorder.Writes(); len(writes) > 0 {
		t.Errorf("a change of the lead costs %v", writes)
	}
}
