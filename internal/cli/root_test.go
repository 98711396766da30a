package cli_test

import (
	"strings"
	"testing"

	"github.com/deskfleet/deskfleet/internal/cli"
)

func TestWrongUsageIsStatusTwoAndNamesARemedy(t *testing.T) {
	for _, row := range []struct {
		args   []string
		remedy string
	}{
		{[]string{"serve"}, "choose one of those"},
		{[]string{"desk", "desk.yaml"}, "as in -f desk.yaml"},
		{[]string{"render", "desk.yaml"}, "as in -f desk.yaml"},
		{[]string{"router", "now"}, "remove now"},
		{[]string{"version", "now"}, "remove now"},
		{[]string{"version", "--now"}, "unknown flag"},
	} {
		var stdout, stderr strings.Builder
		if status := cli.Run(t.Context(), row.args, strings.NewReader(""), &stdout, &stderr); status != 2 || !strings.Contains(stderr.String(), row.remedy) {
			t.Errorf("%v: status %d, %q, expected 2 with %q", row.args, status, stderr.String(), row.remedy)
		}
	}
}
