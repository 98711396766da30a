package gateway

import (
	"encoding/json"
	"testing"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/gateway/chatwire"
	"github.com/deskfleet/deskfleet/internal/router/load"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
	"github.com/deskfleet/deskfleet/internal/web/webtest"
)

// A gateway of a desk whose gateways scale tells how many chats are open at it.
func TestAGatewayTellsItsConnections(t *testing.T) {
	rig := webtest.New(t, func(doc *runtimeconfig.Document) { doc.Scaled = []runtimeconfig.Role{runtimeconfig.RoleGateway} })
	told := make(chan float64, 100)
	sub, err := rig.Conn.Subscribe(t.Context(), rig.Subjects.Loads(), func(m *bus.Message) {
		var message load.Message
		if role, replica, ok := rig.Subjects.LoadOf(m.Subject); json.Unmarshal(m.Data, &message) == nil && ok && role == runtimeconfig.RoleGateway && replica == "gw-0" {
			told <- message.Load
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sub.Stop)
	d := startOn(t, rig)
	for range 3 {
		d.connect(t).hello(chatwire.ClientFrame{})
	}
	eventually.True(t, "three are told", func() bool { return eventually.Receive(t, "a load", told) == 3 })
}
