package controllers_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
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
	// learned is what the desk was given to keep.
	learned map[string][]byte
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
	for pool, data := range reply.Learned {
		if d.learned == nil {
			d.learned = map[string][]byte{}
		}
		d.learned[pool] = data
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
