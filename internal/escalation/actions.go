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
	languageTag = regexp.MustCompile(`^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$`)
)

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
	if a.HandOff != nil && !isDNSLabel(a.HandOff.Queue) {
		report("then.handOff.queue", "write the name of one of the desk's queues; "+dnsLabelRemedy,
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
	if !languageTag.MatchString(text.Language) {
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
	case len(text.Text) > MaxSayBytes || !utf8.ValidString(text.Text):
		problems = append(problems, Problem{
			Field: field("text"), Message: fmt.Sprintf("the text has %d bytes or is not UTF-8", len(text.Text)),
			Remedy: fmt.Sprintf("write at most %d bytes of UTF-8", MaxSayBytes),
		})
	}
	return problems
}

// describe says in words what the actions do, for people who ask why.
func describe(rule string, a *Actions) string {
	var did []string
	if a.HandOff != nil {
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

// localised picks the text for a language: the same tag, then a more general one (zh-Hant for
// zh-Hant-TW), then the same base language, then the first.
func localised(texts []LocalisedText, language string) LocalisedText {
	for tag := language; tag != ""; {
		for _, t := range texts {
			if strings.EqualFold(t.Language, tag) {
				return t
			}
		}
		tag = tag[:max(strings.LastIndexByte(tag, '-'), 0)]
	}
	base, _, _ := strings.Cut(language, "-")
	for _, t := range texts {
		if b, _, _ := strings.Cut(t.Language, "-"); strings.EqualFold(b, base) {
			return t
		}
	}
	return texts[0]
}
