package router

import (
	"testing"
	"time"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
)

// A process that comes back under its name does not wait for the lease of the one before, which would last an hour.
func TestARouterDoesNotWaitForItself(t *testing.T) {
	d := newDesk(t)
	forLong := func(o *Options) { o.LeaseFor = time.Hour }
	fault := newFailingLog(3, false) // dies when it decides, and hands nothing over
	first := d.startRouter("router_0", func(o *Options) { o.LeaseFor, o.WrapLog = time.Hour, fault.wrap })
	go func() {
		select {
		case <-fault.reached:
			first.stop()
		case <-d.ctx.Done():
		}
	}()
	d.leads(first, fault)
	d.startRouter("other", forLong)
	bot := d.client(bus.PartyBot, "bot-0")
	again := make(chan *process, 1)
	go func() {
		<-fault.reached
		again <- d.startRouter("router_0", forLong)
	}()
	conv := d.post("c-1", "m1", "hello")
	bot.signOn()
	d.has(conv, conversation.TypeAssigned, 1)
	if second := <-again; !second.Status().Leading {
		t.Error("somebody else leads")
	}
	d.check()
}
