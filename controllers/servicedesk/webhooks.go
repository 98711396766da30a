package servicedesk

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	wire "github.com/deskfleet/deskfleet/internal/link"
)

// mostTold are the webhooks whose troubles a condition tells in full: its message is bounded.
const mostTold = 3

// mostProblem of one webhook in bytes.
const mostProblem = 200

// troubled sets the condition of webhooks that somebody has to look at. What the desk does not tell leaves it as it is.
func troubled(desk *v1alpha1.ServiceDesk, hooks *wire.Webhooks) {
	if hooks == nil {
		return
	}
	if len(hooks.Troubled) == 0 {
		meta.RemoveStatusCondition(&desk.Status.Conditions, v1alpha1.ConditionWebhooksTroubled)
		return
	}
	reason, texts := v1alpha1.ReasonDeadLetters, []string{}
	for i := range hooks.Troubled {
		t := &hooks.Troubled[i]
		switch {
		case !t.DisabledAt.IsZero():
			reason = v1alpha1.ReasonWebhookDisabled
		case !t.FailingSince.IsZero() && reason != v1alpha1.ReasonWebhookDisabled:
			reason = v1alpha1.ReasonWebhookFailing
		}
		if i < mostTold {
			texts = append(texts, troubleOf(t))
		}
	}
	if more := len(hooks.Troubled) - mostTold; more > 0 {
		texts = append(texts, fmt.Sprintf("%d more webhooks", more))
	}
	set(desk, v1alpha1.ConditionWebhooksTroubled, metav1.ConditionTrue, reason, strings.Join(texts, "; "))
}

// troubleOf says what is wrong with a webhook, and what to do.
func troubleOf(t *wire.WebhookTrouble) string {
	var parts []string
	problem := ""
	if t.Problem != "" {
		problem = " (" + clip(t.Problem) + ")"
	}
	switch {
	case !t.DisabledAt.IsZero():
		parts = append(parts, fmt.Sprintf("its receiver said at %s that it is gone%s, and it is told nothing until it is enabled by POST /console/v1/webhooks/%s/enable or its url changes",
			t.DisabledAt.UTC().Format(time.RFC3339), problem, t.Name))
	case !t.FailingSince.IsZero():
		parts = append(parts, fmt.Sprintf("its receiver takes nothing since %s%s: mend the receiver, its url or its secret; what is older than three days is given up",
			t.FailingSince.UTC().Format(time.RFC3339), problem))
	}
	if t.DeadLetters > 0 {
		parts = append(parts, fmt.Sprintf("%d events were given up: look at them in /console/v1/webhooks/%s/dead-letters, and replay them when the receiver is mended", t.DeadLetters, t.Name))
	}
	return "webhook " + t.Name + ": " + strings.Join(parts, "; ")
}

// clip shortens a text to what fits into a condition, in whole characters.
func clip(text string) string {
	if len(text) <= mostProblem {
		return text
	}
	return strings.ToValidUTF8(text[:mostProblem], "") + "…"
}
