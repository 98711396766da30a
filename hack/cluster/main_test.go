package main

import (
	"bytes"
	"strings"
	"testing"
)

func execute(t *testing.T, args ...string) (string, error) {
	t.Helper()
	cmd := command()
	var out bytes.Buffer
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

func TestBadArgumentsAreRefusedBeforeAnythingHappens(t *testing.T) {
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"status", "-o", "xml"}, `output "xml": use table or json`},
		{[]string{"up", "--name", "Too Long A Name"}, `name "Too Long A Name"`},
		{[]string{"down", "--pod-cidr", "10.1.2.3/16"}, "10.1.0.0/16"},
		{[]string{"up", "now"}, "accepts 0 arg"},
		{[]string{"load-image"}, "1 arg"},
		{[]string{"kubeconfig", "--name", "nowhere"}, "/nowhere/admin.kubeconfig"},
	} {
		if _, err := execute(t, tc.args...); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%v: %v", tc.args, err)
		}
	}
}

func TestHelpNamesTheCommandsForPeople(t *testing.T) {
	out, err := execute(t, "--help")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"up", "down", "status", "binaries", "kubeconfig", "load-image"} {
		if !strings.Contains(out, "\n  "+name+" ") {
			t.Errorf("help does not name %s", name)
		}
	}
	if strings.Contains(out, "provisioner") {
		t.Error("help names the provisioner, which is not for people")
	}
}
