//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/deskfleet/deskfleet/internal/e2e/play"
	"github.com/deskfleet/deskfleet/internal/e2e/stage"
)

const (
	stepSlots     = 20  // conversations of one worker
	stepCustomers = 200 // who come at once behind a single one
	stepWorkers   = stepCustomers / stepSlots
	stepPool      = "shop-bots"
	stepQuestion  = "How do I return an item?"
)

// step is what a policy made of the burst.
type step struct {
	Policy string `json:"policy"`
	// FirstMoreSeconds is from the first of the customers to the first worker more. The others are from the last customer's
	// question: until as many workers were asked for as all need, until their pods existed, and until everybody had an answer.
	FirstMoreSeconds, DecidedSeconds, CreatedSeconds, AllAnsweredSeconds float64
	// InTime is the share that was answered within 20 s.
	InTime float64
	// ShrunkSeconds is from when three quarters have gone until no more workers are wanted than the rest needs.
	ShrunkSeconds float64
	// PodMinutes of the bots from the burst until then, Turns how often the number of workers changed direction.
	PodMinutes float64
	Turns      int
}

// A burst of two hundred against one worker, with our decisions and with those of an HPA on our /scale and our figures.
// Ours goes on with faults and a second wave: nobody who is in a conversation loses anything.
func TestScalingFollowsAStep(t *testing.T) {
	if testing.Short() {
		t.Skip("pools shrink after minutes: run without -short")
	}
	var steps []*step
	t.Run("deskfleet", func(t *testing.T) { steps = append(steps, stepManaged(t)) })
	if os.Getenv("CLUSTER") != "existing" {
		t.Run("HPA", func(t *testing.T) { steps = append(steps, stepHPA(t)) })
	}
	report(t, steps)
}

func report(t *testing.T, steps []*step) {
	t.Helper()
	content, err := json.Marshal(steps)
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(w, "policy\tfirst more\tdecided\tcreated\tall answered\twithin 20 s\tshrunk\tpod-minutes\tturns\t")
	for _, s := range steps {
		_, _ = fmt.Fprintf(w, "%s\t%.1f s\t%.1f s\t%.1f s\t%.1f s\t%.1f %%\t%.0f s\t%.1f\t%d\t\n", s.Policy, s.FirstMoreSeconds, s.DecidedSeconds, s.CreatedSeconds,
			s.AllAnsweredSeconds, 100*s.InTime, s.ShrunkSeconds, s.PodMinutes, s.Turns)
	}
	_ = w.Flush()
	t.Logf("%s\n%s", content, table.String())
}

// theater is a desk with its pool, as the customers of a step find it.
type theater struct {
	namespace, chat string
	timeline        *stage.Timeline
	archive         *play.Supervisor
}

func newTheater(ctx context.Context, t *testing.T, namespace, patch string) *theater {
	t.Helper()
	tenant(t, namespace, "shop")
	if _, err := theStage.Kubectl(ctx, nil, "-n", namespace, "patch", "pool", stepPool, "--type=merge", "-p", patch); err != nil {
		t.Fatal(err)
	}
	timeline, err := theStage.Watch(ctx, namespace, stepPool)
	if err != nil {
		t.Fatal(err)
	}
	token, err := play.SampleToken(filepath.Join(theStage.Root(), "config", "samples", "shop"), "sara")
	if err != nil {
		t.Fatal(err)
	}
	th := &theater{
		namespace: namespace, chat: address(t, namespace, "shop-gateway"), timeline: timeline,
		archive: &play.Supervisor{Console: address(t, namespace, "shop-console"), Token: token},
	}
	if _, err := timeline.Until(ctx, time.Time{}, "a single worker", func(m stage.Moment) bool { return m.Wanted == 1 && m.Ready == 1 }); err != nil {
		t.Fatal(err)
	}
	return th
}

// burst lets one customer come, then the others at once, and waits until all have an answer.
func (th *theater) burst(ctx context.Context, t *testing.T, result *step) play.Crowd {
	t.Helper()
	crowd, err := play.Gather(ctx, th.chat, stepQuestion, 1, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	rest, err := play.Gather(ctx, th.chat, stepQuestion, stepCustomers-1, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	answered := time.Now()
	asked := rest.LastAsked()
	more, err := th.timeline.Until(ctx, begin, "one worker more", func(m stage.Moment) bool { return m.Wanted > 1 })
	if err != nil {
		t.Fatal(err)
	}
	decided, err := th.timeline.Until(ctx, begin, "a slot for everybody", func(m stage.Moment) bool { return m.Wanted >= stepWorkers })
	if err != nil {
		t.Fatal(err)
	}
	created, err := th.timeline.Until(ctx, begin, "the pods for that", func(m stage.Moment) bool { return m.Pods >= stepWorkers })
	if err != nil {
		t.Fatal(err)
	}
	result.FirstMoreSeconds = more.At.Sub(begin).Seconds()
	result.DecidedSeconds, result.CreatedSeconds = decided.At.Sub(asked).Seconds(), created.At.Sub(asked).Seconds()
	result.AllAnsweredSeconds, result.InTime = answered.Sub(asked).Seconds(), rest.AnsweredWithin(20*time.Second)
	t.Logf("%d customers came within %.1f s: %+v", len(rest), asked.Sub(begin).Seconds(), *result)
	return append(crowd, rest...)
}

// split keeps each fourth customer, so that the conversations that last are on all workers.
func split(crowd play.Crowd) (stay, leave play.Crowd) {
	for i, c := range crowd {
		if i%4 == 0 {
			stay = append(stay, c)
		} else {
			leave = append(leave, c)
		}
	}
	return stay, leave
}

func stepManaged(t *testing.T) *step {
	ctx, cancel := context.WithTimeout(t.Context(), 12*time.Minute)
	defer cancel()
	th := newTheater(ctx, t, "e2e-step", `{"spec":{"scaling":{"min":1,"max":12,"peaks":null,"fallbackReplicas":null,"scaleDown":{"hold":"20s","drainDeadline":"10m"}}}}`)
	result := &step{Policy: "deskfleet"}
	begin := time.Now()
	crowd := th.burst(ctx, t, result)
	defer crowd.Leave()
	if result.DecidedSeconds > 2 || result.CreatedSeconds > 3 {
		t.Errorf("all %d workers were decided after %.1f s, and their pods there after %.1f s: expected 2 s and 3 s", stepWorkers, result.DecidedSeconds, result.CreatedSeconds)
	}
	stay, leave := split(crowd)
	must(t, leave.End(ctx))
	quiet := time.Now()
	th.faults(ctx, t, stay)

	few := int32(len(stay)/stepSlots + 2)
	shrunk, err := th.timeline.Until(ctx, quiet, "a drain", func(m stage.Moment) bool { return m.Active <= few && m.Recommended <= few })
	must(t, err)
	result.ShrunkSeconds = shrunk.At.Sub(quiet).Seconds()
	result.PodMinutes, result.Turns = th.timeline.PodTime(begin, shrunk.At).Minutes(), th.timeline.Turns(begin, shrunk.At)
	if result.Turns > 1 {
		t.Errorf("the number of workers changed its direction %d times: %+v", result.Turns, th.timeline.Since(begin))
	}

	// The second wave finds workers that drain because of those who stay: they are taken back before any is made.
	made, draining := th.timeline.Made(), int32(th.timeline.Now().Ready)-th.timeline.Now().Active
	second, err := play.Gather(ctx, th.chat, stepQuestion, stepCustomers/2, os.Stderr)
	must(t, err)
	defer second.Leave()
	t.Logf("%d workers drained when the second wave came; %d pods were made for it, %.1f %% were answered within 20 s",
		draining, th.timeline.Made()-made, 100*second.AnsweredWithin(20*time.Second))
	if draining > 3 && th.timeline.Made() > made {
		t.Errorf("%d pods were made for the second wave, though %d workers drained", th.timeline.Made()-made, draining)
	}
	must(t, stay.Ask(ctx, "Can I change the delivery address?"))

	must(t, second.End(ctx))
	must(t, stay.End(ctx))
	if _, err := th.timeline.Until(ctx, time.Now(), "one worker again", func(m stage.Moment) bool { return m.Wanted == 1 && m.Pods == 1 }); err != nil {
		t.Error(err)
	}
	for _, c := range append(crowd, second...) {
		if err := th.archive.CheckArchived(ctx, c); err != nil {
			t.Error(err)
		}
	}
	return result
}

// faults end a worker by eviction, the leading router and the operator by force, and drain the node, while customers stay in their conversations.
func (th *theater) faults(ctx context.Context, t *testing.T, stay play.Crowd) {
	t.Helper()
	worker, err := theStage.Evict(ctx, th.namespace, stepPool)
	must(t, err)
	t.Log("evicted", worker)
	router, err := theStage.LeadingRouter(ctx, th.namespace)
	must(t, err)
	_, err = theStage.Kubectl(ctx, nil, "-n", th.namespace, "delete", "pod", router, "--grace-period=0", "--force")
	must(t, err)
	_, err = theStage.Kubectl(ctx, nil, "-n", "deskfleet-system", "delete", "pods", "--all", "--grace-period=0", "--force")
	must(t, err)
	t.Log("killed", router, "and the operator")
	must(t, stay.Ask(ctx, "How long does shipping take?"))
	must(t, theStage.DrainNode(ctx, "deskfleet.dev/pool="+stepPool, 15*time.Second))
	must(t, stay.Ask(ctx, "How do I cancel my order?"))
}

func stepHPA(t *testing.T) *step {
	ctx, cancel := context.WithTimeout(t.Context(), 12*time.Minute)
	defer cancel()
	stop, err := theStage.ServeBotLoad(ctx)
	must(t, err)
	defer stop()
	th := newTheater(ctx, t, "e2e-step-hpa", `{"spec":{"scaling":null,"replicas":1}}`)
	_, err = theStage.Kubectl(ctx, strings.NewReader(fmt.Sprintf(hpa, stepPool, stage.BotLoad, stepSlots*8/10)), "-n", th.namespace, "apply", "-f", "-")
	must(t, err)
	_, err = theStage.Kubectl(ctx, nil, "-n", th.namespace, "wait", "--for=condition=ScalingActive", "--timeout=90s", "hpa/"+stepPool)
	must(t, err)
	result := &step{Policy: "HPA 80 %"}
	begin := time.Now()
	crowd := th.burst(ctx, t, result)
	defer crowd.Leave()
	stay, leave := split(crowd)
	must(t, leave.End(ctx))
	quiet := time.Now()
	few := int32(len(stay)/stepSlots + 2)
	shrunk, err := th.timeline.Until(ctx, quiet, "a drain", func(m stage.Moment) bool { return m.Active <= few })
	must(t, err)
	result.ShrunkSeconds = shrunk.At.Sub(quiet).Seconds()
	result.PodMinutes, result.Turns = th.timeline.PodTime(begin, shrunk.At).Minutes(), th.timeline.Turns(begin, shrunk.At)
	must(t, stay.Ask(ctx, "Can I change the delivery address?"))
	must(t, stay.End(ctx))
	for _, c := range crowd {
		if err := th.archive.CheckArchived(ctx, c); err != nil {
			t.Error(err)
		}
	}
	return result
}

const hpa = `
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: %[1]s}
spec:
  scaleTargetRef: {apiVersion: deskfleet.dev/v1alpha1, kind: AgentPool, name: %[1]s}
  minReplicas: 1
  maxReplicas: 20
  metrics:
  - type: External
    external:
      metric: {name: %[2]s}
      target: {type: AverageValue, averageValue: "%[3]d"}
`

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
