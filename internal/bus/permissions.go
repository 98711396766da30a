package bus

import (
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

// replyWindow in which a service may answer a request. Afterwards the server
// refuses the answer.
const replyWindow = 30 * time.Second

// grants is the allow-list of one role. What is not listed is denied.
type grants struct {
	publish, subscribe []string
	// replies to requests that the role receives.
	replies bool
}

// permissionsFor gives each client role the least that its work needs.
//
// Reading is by desk, not by subject: whoever may read conversations may read
// the whole stream, because a batch of messages can only be had that way.
// Writing is by subject. A role that may read could ask the server to deliver
// stored messages to a subject of its choice; [Message] and the subscriptions
// of this package do not listen to such.
func permissionsFor(role runtimeconfig.Role, s Subjects) *server.Permissions {
	g := grantsFor(role, s)
	g.subscribe = append(g.subscribe, InboxPrefix(role)+".>", s.Config())
	g.publish = append(g.publish, s.ConfigGet())
	permissions := &server.Permissions{
		Publish:   &server.SubjectPermission{Allow: g.publish},
		Subscribe: &server.SubjectPermission{Allow: g.subscribe},
	}
	if g.replies {
		permissions.Response = &server.ResponsePermission{MaxMsgs: 1, Expires: replyWindow}
	}
	return permissions
}

func grantsFor(role runtimeconfig.Role, s Subjects) grants {
	switch role {
	case runtimeconfig.RoleGateway:
		return grants{
			publish: append(readLog(s), s.AllMessages(), s.Claims(), s.intents(PartyCustomer), s.AllLive(),
				s.Audit(), s.Request(ServiceArchiveTranscript), s.loadsOf(role)+"*"),
			subscribe: []string{s.Conversations(), s.AllLive(), s.Figures()},
		}
	case runtimeconfig.RoleRouter:
		return grants{
			publish: append(readLog(s), purgeLog(s), s.AllMessages(), s.AllOwnership(), s.Decisions(), s.Claims(),
				s.Offers("*"), s.AllLive(), s.Figures(), s.Leader(), s.Config(), s.Audit(), s.AllLearned(),
				s.Request(ServiceArchiveStatus)),
			subscribe: []string{s.Conversations(), s.Decisions(), s.Claims(), s.Intents(), s.Heartbeats(),
				s.Leader(), s.ConfigGet(), s.Loads()},
			replies: true,
		}
	case runtimeconfig.RoleBot:
		return grants{
			publish: append(readLog(s), s.AllMessages(), s.heartbeats(PartyBot), s.intents(PartyBot), s.AllLive(),
				s.Request(ServiceKnowledgeSearch)),
			subscribe: []string{s.Conversations(), s.Offers(PartyBot), s.AllLive()},
		}
	case runtimeconfig.RoleConsole:
		return grants{
			publish: append(readLog(s), s.AllMessages(), s.heartbeats(PartyAgent), s.intents(PartyAgent), s.AllLive(),
				s.Request(ServiceKnowledgeSearch), s.Request(ServiceArchiveTranscript),
				s.Request(ServiceArchiveSearch), s.Request(ServiceArchiveAudit), s.Request(ServiceArchiveStatus),
				s.Request(ServiceArchiveWebhooks),
				s.Request(ServiceArchiveReport),
				s.Audit()),
			subscribe: []string{s.Conversations(), s.Offers(PartyAgent), s.AllLive(), s.Figures()},
		}
	case runtimeconfig.RoleKnowledge:
		return grants{publish: []string{s.loadsOf(role) + "*"}, subscribe: []string{s.Request(ServiceKnowledgeSearch)}, replies: true}
	case runtimeconfig.RoleArchive:
		return grants{
			publish: append(readLog(s), purgeLog(s)),
			subscribe: []string{s.Request(ServiceArchiveTranscript), s.Request(ServiceArchiveSearch), s.Request(ServiceArchiveWebhooks),
				s.Request(ServiceArchiveAudit), s.Request(ServiceArchiveStatus), s.Request(ServiceArchiveReport), s.Figures()},
			replies: true,
		}
	case runtimeconfig.RoleBus, runtimeconfig.RoleDesk:
		// They hold the server and speak to it inside the process.
	}
	return grants{}
}

func (s Subjects) intents(p Party) string    { return "in." + s.tail + "." + string(p) + ".*" }
func (s Subjects) heartbeats(p Party) string { return "hb." + s.tail + "." + string(p) + ".*" }

// readLog lists the JetStream requests behind Read, Tail, Last, Info and WaitStream.
func readLog(s Subjects) []string {
	const api = "$JS.API."
	return []string{
		api + "STREAM.INFO." + s.stream,
		api + "STREAM.MSG.GET." + s.stream,
		api + "DIRECT.GET." + s.stream,
		api + "CONSUMER.CREATE." + s.stream + ".>",
		api + "CONSUMER.INFO." + s.stream + ".*",
		api + "CONSUMER.DELETE." + s.stream + ".*",
		api + "CONSUMER.MSG.NEXT." + s.stream + ".*",
	}
}

// purgeLog is the JetStream request behind PurgeUpTo and CompactUpTo.
func purgeLog(s Subjects) string { return "$JS.API.STREAM.PURGE." + s.stream }
