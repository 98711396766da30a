package stage

import "testing"

func TestUnready(t *testing.T) {
	for _, row := range []struct{ text, want string }{
		{"ServiceDesk/shop 2 2 True 7 of 7 workloads are available\n", ""},
		{"ServiceDesk/shop 2 1 True 7 of 7 workloads are available\n", "  waiting for ServiceDesk/shop 2 1 True 7 of 7 workloads are available"},
		{"AgentPool/bots 1 1 False no desk\nKnowledgeBase/faq 1 1 True 3 entries\n", "  waiting for AgentPool/bots 1 1 False no desk"},
		{"AgentPool/bots 1   \n", "  waiting for AgentPool/bots 1"},
	} {
		if got := unready(row.text); got != row.want {
			t.Errorf("%q: %q, expected %q", row.text, got, row.want)
		}
	}
}
