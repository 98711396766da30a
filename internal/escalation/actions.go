package escalation

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

var (
	dnsLabel    = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)
	languageTag = regexp.MustCompile(`^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$`)
)

// maxLanguageLength bounds a language tag.
const maxLanguageLength = 16

const dnsLabelRemedy = "use small letters, digits and -, at most 63, beginning and ending with a letter or digit"

func isDNSLabel(s string) bool { return len(s) <= MaxNameLength && dnsLabel.MatchString(s) }

// actionProblems checks what a rule does.
func actionProblems(a *Actions) []Problem {
	var problems []Problem
	report := func(field, remedy, format string, args ...any) {
		problems = append(problems, Problem{Field: field, Message: fmt.Sprintf(format, args...), Remedy: remedy})
	}
	if a.HandOff == nil && a.Priority == nil && len(a.Say) == 0 {
		report("then", "set handOff, priority or say", "the rule does nothing")
	}
	if a.HandOff != nil && a.HandOff.Queue != "" && !isDNSLabel(a.HandOff.Queue) {
		report("then.handOff.queue", "write the name of one of the desk's queues, or none for its default queue; "+dnsLabelRemedy,
			"%s is no name of a queue", quote(a.HandOff.Queue))
	}
	if a.Priority != nil && (*a.Priority < 0 || *a.Priority > MaxPriority) {
		report("then.priority", fmt.Sprintf("choose 0 (lowest) to %d", MaxPriority), "%d is out of range", *a.Priority)
	}
	if len(a.Say) > MaxSayTexts {
		report("then.say", "remove some", "there are %d texts, %d are allowed", len(a.Say), MaxSayTexts)
		return problems
	}
	for i, text := range a.Say {
		problems = append(problems, sayProblems(i, a.Say[:i], text)...)
	}
	return problems
}

func sayProblems(i int, before []LocalisedText, text LocalisedText) []Problem {
	field := func(name string) string { return fmt.Sprintf("then.say[%d].%s", i, name) }
	var problems []Problem
	if len(text.Language) > maxLanguageLength || !languageTag.MatchString(text.Language) {
		problems = append(problems, Problem{
			Field: field("language"), Message: quote(text.Language) + " is no language tag",
			Remedy: "write a BCP 47 tag such as zh, en or zh-Hant",
		})
	}
	if slices.ContainsFunc(before, func(b LocalisedText) bool { return strings.EqualFold(b.Language, text.Language) }) {
		problems = append(problems, Problem{
			Field: field("language"), Message: quote(text.Language) + " is there twice",
			Remedy: "keep one text a language",
		})
	}
	switch {
	case strings.TrimSpace(text.Text) == "":
		problems = append(problems, Problem{
			Field: field("text"), Message: "the text is empty", Remedy: "write what is said, or remove the language",
		})
	case !utf8.ValidString(text.Text):
		problems = append(problems, Problem{
			Field: field("text"), Message: "the text is not UTF-8", Remedy: "save the file as UTF-8",
		})
	case utf8.RuneCountInString(text.Text) > MaxSayLength:
		problems = append(problems, Problem{
			Field: field("text"), Remedy: "shorten it",
			Message: fmt.Sprintf("the text has %d characters, %d are allowed", utf8.RuneCountInString(text.Text), MaxSayLength),
		})
	}
	return problems
}

// describe says in words what the actions do, for people who ask why.
func describe(rule string, a *Actions) string {
	var did []string
	switch {
	case a.HandOff == nil:
	case a.HandOff.Queue == "":
		did = append(did, "hand off to the default queue")
	default:
		did = append(did, "hand off to queue "+a.HandOff.Queue)
	}
	if a.Priority != nil {
		did = append(did, fmt.Sprintf("priority %d", *a.Priority))
	}
	if len(a.Say) > 0 {
		did = append(did, "say a message")
	}
	if len(did) == 0 {
		did = append(did, "nothing that an earlier rule has not set")
	}
	return "rule " + rule + ": " + strings.Join(did, ", ")
}

// localised picks the text for the first of the languages that there is one for; without any, the
// first text.
func localised(texts []LocalisedText, languages ...string) LocalisedText {
	for _, language := range languages {
		if text, ok := inLanguage(texts, language); ok {
			return text
		}
	}
	return texts[0]
}

// inLanguage picks the text for a language: the same tag, then a more general one (zh-Hant for
// zh-Hant-TW), then the same base language.
func inLanguage(texts []LocalisedText, language string) (LocalisedText, bool) {
	for tag := language; tag != ""; {
		for _, t := range texts {
			if strings.EqualFold(t.Language, tag) {
				return t, true
			}
		}
		tag = tag[:max(strings.LastIndexByte(tag, '-'), 0)]
	}
	base, _, _ := strings.Cut(language, "-")
	for _, t := range texts {
		if b, _, _ := strings.Cut(t.Language, "-"); strings.EqualFold(b, base) {
			return t, true
		}
	}
	return LocalisedText{}, false
}
