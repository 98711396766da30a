package bus

import (
	"github.com/nats-io/nats-server/v2/server"
	"github.com/prometheus/client_golang/prometheus"
)

// serverCollector shows the embedded server. It asks the server at each scrape.
type serverCollector struct {
	server *Server
	stream string
}

// Collector of the server's metrics, to be registered in the role's registry.
func (s *Server) Collector() prometheus.Collector {
	doc, stream := s.document(), ""
	if subjects, err := NewSubjects(doc.Namespace, doc.Desk); err == nil {
		stream = subjects.Stream()
	}
	return &serverCollector{server: s, stream: stream}
}

func describe(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("deskfleet_bus_server_"+name, help, nil, nil)
}

var (
	descReady         = describe("ready", "1 when the server may serve.")
	descConnections   = describe("connections", "Clients that are connected.")
	descSubscriptions = describe("subscriptions", "Subscriptions of all clients.")
	descRoutes        = describe("routes", "Connections to other servers of the cluster.")
	descInMessages    = describe("received_messages_total", "Messages from clients.")
	descOutMessages   = describe("sent_messages_total", "Messages to clients.")
	descInBytes       = describe("received_bytes_total", "Bytes from clients.")
	descOutBytes      = describe("sent_bytes_total", "Bytes to clients.")
	descSlow          = describe("slow_consumers_total", "Clients that were disconnected because they did not keep up.")
	descStore         = describe("store_bytes", "Bytes stored.")
	descMaxStore      = describe("store_max_bytes", "Bytes that may be stored.")
	descAPIErrors     = describe("jetstream_api_errors_total", "Requests of the JetStream API that failed.")
	descMessages      = describe("log_messages", "Messages in the desk's log: open conversations and what the archive has yet to take.")
	descBytes         = describe("log_bytes", "Bytes in the desk's log.")
	descMaxBytes      = describe("log_max_bytes", "Bytes at which the desk's log refuses messages.")
	descSubjects      = describe("log_subjects", "Subjects in the desk's log; each takes about 1 kB of memory.")
	descConsumers     = describe("log_consumers", "Consumers of the desk's log.")
	descLastSequence  = describe("log_last_sequence", "Sequence of the newest message.")
)

func (c *serverCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		descReady, descConnections, descSubscriptions, descRoutes, descInMessages, descOutMessages, descInBytes,
		descOutBytes, descSlow, descStore, descMaxStore, descAPIErrors, descMessages, descBytes, descMaxBytes,
		descSubjects, descConsumers, descLastSequence,
	} {
		ch <- d
	}
}

func gauge[T int | int64 | uint64 | uint32](ch chan<- prometheus.Metric, d *prometheus.Desc, v T) {
	ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(v))
}

func counter[T int64 | uint64](ch chan<- prometheus.Metric, d *prometheus.Desc, v T) {
	ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v))
}

func (c *serverCollector) Collect(ch chan<- prometheus.Metric) {
	ready := 0
	if c.server.Ready() == nil {
		ready = 1
	}
	gauge(ch, descReady, ready)
	if varz, err := c.server.nats.Varz(nil); err == nil {
		gauge(ch, descConnections, varz.Connections)
		gauge(ch, descSubscriptions, varz.Subscriptions)
		gauge(ch, descRoutes, varz.Routes)
		counter(ch, descInMessages, varz.InClientMsgs)
		counter(ch, descOutMessages, varz.OutClientMsgs)
		counter(ch, descInBytes, varz.InClientBytes)
		counter(ch, descOutBytes, varz.OutClientBytes)
		counter(ch, descSlow, varz.SlowConsumers)
	}
	jsz, err := c.server.nats.Jsz(&server.JSzOptions{Accounts: true, Streams: true})
	if err != nil {
		return // JetStream is not up
	}
	gauge(ch, descStore, jsz.Store)
	gauge(ch, descMaxStore, jsz.Config.MaxStore)
	counter(ch, descAPIErrors, jsz.API.Errors)
	c.collectLog(ch, jsz)
}

func (c *serverCollector) collectLog(ch chan<- prometheus.Metric, jsz *server.JSInfo) {
	for _, account := range jsz.AccountDetails {
		for _, stream := range account.Streams {
			if stream.Name != c.stream {
				continue
			}
			gauge(ch, descMessages, stream.State.Msgs)
			gauge(ch, descBytes, stream.State.Bytes)
			gauge(ch, descSubjects, stream.State.NumSubjects)
			gauge(ch, descConsumers, stream.State.Consumers)
			gauge(ch, descLastSequence, stream.State.LastSeq)
		}
	}
	gauge(ch, descMaxBytes, streamBytes(c.server.document().Bus))
}
