package dialogue

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/escalation"
)

// Settings of the desk and the pool.
type Settings struct {
	// Languages of the desk, at least one; the first is the fallback.
	Languages []string
	// MinConfidence from 0 to 1: below it the bot hands off.
	MinConfidence float64
	// Greeting that opens a conversation; none if empty.
	Greeting []escalation.LocalisedText
}

// Hit is an entry that a knowledge base gave for the question.
type Hit struct {
	KnowledgeBase string
	ID            string
	Question      string
	Answer        string
	// Language of the answer; empty if unknown.
	Language string
	// Confidence from 0 to 1 that the entry answers the question.
	Confidence float64
}

// Findings are what the knowledge bases gave, the most confident first.
type Findings struct {
	Hits []Hit
	// Failed says that they could not be asked.
	Failed bool
}

// Reply is what the bot does.
type Reply struct {
	// Through is the sequence of the last message that was taken into account.
	Through uint64
	// Say is said in this order; nothing if empty.
	Say []Say
	// HandOff gives the conversation to a person afterwards; nil to go on.
	HandOff *HandOff
}

// Say is one message of the bot.
type Say struct {
	Kind     Kind
	Text     string
	Language string
	// Entry that the message cites; nil for none.
	Entry *conversation.Citation
	// Missed marks that the bot says it has no sure answer.
	Missed bool
	// ClientID of the message.
	ClientID string
}

// HandOff is what the bot adds to the contract; the worker adds the position in the transcript.
type HandOff struct {
	Reason conversation.Reason
	// Language of the customer.
	Language string
	// Tried are the entries that were given, and those that came close.
	Tried []conversation.Citation
}

// closeCalls of the hits below the floor are told to the next owner.
const closeCalls = 3

// Question is what to look up in the knowledge bases for the open messages, with the customer's language. ok is
// false when nothing has to be looked up.
func Question(t *Talk, s Settings) (query, language string, ok bool) {
	if t.Promised || len(t.Open) == 0 || asksForPerson(t.Open) {
		return "", "", false
	}
	_, rest := smallTalk(t.Open, t.AfterAnswer)
	if len(rest) == 0 {
		return "", "", false
	}
	return joinTexts(rest), speaks(t, s), true
}

// Decide what to do about the open messages of a conversation. Findings are those for Question, and are not
// looked at where it asks for none. The same arguments give the same reply.
func Decide(t *Talk, found Findings, s Settings) Reply {
	d := decision{talk: t, settings: s, language: speaks(t, s), reply: Reply{Through: t.Seq}}
	switch {
	case t.Promised:
		// Said by a worker that could not keep it.
		d.handOff(conversation.ReasonAskedForPerson, reasonPromised)
	case len(t.Open) == 0:
		d.greet()
	case asksForPerson(t.Open):
		d.say(KindHandOff, text(textPerson, d.language))
		d.handOff(conversation.ReasonAskedForPerson, reasonPerson)
	default:
		d.answerOpen(found)
	}
	d.number()
	return d.reply
}

// decision gathers a reply.
type decision struct {
	talk     *Talk
	settings Settings
	language string
	reply    Reply
}

func (d *decision) answerOpen(found Findings) {
	talk, rest := smallTalk(d.talk.Open, d.talk.AfterAnswer)
	switch {
	case len(rest) == 0 && talk == talkNoHelp:
		d.miss(textNoHelp, reasonNoHelp, nil)
	case len(rest) == 0:
		d.chat(talk)
	default:
		d.greet()
		d.answer(found)
	}
}

// greet opens the conversation, where the pool has a greeting.
func (d *decision) greet() {
	if d.talk.Greeted || len(d.settings.Greeting) == 0 {
		return
	}
	if g, ok := localised(d.settings.Greeting, d.language, d.settings.Languages); ok {
		d.reply.Say = append(d.reply.Say, Say{Kind: KindGreeting, Text: g.Text, Language: g.Language})
	}
}

// chat answers what is no question.
func (d *decision) chat(talk talkKind) {
	if !d.talk.Greeted {
		d.greet()
		if len(d.reply.Say) > 0 {
			// The greeting is all that is to be said; as chat it answers the message.
			d.reply.Say[0].Kind = KindChat
			return
		}
		if talk != talkThanks && talk != talkBye {
			d.say(KindChat, text(textHello, d.language))
			return
		}
	}
	switch talk {
	case talkHello:
		d.say(KindChat, text(textHelp, d.language))
	case talkThanks:
		d.say(KindChat, text(textWelcome, d.language))
	case talkBye:
		d.say(KindChat, text(textBye, d.language))
	case talkNothing, talkNo, talkNoHelp: // "ok": people say nothing to that
	}
}

// answer the question, or say that there is no answer.
func (d *decision) answer(found Findings) {
	if found.Failed {
		d.say(KindHandOff, text(textFault, d.language))
		d.handOff(conversation.ReasonFault, reasonFault)
		return
	}
	repeated := false
	for _, h := range found.Hits {
		if d.talk.gave(h.KnowledgeBase, h.ID) {
			repeated = repeated || sure(h, d.settings)
			continue
		}
		if sure(h, d.settings) && len(d.talk.Given) < maxGiven {
			d.give(h)
			return
		}
		break
	}
	switch {
	case repeated:
		d.miss(textNoHelp, reasonRepeated, found.Hits)
	case len(found.Hits) == 0:
		d.miss(textMiss, reasonNothing, nil)
	default:
		d.miss(textMiss, fmt.Sprintf(reasonUnsure, found.Hits[0].ID, percent(found.Hits[0].Confidence), percent(d.settings.MinConfidence)), found.Hits)
	}
}

// sure is written so that a confidence that is no number is not.
func sure(h Hit, s Settings) bool {
	return h.Confidence >= s.MinConfidence && strings.TrimSpace(h.Answer) != ""
}

func (d *decision) give(h Hit) {
	entry := cite(h, conversation.MaxQuestionBytes)
	body := h.Answer
	if note := foreignNote(h.Language, d.language); note != "" {
		body = note + "\n\n" + body
	}
	for _, part := range split(body, conversation.MaxTextBytes) {
		language := h.Language
		if language == "" {
			language = d.language
		}
		d.reply.Say = append(d.reply.Say, Say{Kind: KindAnswer, Text: part, Language: language, Entry: &entry})
	}
}

// miss says that there is no sure answer and hands off.
func (d *decision) miss(what textKey, why string, near []Hit) {
	d.say(KindHandOff, text(what, d.language))
	d.reply.Say[len(d.reply.Say)-1].Missed = true
	d.handOff(conversation.ReasonNoAnswer, why)
	for _, h := range near[:min(closeCalls, len(near))] {
		if !d.talk.gave(h.KnowledgeBase, h.ID) && len(d.reply.HandOff.Tried) < conversation.MaxTried {
			d.reply.HandOff.Tried = append(d.reply.HandOff.Tried, cite(h, conversation.MaxWhyBytes))
		}
	}
}

func (d *decision) say(kind Kind, words string) {
	d.reply.Say = append(d.reply.Say, Say{Kind: kind, Text: words, Language: textLanguage(d.language)})
}

func (d *decision) handOff(code conversation.ReasonCode, words string) {
	h := &HandOff{Reason: conversation.Reason{Code: code, Words: clip(words, conversation.MaxWhyBytes)}, Language: d.talk.Language}
	if h.Language == "" || len(h.Language) > conversation.MaxLanguageBytes {
		h.Language = d.language
	}
	for _, c := range d.talk.Given {
		c.Question = clip(c.Question, conversation.MaxWhyBytes)
		h.Tried = append(h.Tried, c)
	}
	d.reply.HandOff = h
}

// number gives the messages their ids.
func (d *decision) number() {
	for i := range d.reply.Say {
		s := &d.reply.Say[i]
		s.ClientID = clientID(s.Kind, d.reply.Through, i)
	}
}

func cite(h Hit, mostQuestion int) conversation.Citation {
	confidence := h.Confidence
	if math.IsNaN(confidence) {
		confidence = 0
	}
	return conversation.Citation{
		KnowledgeBase: h.KnowledgeBase, ID: h.ID, Question: clip(h.Question, mostQuestion), Confidence: min(max(confidence, 0), 1),
	}
}

func asksForPerson(open []Said) bool {
	for _, s := range open {
		if s.AsksForPerson {
			return true
		}
	}
	return false
}

// joinTexts makes one question of several messages: people write one thought in three lines.
func joinTexts(said []Said) string {
	texts := make([]string, 0, len(said))
	for _, s := range said {
		texts = append(texts, s.Text)
	}
	return clip(strings.Join(texts, "\n"), conversation.MaxTextBytes)
}

func percent(share float64) int { return int(math.Round(share * 100)) }

// clip shortens to a number of bytes without breaking a character.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}

// split cuts a long text into parts of at most so many bytes, at the end of a paragraph or line where there is
// one in the second half, otherwise between two characters.
func split(s string, most int) []string {
	var parts []string
	for len(s) > most {
		head := clip(s, most)
		for _, mark := range []string{"\n\n", "\n"} {
			if i := strings.LastIndex(head, mark); i > most/2 {
				head = head[:i]
				break
			}
		}
		if strings.TrimSpace(head) != "" {
			parts = append(parts, head)
		}
		s = strings.TrimLeft(s[len(head):], "\n")
	}
	if strings.TrimSpace(s) != "" {
		parts = append(parts, s)
	}
	return parts
}
