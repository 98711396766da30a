package console

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskfleet/deskfleet/internal/archive/audit"
	protocol "github.com/deskfleet/deskfleet/internal/archive/protocol"
	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/console/agentwire"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/routing"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
)

// today is the range of everything that a test does.
func today() string {
	return "?from=" + time.Now().Add(-time.Hour).UTC().Format(time.RFC3339) + "&to=" + time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
}

// TestReports: a supervisor sees what was done, as JSON and as a table; an agent does not; the audit log knows who asked.
func TestReports(t *testing.T) {
	d := start(t, routing.Times{})
	startArchive(t, d)
	d.serveOne(t)
	var agents, queues reportReply
	eventually.True(t, "the conversation is in the report", func() bool {
		agents = reportReply{}
		status, _ := d.get(t, "/console/v1/reports/agents"+today(), bossToken, &agents)
		return status == 200 && len(agents.Rows) == 1 && agents.Rows[0].Ratings == 1 && agents.Rows[0].Occupancy != nil
	})
	if r := agents.Rows[0]; r.ID != "chen" || r.Kind != "agent" || r.Conversations != 1 || r.Closed != 1 || r.FirstResponse.Count != 1 || *r.FirstContactResolution != 1 || r.Provisional != 1 {
		t.Errorf("agents: %+v", r)
	}
	if r := agents.Rows[0]; *r.CSAT != 1 || *r.ScoreMean != 5 || r.Complaints != 1 || *r.ComplaintShare != 1 || r.OnlineSeconds <= 0 || *r.Occupancy <= 0 || *r.Occupancy > 1 {
		t.Errorf("agents: %+v", r)
	}
	if len(agents.Missing) != 0 {
		t.Errorf("missing are %v", agents.Missing)
	}
	var found struct {
		Hits []protocol.Hit `json:"hits"`
	}
	if status, p := d.get(t, "/console/v1/search?tag=complaint&disposition=solved", bossToken, &found); status != 200 || len(found.Hits) != 1 || found.Hits[0].Conversation.Rating.Comment != "thanks" {
		t.Errorf("by tag and disposition: %d %v %+v", status, p, found)
	}
	if status, p := d.get(t, "/console/v1/reports/queues"+today()+"&within=3600", bossToken, &queues); status != 200 || len(queues.Rows) != 1 {
		t.Fatalf("queues: %d, %v, %v", status, p, queues.Rows)
	}
	if r := queues.Rows[0]; r.Answered != 1 || *r.ServiceLevel != 1 || r.WithinSeconds != 3600 {
		t.Errorf("queues: %+v", r)
	}

	header, body := d.table(t, "/console/v1/reports/agents"+today()+"&format=csv", bossToken)
	table, err := csv.NewReader(strings.NewReader(body)).ReadAll()
	if err != nil || len(table) != 2 || len(table[0]) != len(columns) || table[0][0] != "id" || table[1][0] != "chen" {
		t.Errorf("the table is %q, %v", body, err)
	}
	if header.Get("Content-Type") != "text/csv; charset=utf-8; header=present" || !strings.HasPrefix(header.Get("Content-Disposition"), `attachment; filename="report-agents-`) {
		t.Errorf("the table comes with %v", header)
	}

	for query, want := range map[string]int{
		"": http.StatusBadRequest, "?from=2026-01-01T00:00:00Z": http.StatusBadRequest, "?from=x&to=y": http.StatusBadRequest,
		"?from=2026-01-01T00:00:00Z&to=2026-06-01T00:00:00Z": http.StatusBadRequest,
		today() + "&format=xls":                              http.StatusBadRequest,
		today() + "&within=100000":                           http.StatusBadRequest,
	} {
		if status, p := d.get(t, "/console/v1/reports/queues"+query, bossToken, nil); status != want || p.Remedy == "" {
			t.Errorf("%q gives %d, %v", query, status, p)
		}
	}
	for token, want := range map[string]int{chenToken: http.StatusForbidden, "": http.StatusUnauthorized} {
		if status, _ := d.get(t, "/console/v1/reports/agents"+today(), token, nil); status != want {
			t.Errorf("%q gives %d", token, status)
		}
	}
	var reply protocol.AuditReply
	eventually.True(t, "the audit log holds who asked for the queues", func() bool {
		reply = protocol.AuditReply{}
		status, _ := d.get(t, "/console/v1/audit?newest=true&action=report.read&who=boss", adminToken, &reply)
		asked := func(by string) func(audit.Record) bool {
			return func(r audit.Record) bool {
				return r.Who.ID == "boss" && strings.Contains(string(r.Details), `"by":"`+by+`"`)
			}
		}
		// The newest is of the table, which was asked for behind the queues.
		return status == 200 && len(reply.Records) > 1 && asked("agents")(reply.Records[0]) && slices.ContainsFunc(reply.Records, asked("queues"))
	})
}

// serveOne lets Chen answer and end one conversation.
func (d *desk) serveOne(t *testing.T) {
	t.Helper()
	c := d.signedIn(t, chenToken, agentwire.Available, nil)
	d.customerSays("c-1", "m1", "Where is my lantern?")
	conv, _ := c.owns()
	c.say(conv, "a1", "On its way.")
	c.until(agentwire.TypeAck, func(f *agentwire.ServerFrame) bool { return f.ClientID == "a1" })
	c.must(agentwire.ClientFrame{Type: agentwire.TypeTag, Conversation: conv, Tags: []string{conversation.TagComplaint}})
	if p := c.request(agentwire.ClientFrame{Type: agentwire.TypeClose, Conversation: conv, Disposition: "solved"}); p != nil {
		t.Fatal(p)
	}
	// As the gateway stores it.
	data, err := conversation.Encode(conversation.NewEvent(conversation.NewID(time.Now()), conv, time.Now(), &conversation.Rated{
		By: conversation.Actor{Kind: conversation.KindCustomer, ID: "c-1"}, Rating: conversation.Rating{Score: 5, Comment: "thanks"},
	}))
	if err == nil {
		_, _, err = d.Log.Append(t.Context(), d.Subjects.Messages(string(conv)), data, bus.AppendOptions{MsgID: "rating"})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// table reads an answer that is no JSON.
func (d *desk) table(t *testing.T, path, token string) (http.Header, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.http.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer func() { _ = response.Body.Close() }()
	data, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s gives %d %q, %v", path, response.StatusCode, data, err)
	}
	return response.Header, string(data)
}

// TestTableHoldsNoFormulas: a name that a spreadsheet would run is text.
func TestTableHoldsNoFormulas(t *testing.T) {
	for name, want := range map[string]string{
		"Ann": "Ann", "": "", "梅": "梅", "a=b": "a=b", `=HYPERLINK("http://x")`: `'=HYPERLINK("http://x")`, "+1": "'+1", "-1": "'-1", "@x": "'@x",
		"\t=1": "'\t=1", "\r=1": "'\r=1", "＝1": "'＝1",
	} {
		row := protocol.ReportRow{ID: name, Name: name, Pool: name}
		if diff := cmp.Diff([]string{want, "", want, want}, cells(&row)[:4]); diff != "" {
			t.Errorf("%q: %s", name, diff)
		}
	}
}

// TestTableHasEveryFigure: a figure of the JSON that is not in the table was forgotten.
func TestTableHasEveryFigure(t *testing.T) {
	var row protocol.ReportRow
	number := 7000
	fill := func() float64 { number++; return float64(number) }
	data := map[string]any{}
	encoded, err := json.Marshal(protocol.ReportRow{
		AbandonmentShare: new(0.0), ServiceLevel: new(0.0), FirstContactResolution: new(0.0), DeflectionShare: new(0.0), WithinSeconds: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(encoded, &data); err != nil {
		t.Fatal(err)
	}
	for field, value := range data {
		switch v := value.(type) {
		case float64:
			data[field] = fill()
		case map[string]any:
			for inner := range v {
				v[inner] = fill()
			}
		}
	}
	if encoded, err = json.Marshal(data); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(encoded, &row); err != nil {
		t.Fatal(err)
	}
	text := strings.Join(cells(&row), " ")
	for n := 7001; n <= number; n++ {
		// How many times a span counts stands in the JSON alone.
		counts := []int64{row.Wait.Count, row.FirstResponse.Count, row.Handle.Count}
		if !strings.Contains(text, whole(int64(n))) && int64(n) != counts[0] && int64(n) != counts[1] && int64(n) != counts[2] {
			t.Errorf("figure %d of %s is not in the table %s", n, encoded, text)
		}
	}
}
