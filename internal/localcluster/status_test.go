package localcluster

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"
)

func TestStatusOfAClusterThatIsNotThere(t *testing.T) {
	o := DefaultOptions()
	// Not the default name: a developer's cluster may be up.
	o.Name, o.StateDir = "nowhere", shortTempDir(t)+"/none"
	s, err := GetStatus(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if s.Up || len(s.Components) != len(componentNames) || s.Node.Ready || s.DNS == "ok" {
		t.Errorf("status is %+v", s)
	}
	if _, err := os.Stat(o.StateDir); err == nil {
		t.Error("asking made the state folder")
	}
}

func TestStatusPrints(t *testing.T) {
	s := &Status{
		Name: "deskfleet", Kubeconfig: "/k", DNS: "ok",
		Node: NodeStatus{Name: "deskfleet", Message: "the kubelet is silent"},
		Components: []ComponentStatus{
			{Name: "etcd", Running: true, PID: 42, Since: time.Date(2026, 11, 20, 12, 0, 0, 0, time.Local), Version: "v3.7.3"},
			{Name: "kubelet"},
		},
	}
	var table, js bytes.Buffer
	if err := s.Write(&table); err != nil {
		t.Fatal(err)
	}
	want := `COMPONENT  STATE        PID  SINCE                VERSION
etcd       running      42   2026-11-20 12:00:00  v3.7.3
kubelet    not running                            

node deskfleet: not Ready: the kubelet is silent
DNS: ok
kubeconfig: /k
cluster deskfleet is not up
`
	if table.String() != want {
		t.Errorf("table is\n%s", table.String())
	}
	if err := s.WriteJSON(&js); err != nil {
		t.Fatal(err)
	}
	var back Status
	if err := json.Unmarshal(js.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	if back.Up || back.Components[0].PID != 42 || strings.Contains(js.String(), `"pid": 0`) {
		t.Errorf("JSON is %s", js.String())
	}
}
