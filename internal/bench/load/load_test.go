package load_test

import (
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/deskfleet/deskfleet/internal/bench/load"
	"github.com/deskfleet/deskfleet/internal/chatclient/chattest"
	"github.com/deskfleet/deskfleet/internal/conversation"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A real gateway, router and console on a real bus, as in a cluster.
func TestLoadOfARealDeskIsExact(t *testing.T) {
	d := chattest.New(t)
	gateway, _ := d.Gateway("gw-0")
	console, _ := d.Console("console-0")
	d.Router("router-0")
	d.Bot(func(*conversation.Message) chattest.Answer { return chattest.Answer{HandOff: "a person is wanted"} })
	var progress strings.Builder
	report, err := load.Run(t.Context(), load.Options{
		URL: gateway, Console: console, Tokens: []string{chattest.TokenOf("chen"), chattest.TokenOf("wu")},
		Conversations: 4, Duration: 500 * time.Millisecond, Turns: 2, Idle: 3, Out: &progress,
	})
	if err != nil {
		t.Fatal(err)
	}
	if !report.Exact() || report.Failed > 0 || report.Conversations < 4 {
		t.Errorf("report %+v", report)
	}
	// The first words and two turns of the customer, and two answers of the agent.
	if report.Acknowledged != 5*report.Conversations {
		t.Errorf("%d messages of %d conversations are acknowledged", report.Acknowledged, report.Conversations)
	}
	if report.P50Millis <= 0 || report.P99Millis < report.P95Millis || report.P95Millis < report.P50Millis || report.RoutingP99Millis <= 0 {
		t.Errorf("latencies %+v", report)
	}
	if !strings.Contains(progress.String(), "3 idle customers are connected") {
		t.Errorf("progress: %s", progress.String())
	}
	var table strings.Builder
	if err := report.Print(&table); err != nil || !strings.Contains(table.String(), "0 lost, 0 duplicated, 0 reordered") {
		t.Errorf("%v\n%s", err, table.String())
	}
}

// The bot that every customer comes to first is not there, and so nobody is: what was acknowledged and led to nothing counts as lost.
func TestWhatNobodyAnswersIsLost(t *testing.T) {
	d := chattest.New(t)
	gateway, _ := d.Gateway("gw-0")
	console, _ := d.Console("console-0")
	d.Router("router-0")
	report, err := load.Run(t.Context(), load.Options{
		URL: gateway, Console: console, Tokens: []string{chattest.TokenOf("chen")},
		Conversations: 3, Duration: 100 * time.Millisecond, Turns: 1, Patience: 2 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	if report.Exact() || report.Acknowledged != 3 || report.Lost != 3 || report.Failed != 3 || len(report.Errors) == 0 {
		t.Errorf("report %+v", report)
	}
}

func TestLoadRefusesWhatItCannotDo(t *testing.T) {
	_, err := load.Run(t.Context(), load.Options{Rate: -1, Idle: 1 << 20})
	if err == nil {
		t.Fatal("it runs")
	}
	for _, want := range []string{"url is empty", "there is no agent", "conversations is 0", "rate is -1", "duration is 0s", "turns is 0", "idle is 1048576"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in: %v", want, err)
		}
	}
}
