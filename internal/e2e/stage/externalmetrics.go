package stage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/deskfleet/deskfleet/internal/conversation"
)

// BotLoad is the external metric that [Stage.ServeBotLoad] serves: the sum of
// deskfleet_queue_waiting and deskfleet_queue_in_progress of the bots' queue.
const BotLoad = "deskfleet_bot_load"

// ServeBotLoad answers HPAs in the place of a Prometheus with an adapter, until
// stop is called: it scrapes the routers at each question. The cluster must be
// the local one, whose API server reaches this process at the node's address.
func (s *Stage) ServeBotLoad(ctx context.Context) (stop func(), err error) {
	if s.existing {
		return nil, errors.New("an HPA needs an adapter of metrics that the API server can reach: only the local cluster's reaches this process")
	}
	node, err := s.Kubectl(ctx, nil, "get", "nodes", "-o", `jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}`)
	if err != nil {
		return nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(node, "0"))
	if err != nil {
		return nil, fmt.Errorf("listen for the API server: %w", err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(s.botLoad))
	_ = server.Listener.Close()
	server.Listener = listener
	server.StartTLS()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err == nil {
		_, err = s.Kubectl(ctx, strings.NewReader(fmt.Sprintf(adapter, node, port)), "apply", "-f", "-")
	}
	stop = func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_, _ = s.Kubectl(ctx, strings.NewReader(fmt.Sprintf(adapter, node, port)), "delete", "--ignore-not-found", "-f", "-")
		server.Close()
	}
	if err == nil {
		_, err = s.Kubectl(ctx, nil, "wait", "--for=condition=Available", "--timeout=60s", "apiservice/v1beta1.external.metrics.k8s.io")
		if err != nil {
			why, _ := s.Kubectl(ctx, nil, "get", "apiservice/v1beta1.external.metrics.k8s.io", "-o", "jsonpath={.status.conditions}")
			err = fmt.Errorf("%w: %s", err, why)
		}
	}
	if err != nil {
		stop()
		return nil, err
	}
	return stop, nil
}

// adapter: the group is served by a Service without a selector that leads to this process.
const adapter = `
apiVersion: v1
kind: Service
metadata: {name: e2e-bot-load, namespace: kube-system}
spec:
  ports: [{name: https, port: 443}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: e2e-bot-load, namespace: kube-system, labels: {kubernetes.io/service-name: e2e-bot-load}}
addressType: IPv4
ports: [{name: https, port: %[2]s}]
endpoints: [{addresses: [%[1]s], conditions: {ready: true}}]
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1beta1.external.metrics.k8s.io}
spec:
  group: external.metrics.k8s.io
  version: v1beta1
  groupPriorityMinimum: 100
  versionPriority: 100
  insecureSkipTLSVerify: true
  service: {name: e2e-bot-load, namespace: kube-system}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: e2e-bot-load}
rules: [{apiGroups: [external.metrics.k8s.io], resources: ["*"], verbs: [get, list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: e2e-bot-load}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: e2e-bot-load}
subjects: [{kind: ServiceAccount, name: horizontal-pod-autoscaler, namespace: kube-system}]
`

// botLoad answers for the group external.metrics.k8s.io.
func (s *Stage) botLoad(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	question, asked := strings.CutPrefix(r.URL.Path, "/apis/external.metrics.k8s.io/v1beta1/namespaces/")
	namespace, metric, _ := strings.Cut(question, "/")
	if !asked {
		_, _ = w.Write([]byte(`{"kind":"APIResourceList","apiVersion":"v1","groupVersion":"external.metrics.k8s.io/v1beta1",` +
			`"resources":[{"name":"` + BotLoad + `","namespaced":true,"kind":"ExternalMetricValueList","verbs":["get"]}]}`))
		return
	}
	load, err := s.scrapeRouters(r.Context(), namespace, "deskfleet_queue_waiting", "deskfleet_queue_in_progress")
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		_ = json.NewEncoder(w).Encode(map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": err.Error(), "code": http.StatusServiceUnavailable})
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{
		"kind": "ExternalMetricValueList", "apiVersion": "external.metrics.k8s.io/v1beta1", "metadata": map[string]any{},
		"items": []any{map[string]any{
			"metricName": metric, "metricLabels": map[string]string{}, "timestamp": time.Now().UTC().Format(time.RFC3339), "value": fmt.Sprint(int(load)),
		}},
	})
}

// scrapeRouters adds up gauges of the bots' queue of the namespace's only desk. That none of its routers shows them is an
// error: missing is not zero.
func (s *Stage) scrapeRouters(ctx context.Context, namespace string, names ...string) (float64, error) {
	routers, err := s.routers(ctx, namespace)
	if err != nil {
		return 0, err
	}
	sum, found := 0.0, false
	for _, families := range routers {
		for _, name := range names {
			for _, m := range families[name].GetMetric() {
				if labelOf(m, "queue") == conversation.BotQueue {
					sum, found = sum+m.GetGauge().GetValue(), true
				}
			}
		}
	}
	if !found {
		return 0, fmt.Errorf("no router of %s shows %s", namespace, strings.Join(names, ", "))
	}
	return sum, nil
}

// LeadingRouter is the pod of the router that decides.
func (s *Stage) LeadingRouter(ctx context.Context, namespace string) (string, error) {
	routers, err := s.routers(ctx, namespace)
	if err != nil {
		return "", err
	}
	for pod, families := range routers {
		for _, m := range families["deskfleet_router_leading"].GetMetric() {
			if m.GetGauge().GetValue() == 1 {
				return pod, nil
			}
		}
	}
	return "", fmt.Errorf("none of %d routers of %s leads", len(routers), namespace)
}

// routers are the metrics of the router pods that answer, by the pods' names.
func (s *Stage) routers(ctx context.Context, namespace string) (map[string]map[string]*dto.MetricFamily, error) {
	addresses, err := s.Kubectl(ctx, nil, "-n", namespace, "get", "pods", "-l", "app.kubernetes.io/component=router", "--field-selector=status.phase=Running", "-o",
		`jsonpath={range .items[*]}{.metadata.name}={.status.podIP}:{.spec.containers[0].ports[?(@.name=="metrics")].containerPort}{"\n"}{end}`)
	if err != nil {
		return nil, err
	}
	routers := map[string]map[string]*dto.MetricFamily{}
	for line := range strings.FieldsSeq(addresses) {
		pod, address, _ := strings.Cut(line, "=")
		if families, err := scrape(ctx, "http://"+address+"/metrics"); err == nil { // one that just ends tells nothing
			routers[pod] = families
		}
	}
	return routers, nil
}

func scrape(ctx context.Context, url string) (map[string]*dto.MetricFamily, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	return parser.TextToMetricFamilies(response.Body)
}

func labelOf(m *dto.Metric, name string) string {
	for _, l := range m.GetLabel() {
		if l.GetName() == name {
			return l.GetValue()
		}
	}
	return ""
}
