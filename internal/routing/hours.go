package routing

import (
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
)

// closed says whether the desk is outside its hours, and when that changes; zero for never.
func (d *Desk) closed(now time.Time) (closed bool, change time.Time) {
	if d.config.Hours == nil {
		return false, time.Time{}
	}
	open, change := d.config.Hours.At(now)
	return !open, change
}

// turnsAway says whether a conversation that would come to wait for people is ended instead: the desk is closed
// and does not call back. With bots it still begins there, unless the desk only gives a message.
func (d *Desk) turnsAway(now time.Time) bool {
	closed, _ := d.closed(now)
	return closed && d.config.Closed.Behaviour != ClosedCallback
}

// turnAway tells the customer that the desk is closed and ends the conversation. Nobody is left waiting for a whole
// night; the next message finds the desk as it is then.
func (d *Desk) turnAway(c *entry, now time.Time) {
	d.tell(c, d.config.Closed.Say, now)
	var a *agent
	if owner := c.state.Owner(); owner != nil {
		a = d.agents[owner.ID]
	}
	d.emit(now, c.state.ID, &conversation.Closed{By: conversation.Actor{Kind: conversation.KindSystem}, Reason: conversation.CloseHours})
	if a != nil {
		d.matchAgent(a, now)
	}
}

// begins says whether a conversation that has just begun goes on: outside the hours it may have to end at once.
func (d *Desk) begins(c *entry, now time.Time) bool {
	if d.turnsAway(now) && (d.config.Closed.Behaviour != ClosedBotOnly || !d.config.hasBots()) {
		d.turnAway(c, now)
		return false
	}
	if c.state.Queue != conversation.BotQueue {
		d.tellClosed(c, now)
	}
	return true
}

// tellClosed says that the desk is closed to who waits for it to open.
func (d *Desk) tellClosed(c *entry, now time.Time) {
	if closed, _ := d.closed(now); closed {
		d.tell(c, d.config.Closed.Say, now)
	}
}

// keepUntilOpen puts off the end of a conversation whose customer has left while it waits for the desk to open.
func (d *Desk) keepUntilOpen(c *entry, now time.Time) bool {
	closed, change := d.closed(now)
	if !closed || d.config.Closed.Behaviour != ClosedCallback {
		return false
	}
	if change.IsZero() {
		change = now.Add(24 * time.Hour)
	}
	d.arm(timer{at: change.Add(d.config.Times.AbandonAfter), kind: timerLeft, conv: c.state.ID})
	return true
}
