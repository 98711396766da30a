package chatclient

import (
	"github.com/deskfleet/deskfleet/internal/console/agentwire"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/web/problem"
)

// AgentEvent is one thing that happened at an [Agent].
type AgentEvent interface{ agentEvent() }

// Events of an Agent.
type (
	// SignedIn says that the agent is connected.
	SignedIn struct {
		Me   agentwire.AgentCard
		Desk agentwire.DeskCard
	}
	// Present is what the desk's router believes of the agent, when that changes.
	Present struct{ agentwire.PresenceFrame }
	// Related is the agent's new relation to a conversation, or a change of the conversation. With relation
	// none it is not the agent's any more; what comes of it afterwards begins anew. When Anew is set, what was
	// told of the conversation is void and comes again.
	Related struct{ agentwire.Conversation }
	// Heard is a message in a conversation that the agent owns, or a note there.
	Heard struct{ agentwire.Message }
	// Read says that the transcript of a conversation that has become the agent's has come whole.
	Read struct{ agentwire.CaughtUp }
	// CustomerWriting says that somebody writes in an owned conversation, or no longer does.
	CustomerWriting struct{ agentwire.Typing }
	// AgentRefused is a message, or something else, that the desk does not take. ClientID is empty when it is
	// about no message, Conversation when it is about none.
	AgentRefused struct {
		Conversation conversation.ID
		ClientID     string
		Problem      *problem.Problem
	}
)

func (SignedIn) agentEvent()        {}
func (Present) agentEvent()         {}
func (Related) agentEvent()         {}
func (Heard) agentEvent()           {}
func (Read) agentEvent()            {}
func (CustomerWriting) agentEvent() {}
func (AgentRefused) agentEvent()    {}
func (Lost) agentEvent()            {}
