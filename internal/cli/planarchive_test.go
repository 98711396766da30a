package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/deskfleet/deskfleet/internal/e2e/play"
	"github.com/deskfleet/deskfleet/internal/simulation/whatif"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
	"github.com/deskfleet/deskfleet/internal/web/problem"
)

// planOn runs the command on a day.
func planOn(t *testing.T, day time.Time, args ...string) (answer *whatif.Answer, stderr string, err error) {
	t.Helper()
	var out, problems bytes.Buffer
	cmd := newPlanAt(func() time.Time { return day })
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	cmd.SetOut(&out)
	cmd.SetErr(&problems)
	cmd.SetIn(strings.NewReader(""))
	cmd.SetArgs(append(args, "-o", "json"))
	if err := cmd.ExecuteContext(t.Context()); err != nil {
		return nil, problems.String(), err
	}
	answer = &whatif.Answer{}
	if err := json.Unmarshal(out.Bytes(), answer); err != nil {
		t.Fatal(err)
	}
	return answer, problems.String(), nil
}

// Customers of a real desk are answered by its bots, and end; from its archive a plan knows how many came, and how long it took.
func TestPlanFromTheArchiveOfADesk(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs a whole desk")
	}
	address := runDesk(t, shop)
	file := tokenFile(t, "sara")
	const customers = 6
	crowd, err := play.Gather(t.Context(), address, "Where is my order?", customers, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if err := crowd.End(t.Context()); err != nil {
		t.Fatal(err)
	}
	crowd.Leave()
	tomorrow := time.Now().Add(24 * time.Hour)
	args := []string{"-f", shop, "--from-archive", "2d", "--url", address, "--token-file", file}
	var answer *whatif.Answer
	eventually.Nil(t, "all conversations are archived", func() error {
		var err error
		if answer, _, err = planOn(t, tomorrow, args...); err == nil && answer.Conversations.Mean != customers {
			err = fmt.Errorf("%g of %d conversations", answer.Conversations.Mean, customers)
		}
		return err
	})
	assumed := strings.Join(answer.Assumed, "\n")
	for _, want := range []string{"come again 7 days later", "the archive: 0 of 6 conversations that bots answered were handed off", "the archive: bots had a conversation for"} {
		if !strings.Contains(assumed, want) {
			t.Errorf("it is not assumed that %q:\n%s", want, assumed)
		}
	}
	if !answer.From.After(tomorrow) || answer.Pools[0].Conversations.Mean != customers || answer.Pools[1].Conversations.Mean != 0 || !answer.Holds {
		t.Errorf("%s from %s: %+v", answer.Verdict, answer.From, answer.Pools[0].Conversations)
	}
	if many, _, err := planOn(t, tomorrow, append(args, "--multiplier", "50")...); err != nil || many.Conversations.Mean != 50*customers {
		t.Errorf("%v: %+v", err, many)
	}
	if _, _, err := planOn(t, tomorrow.AddDate(0, 0, 100), args...); err == nil || !strings.Contains(err.Error(), "no conversations that ended from") {
		t.Errorf("of days without conversations: %v", err)
	}
	if _, _, err := planOn(t, tomorrow, "-f", shop, "--from-archive", "2d", "--url", address, "--token-file", tokenFile(t, "mei")); err == nil || !strings.Contains(err.Error(), "--from-archive: ") {
		t.Errorf("an agent, who is no supervisor, gets %v", err)
	}
}

// tokenFile holds the token of an agent of the sample.
func tokenFile(t *testing.T, agent string) string {
	t.Helper()
	token, err := play.SampleToken(shop, agent)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), agent)
	if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// What the archive has measured goes before what is usual, and what is given by hand before that.
func TestPlanGoesByWhatWasMeasured(t *testing.T) {
	monday := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path+"?"+r.URL.Query().Get("from")+" to "+r.URL.Query().Get("to"))
		from, fromErr := time.Parse(time.RFC3339, r.URL.Query().Get("from"))
		to, toErr := time.Parse(time.RFC3339, r.URL.Query().Get("to"))
		days := int(to.Sub(from).Hours() / 24)
		if fromErr != nil || toErr != nil || days > 7 { // as an archive that needs longer than it may
			problem.Write(w, problem.New(http.StatusConflict, problem.CodeConflict, "it takes longer than 5s", "narrow it down"))
			return
		}
		counts := make([]int, days*96)
		for i := 40; i < len(counts) && from.Day() != 26; i += 4 { // the desk began in the week after 26 October
			counts[i] = 8
		}
		served := func(answered, abandoned, handedOff int, waited, mean float64, quantiles ...float64) map[string]any {
			return map[string]any{"answered": answered, "abandoned": abandoned, "handedOff": handedOff, "waitedSeconds": waited, "handleMeanSeconds": mean, "handleQuantilesSeconds": quantiles}
		}
		_ = json.NewEncoder(w).Encode(map[string]any{
			"arrivals": counts, "bots": served(1000, 2, 100, 125, 100, 50, 100, 150), "people": served(95, 6, 1, 1475, 240, 100, 200, 500),
		})
	}))
	t.Cleanup(server.Close)
	args := []string{"-f", shop, "--from-archive", "28d", "--url", server.URL, "--token-file", tokenFile(t, "sara"), "--draws", "1"}
	answer, _, err := planOn(t, monday, args...)
	if err != nil {
		t.Fatal(err)
	}
	// First for all, then for halves of it, then for weeks.
	if want := "/console/v1/reports/load?2026-10-26T00:00:00Z to 2026-11-23T00:00:00Z"; asked[0] != want || len(asked) != 7 {
		t.Errorf("it asked %q", asked)
	}
	assumed := strings.Join(answer.Assumed, "\n")
	for _, want := range []string{
		"the conversations of 21 days from 2026-11-02 on come again 21 days later", "400 of 4000 conversations that bots answered were handed off", "bots hand off 10 %",
		"bots had a conversation for 100 s", "people had a conversation for 240 s on average, wrap-up included", "32 gave up, 200 s of waiting for each",
	} {
		if !strings.Contains(assumed, want) {
			t.Errorf("it is not assumed that %q:\n%s", want, assumed)
		}
	}
	// Black Friday is announced with a floor alone: it adds nothing to what comes again.
	if answer.Conversations.Mean != 8*3*158 || !answer.From.Equal(time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)) || len(answer.Pools[0].Quarters) != 21*96 {
		t.Errorf("%g conversations from %s", answer.Conversations.Mean, answer.From)
	}
	byHand, _, err := planOn(t, monday, append(args, "--handoff", "50%", "--handle-bot", "2m", "--handle-human", "4m", "--patience", "1m", "--start", "2026-11-30")...)
	if err != nil {
		t.Fatal(err)
	}
	if assumed := strings.Join(byHand.Assumed, "\n"); strings.Contains(assumed, "the archive:") || !strings.Contains(assumed, "come again 28 days later") ||
		!strings.Contains(assumed, "bots have a conversation for 2m, people for 4m, customers wait for 1m") || byHand.Pools[1].Conversations.Mean < 4*answer.Pools[1].Conversations.Mean {
		t.Errorf("by hand: %s", assumed)
	}
	if _, _, err := planOn(t, monday, append(args, "--start", "2026-12-01")...); err == nil || !strings.Contains(err.Error(), "begins on 2026-11-02, a Monday: use a later Monday, such as 2026-11-23") {
		t.Errorf("another weekday: %v", err)
	}
	for _, row := range []struct {
		args []string
		want string
	}{
		{[]string{"--from-archive", "4w"}, `"4w" is no number of days: use 1d to 91d`},
		{[]string{"--from-archive", "92d"}, "use 1d to 91d"},
		{[]string{"--from-archive", "7d", "--trace", "x"}, "give one of --trace, --from-archive and --arrivals-per-day"},
		{[]string{"--from-archive", "7d", "--url", "http://x"}, "--url needs --token-file or --token-env"},
		{[]string{"--arrivals-per-day", "7", "-n", "shop"}, "are for --from-archive: leave them out"},
	} {
		if _, _, err := planOn(t, monday, append([]string{"-f", shop}, row.args...)...); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%v: %v", row.args, err)
		}
	}
}
