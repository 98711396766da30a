package bus

import (
	"fmt"
	"strings"
)

// Kind of a subject.
type Kind int

// Kinds of subjects of a desk.
const (
	KindUnknown Kind = iota
	KindMessages
	KindOwnership
	KindDecisions
	KindClaim
	KindAudit
	KindLearned
	KindHeartbeat
	KindIntent
	KindOffer
	KindLive
	KindFigures
	KindLeader
	KindConfig
	KindConfigGet
	KindRequest
)

// Subject is a parsed subject. Only the fields of its kind are set.
type Subject struct {
	Kind Kind
	// Conversation of messages, ownership and live subjects.
	Conversation string
	// Channel and ContactToken of a claim. The raw id of a contact cannot be
	// read back where the token is a hash.
	Channel, ContactToken string
	// Pool of what was learned.
	Pool string
	// Party and Who of a heartbeat, an intent or an offer.
	Party Party
	Who   string
	// Service of a request.
	Service Service
}

// Parse reads a subject of this desk. Subjects of other desks, wildcards and
// everything that no method of [Subjects] makes are errors.
func (s Subjects) Parse(subject string) (Subject, error) {
	kind, rest, _ := strings.Cut(subject, ".")
	if rest != s.tail && !strings.HasPrefix(rest, s.tail+".") {
		return Subject{}, fmt.Errorf("subject %q is not one of desk %s/%s", subject, s.namespace, s.desk)
	}
	var tokens []string
	if after := strings.TrimPrefix(rest, s.tail); after != "" {
		tokens = strings.Split(after[1:], ".")
	}
	parsed, err := parseKind(kind, tokens)
	if err != nil {
		return Subject{}, fmt.Errorf("subject %q: %w", subject, err)
	}
	if parsed.Kind == KindUnknown {
		return Subject{}, fmt.Errorf("subject %q has no known form", subject)
	}
	return parsed, nil
}

func parseKind(kind string, tokens []string) (Subject, error) {
	switch kind {
	case "cv":
		return parseConversation(tokens), nil
	case "ct":
		if len(tokens) == 2 && ValidID(tokens[0]) && ValidID(tokens[1]) {
			return Subject{Kind: KindClaim, Channel: tokens[0], ContactToken: tokens[1]}, nil
		}
	case "hb":
		return parseParty(KindHeartbeat, tokens)
	case "in":
		return parseParty(KindIntent, tokens)
	case "of":
		return parseParty(KindOffer, tokens)
	case "lv":
		if len(tokens) == 1 && ValidID(tokens[0]) {
			return Subject{Kind: KindLive, Conversation: tokens[0]}, nil
		}
	case "ln":
		return parseLearned(tokens)
	case "rq":
		return parseRequest(tokens), nil
	default:
		return parseDeskWide(kind, tokens), nil
	}
	return Subject{}, nil
}

func parseConversation(tokens []string) Subject {
	if len(tokens) != 2 || !ValidID(tokens[0]) {
		return Subject{}
	}
	switch tokens[1] {
	case "msg":
		return Subject{Kind: KindMessages, Conversation: tokens[0]}
	case "own":
		return Subject{Kind: KindOwnership, Conversation: tokens[0]}
	}
	return Subject{}
}

func parseParty(kind Kind, tokens []string) (Subject, error) {
	if len(tokens) != 2 || !Party(tokens[0]).valid() || !safe(tokens[1]) {
		return Subject{}, nil
	}
	who, err := unescapeToken(tokens[1])
	if err != nil {
		return Subject{}, err
	}
	if len(who) > MaxID {
		return Subject{}, fmt.Errorf("id has %d bytes, more than %d", len(who), MaxID)
	}
	return Subject{Kind: kind, Party: Party(tokens[0]), Who: who}, nil
}

func parseLearned(tokens []string) (Subject, error) {
	if len(tokens) != 1 || !safe(tokens[0]) {
		return Subject{}, nil
	}
	pool, err := unescapeToken(tokens[0])
	if err != nil {
		return Subject{}, err
	}
	if len(pool) > maxPoolName {
		return Subject{}, fmt.Errorf("pool has %d bytes, more than %d", len(pool), maxPoolName)
	}
	return Subject{Kind: KindLearned, Pool: pool}, nil
}

func parseRequest(tokens []string) Subject {
	name := Service(strings.Join(tokens, "."))
	for _, service := range Services() {
		if service == name {
			return Subject{Kind: KindRequest, Service: service}
		}
	}
	return Subject{}
}

func parseDeskWide(kind string, tokens []string) Subject {
	if kind == "cf" && len(tokens) == 1 && tokens[0] == "get" {
		return Subject{Kind: KindConfigGet}
	}
	if len(tokens) != 0 {
		return Subject{}
	}
	switch kind {
	case "dk":
		return Subject{Kind: KindDecisions}
	case "au":
		return Subject{Kind: KindAudit}
	case "fg":
		return Subject{Kind: KindFigures}
	case "ld":
		return Subject{Kind: KindLeader}
	case "cf":
		return Subject{Kind: KindConfig}
	}
	return Subject{}
}
