package dialogue

import (
	"slices"
	"strings"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/escalation"
	"github.com/deskfleet/deskfleet/internal/knowledge"
)

// languageOf a customer's message. What the words are in counts more than what the client says: browsers send
// the language of their menus.
func languageOf(m *conversation.Message) string {
	if detected := knowledge.DetectLanguage(m.Text); detected != "" && primaryTag(m.Language) != detected {
		return detected
	}
	return m.Language
}

// speaks is the language that the bot speaks: the customer's if the desk has it, otherwise the desk's first.
func speaks(t *Talk, s Settings) string {
	for _, said := range slices.Backward(t.Open) {
		if l := ofDesk(said.Language, s.Languages); l != "" {
			return l
		}
	}
	if l := ofDesk(t.Language, s.Languages); l != "" {
		return l
	}
	if len(s.Languages) > 0 {
		return s.Languages[0]
	}
	return fallback
}

// ofDesk gives the desk's tag for a language, empty if the desk does not have it.
func ofDesk(language string, languages []string) string {
	if language == "" {
		return ""
	}
	if slices.ContainsFunc(languages, func(l string) bool { return strings.EqualFold(l, language) }) {
		return language
	}
	for _, l := range languages {
		if primaryTag(l) == primaryTag(language) {
			return l
		}
	}
	return ""
}

func primaryTag(tag string) string {
	tag, _, _ = strings.Cut(tag, "-")
	return strings.ToLower(tag)
}

// localised finds a text in a language, then in the desk's languages, in their order.
func localised(texts []escalation.LocalisedText, language string, languages []string) (escalation.LocalisedText, bool) {
	for _, wanted := range append([]string{language}, languages...) {
		for _, same := range []func(a, b string) bool{
			strings.EqualFold, func(a, b string) bool { return primaryTag(a) == primaryTag(b) },
		} {
			for _, t := range texts {
				if same(t.Language, wanted) && strings.TrimSpace(t.Text) != "" {
					return t, true
				}
			}
		}
	}
	return escalation.LocalisedText{}, false
}
