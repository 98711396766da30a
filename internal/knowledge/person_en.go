package knowledge

import (
	"slices"
	"strings"
	"unicode"
)

// English cues. A strong phrase asks by itself; a head asks behind a verb, or where the message is little else.
var (
	personStrong = wordsOf("human agent", "human being", "human operator", "human representative", "human rep", "human support", "human assistance",
		"human help", "human please", "human now", "live agent", "live person", "live human", "live representative", "live rep", "live support", "live chat agent",
		"live operator", "real person", "real human", "real agent", "real people", "actual person", "actual human", "real live", "agent please", "person please",
		"representative please", "operator please", "supervisor please", "manager please", "someone please", "somebody real", "someone real", "someone human", "someone call me", "somebody call me",
		"someone to call me", "put me through", "get me someone", "give me someone", "someone to help", "somebody to help", "someone who can help", "somebody who can help",
		"anyone who can help", "anybody there", "anyone there")
	personHeads = wordSet(`human humans person people agent agents representative representatives rep operator someone somebody anyone anybody manager
		supervisor advisor adviser specialist staff employee colleague`)
	personTeams = wordsOf("customer service", "customer support", "customer care", "support team", "service team", "support agent", "help desk", "call center", "call centre")
	// personVerbs ask to be connected; behind them every head counts. personWants ask for something; behind them only heads that cannot be
	// anything but a person of the desk.
	personVerbs = wordSet(`speak talk chat connect transfer escalate reach contact call pass switch redirect forward handover talking speaking chatting
		transferred connected hand put speek trasnfer tranfer`)
	personWants   = wordSet(`want need get give prefer have find like wanna gimme require request bring send there`)
	personCertain = wordSet(`human humans agent agents representative representatives rep operator manager supervisor`)

	personNegations = wordSet(`dont not no never without didnt doesnt neednt wont nobody stop avoid isnt unnecessary`)
	// personKeeps stand before a negation that asks: "why can't I", "can you not just".
	personKeeps = wordsOf("why", "dont you have", "do you not", "can you not", "could you not", "is there no", "are there no", "isnt there", "is there not", "not a bot", "not a robot",
		"not a machine", "not with a bot", "not to a bot", "not talking to a bot", "no bot", "no bots", "not an ai", "not working", "no one", "not helpful", "not helping")
	personFalse = wordsOf("travel agent", "estate agent", "real estate", "user agent", "cleaning agent", "insurance agent", "shipping agent", "agent of", "human hair", "human sized", "human size", "human body",
		"human resources", "human consumption", "in person", "per person", "mobile operator", "phone operator", "network operator", "tour operator", "store manager said",
		"password manager", "task manager", "file manager", "download manager", "agent said", "agent told", "rep said", "rep told", "representative said",
		"representative told", "staff member told", "someone else", "human error", "chat with friends", "call of duty")
	personFiller = wordSet(`a an the please pls plz now asap hi hello hey i me my to with want need just only real live yes ok okay can could you thanks thank
		give get for some immediately right urgent help`)
	clauseWords = wordSet("but because so and though although instead or")
)

func wordsOf(phrases ...string) [][]string {
	out := make([][]string, len(phrases))
	for i, p := range phrases {
		out[i] = strings.Fields(p)
	}
	return out
}

// latinAsksForPerson decides one clause by its Latin words.
func latinAsksForPerson(clause string) bool {
	words := strings.FieldsFunc(strings.ReplaceAll(clause, "'", ""), func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsLetter(r) })
	words = blank(words, personFalse)
	asks := false
	for part := range parts(words) {
		asks = asks || wordsAskForPerson(part)
	}
	return asks
}

// parts cuts a clause at words that begin another one.
func parts(words []string) func(func([]string) bool) {
	return func(yield func([]string) bool) {
		from := 0
		for i, w := range words {
			if clauseWords[w] || w == "i" && i > from+2 {
				if !yield(words[from:i]) {
					return
				}
				from = i
			}
		}
		yield(words[from:])
	}
}

// blank replaces phrases that hold a cue and mean something else.
func blank(words []string, phrases [][]string) []string {
	words = slices.Clone(words)
	for _, p := range phrases {
		for i := indexPhrase(words, p); i >= 0; i = indexPhrase(words, p) {
			for k := range p {
				words[i+k] = "_"
			}
		}
	}
	return words
}

func wordsAskForPerson(words []string) bool {
	at := personAt(words)
	if at < 0 {
		return false
	}
	for _, keep := range personKeeps {
		if i := indexPhrase(words, keep); i >= 0 && i < at {
			return true
		}
	}
	if slices.ContainsFunc(words[:at], func(w string) bool { return personNegations[w] }) {
		return false
	}
	rest := words[at:]
	return indexPhrase(rest, []string{"not", "needed"}) < 0 && indexPhrase(rest, []string{"not", "necessary"}) < 0 && indexPhrase(rest, []string{"isnt"}) < 0
}

// personAt returns where the words name the person they ask for, or -1.
func personAt(words []string) int {
	for _, p := range personStrong {
		if i := indexPhrase(words, p); i >= 0 {
			return i
		}
	}
	for _, p := range personTeams {
		if i := indexPhrase(words, p); i >= 0 && (askedFor(words[:i], personVerbs) || askedFor(words[:i], personWants) || fillerOnly(words, i, len(p))) {
			return i
		}
	}
	return slices.IndexFunc(words, func(w string) bool { return personHeads[w] && headAsks(words, w) })
}

// headAsks reports whether the head noun is what the words ask for.
func headAsks(words []string, head string) bool {
	i := slices.Index(words, head)
	return askedFor(words[:i], personVerbs) || personCertain[head] && askedFor(words[:i], personWants) || fillerOnly(words, i, 1)
}

// askedFor reports whether one of the verbs stands shortly before the end of words.
func askedFor(words []string, verbs map[string]bool) bool {
	const reach = 6
	return slices.ContainsFunc(words[max(0, len(words)-reach):], func(w string) bool { return verbs[w] })
}

// fillerOnly reports whether all words but the n from i are politeness.
func fillerOnly(words []string, i, n int) bool {
	if words[i] == "people" || strings.HasSuffix(words[i], "one") || strings.HasSuffix(words[i], "body") {
		return false
	}
	for k, w := range words {
		if (k < i || k >= i+n) && !personFiller[w] && !personNegations[w] {
			return false
		}
	}
	return true
}

// indexPhrase returns where the phrase begins in words, or -1.
func indexPhrase(words, phrase []string) int {
	for i := 0; i+len(phrase) <= len(words); i++ {
		if slices.Equal(words[i:i+len(phrase)], phrase) {
			return i
		}
	}
	return -1
}
