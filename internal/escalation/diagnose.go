package escalation

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/operators"
)

// The checker reports errors as English sentences about CEL. These patterns recognise them; what
// matches none of them is passed on as it is, so a new version of CEL loses clarity here, never a
// problem.
var (
	undefinedField   = regexp.MustCompile(`^undefined field '(.*)'`)
	undeclared       = regexp.MustCompile(`^undeclared reference to '([^']*)'`)
	noField          = regexp.MustCompile(`^type '.*' does not support field selection`)
	noOverload       = regexp.MustCompile(`^found no matching overload for '(.*)' applied to '(.*)'$`)
	wrongType        = regexp.MustCompile(`^expected type '(.*)' but found '(.*)'`)
	notARange        = regexp.MustCompile(`^expression of type '(.*)' cannot be range`)
	reserved         = regexp.MustCompile(`^reserved identifier: (.*)`)
	tooDeep          = regexp.MustCompile(`recursion (?:limit|depth) exceeded|expression node`)
	syntaxUnexpected = regexp.MustCompile(`^Syntax error: (?:mismatched input|extraneous input|no viable alternative at input|token recognition error at:) '(.*?)'(?: expecting .*)?$`)
	notASimpleName   = regexp.MustCompile(`^argument must be a simple name`)
	badNumber        = regexp.MustCompile(`^invalid (?:int|uint|double) literal`)
	expectingList    = regexp.MustCompile(` expecting \{.*\}$`)
)

// checkSpelling is the remedy where nothing better is known.
const checkSpelling = "compare it with the documented facts and functions"

// syntaxProblem explains the first error of the parser. Those after it are mostly its echo.
func (c *condition) syntaxProblem(e *cel.Error) Problem {
	at := position{e.Location.Line(), e.Location.Column() + 1}
	if tooDeep.MatchString(e.Message) {
		return c.start().problem("split the rule into several", "the condition is nested too deeply or too long")
	}
	if m := reserved.FindStringSubmatch(e.Message); m != nil {
		return at.problem("put text in quotes", "%s is a reserved word and names no fact", quote(m[1]))
	}
	if notASimpleName.MatchString(e.Message) {
		return at.problem(`write it like ["A1", "B2"].exists(code, message.text.contains(code))`, "a name for the list's entries is needed here")
	}
	if badNumber.MatchString(e.Message) {
		return at.problem("write a smaller one", "the number is too large")
	}
	last := c.tokens[len(c.tokens)-1]
	m := syntaxUnexpected.FindStringSubmatch(e.Message)
	switch {
	case m == nil:
		return c.orStart(at).problem(checkSpelling, "%s", strings.TrimPrefix(expectingList.ReplaceAllString(e.Message, ""), "Syntax error: "))
	case last.position.before(at):
		return last.position.problem("complete it", "the condition breaks off after %s", quote(last.text))
	case strings.ContainsAny(m[1], `"'`) && strings.Contains(m[1], `\`):
		return at.problem(`write \\ for a backslash, or r"…" around a regular expression`, "the text here has a backslash that means nothing")
	}
	unexpected := m[1]
	if i := c.tokenAt(at); i >= 0 {
		unexpected = c.tokens[i].text
	}
	return at.problem("look for a missing operator (&&, ||), comma or quote before it", "%s was not expected here", quote(unexpected))
}

func (c *condition) start() position { return c.tokens[0].position }

// orStart replaces a place that the parser does not know.
func (c *condition) orStart(at position) position {
	if at.line < 1 || at.column < 1 {
		return c.start()
	}
	return at
}

// typeProblems explains the errors of the type checker, apart from those at places where something
// worse was found already.
func (c *condition) typeProblems(errs []*cel.Error, known []Problem) []Problem {
	var problems []Problem
	var skip []span
	for _, e := range errs {
		at := c.orStart(position{e.Location.Line(), e.Location.Column() + 1})
		if slices.ContainsFunc(skip, func(s span) bool { return s.contains(at) }) {
			continue
		}
		p, inside := c.typeProblem(e, at)
		same := func(k Problem) bool { return k.Line == p.Line && k.Column == p.Column }
		if p.Message != "" && !slices.ContainsFunc(known, same) {
			problems = append(problems, p)
		}
		skip = append(skip, inside)
	}
	return problems
}

// span is a stretch of a condition, both ends exclusive.
type span struct{ from, to position }

func (s span) contains(p position) bool { return s.from.before(p) && p.before(s.to) }

// typeProblem explains one error. The span is a part of the condition whose own errors would only
// be a consequence of this one.
func (c *condition) typeProblem(e *cel.Error, at position) (Problem, span) {
	switch {
	case undefinedField.MatchString(e.Message), noField.MatchString(e.Message):
		return c.unknownFact(c.after(at), c.paths[e.ExprID]), span{}
	case undeclared.MatchString(e.Message):
		name := undeclared.FindStringSubmatch(e.Message)[1]
		if i := c.tokenAt(at); i > 0 && c.tokens[i].text == "(" {
			return c.unknownFunction(c.tokens[i-1].position, name), c.bracketSpan(i)
		}
		if path := c.paths[e.ExprID]; path != "" {
			name = path
		}
		return c.unknownFact(at, name), span{}
	case noOverload.MatchString(e.Message):
		m := noOverload.FindStringSubmatch(e.Message)
		return c.misused(at, m[1], m[2]), span{}
	case wrongType.MatchString(e.Message):
		m := wrongType.FindStringSubmatch(e.Message)
		remedy := "write entries of the same kind"
		if m[1] == "bool" {
			remedy = "compare it with something, or remove it"
		}
		return c.factPosition(e.ExprID, at).problem(remedy, "%s is needed here, this is %s", kindName(m[1]), kindName(m[2])), span{}
	case notARange.MatchString(e.Message):
		m := notARange.FindStringSubmatch(e.Message)
		return c.factPosition(e.ExprID, at).problem(`put a list before it: ["x", "y"].exists(w, …)`,
			"exists and all need a list, this is %s", kindName(m[1])), span{}
	}
	return at.problem(checkSpelling, "%s", e.Message), span{}
}

func (c *condition) tokenAt(at position) int {
	return slices.IndexFunc(c.tokens, func(t token) bool { return t.position == at })
}

// after gives the place of the token after the one at a place: the field after its dot.
func (c *condition) after(at position) position {
	if i := c.tokenAt(at); i >= 0 && i+1 < len(c.tokens) {
		return c.tokens[i+1].position
	}
	return at
}

// factPosition moves from the dot of a fact's name, where the checker points, to its beginning.
func (c *condition) factPosition(id int64, at position) position {
	i := c.tokenAt(at)
	if c.paths[id] == "" || i < 0 {
		return at
	}
	for i > 0 && c.tokens[i].text == "." {
		i--
		if i > 0 && c.tokens[i-1].text == "." {
			i--
		}
	}
	return c.tokens[i].position
}

// bracketSpan is what stands between a bracket and the one that closes it.
func (c *condition) bracketSpan(open int) span {
	depth := 0
	for i := open; i < len(c.tokens); i++ {
		switch c.tokens[i].text {
		case "(", "[":
			depth++
		case ")", "]":
			if depth--; depth == 0 {
				return span{c.tokens[open].position, c.tokens[i].position}
			}
		}
	}
	return span{}
}

func (c *condition) unknownFact(at position, name string) Problem {
	remedy := "the facts are " + strings.Join(factNames(), ", ")
	if lower := strings.ToLower(name); lower == "true" || lower == "false" {
		remedy = "write " + lower
	} else if near, ok := nearestFact(name); ok {
		remedy = "did you mean " + near + "?"
	} else if !strings.Contains(name, ".") {
		remedy += `; text stands in quotes: "` + clip(name) + `"`
	}
	return at.problem(remedy, "there is no fact %s", clip(name))
}

func (c *condition) unknownFunction(at position, name string) Problem {
	var remedy string
	near, ok := nearestFunction(name)
	switch {
	case ok && near.Name == name:
		return at.problem("write it like "+near.Use, "%s is not used like this", name)
	case ok:
		remedy = "did you mean " + near.Name + "? For example " + near.Use
	default:
		var names []string
		for _, f := range namedFunctions() {
			names = append(names, f.Name)
		}
		remedy = "the functions are " + strings.Join(names, ", ")
	}
	return at.problem(remedy, "there is no function %s", clip(name))
}

func factNames() []string {
	names := make([]string, 0, len(facts))
	for i := range facts {
		names = append(names, facts[i].Name)
	}
	return names
}

// misused explains a function or operator that does not fit what it is applied to. The signature
// is the checker's: "(int, string)", or "string.(int)" for a call on a value.
func (c *condition) misused(at position, function, signature string) Problem {
	target, list, _ := strings.Cut(strings.TrimSuffix(signature, ")"), "(")
	var args []string
	if target = strings.TrimSuffix(target, "."); target != "" {
		args = append(args, target)
	}
	args = append(args, splitTypes(list)...)
	if slices.ContainsFunc(args, func(t string) bool { return strings.HasPrefix(t, "@") }) {
		return Problem{} // a group of facts used as a value: shapeProblems says it better
	}
	if symbol, ok := operators.FindReverse(function); ok && symbol != "" {
		return c.misusedOperator(at, symbol, args)
	}
	switch function {
	case operators.Conditional:
		return at.problem("give both the same kind", "? : needs true or false before the ? and the same kind on both sides of the :, this is %s",
			kindNames(args))
	case operators.Index:
		return at.problem("use contains or matchesAny to look into a text", "[ ] takes an entry of a list by its number, this is %s", kindNames(args))
	}
	return c.misusedFunction(at, function, args)
}

func (c *condition) misusedFunction(at position, function string, args []string) Problem {
	if i := c.tokenAt(at); i > 0 && c.tokens[i].text == "(" {
		at = c.tokens[i-1].position
	}
	remedy := checkSpelling
	for _, f := range functions {
		if f.Name == function {
			remedy = "write it like " + f.Use
		}
	}
	if len(args) == 0 {
		return at.problem(remedy, "%s is used without a value", function)
	}
	return at.problem(remedy, "%s cannot be used with %s", function, kindNames(args))
}

func (c *condition) misusedOperator(at position, symbol string, args []string) Problem {
	if len(args) == 1 {
		need := "a number"
		if symbol == "!" {
			need = "true or false"
		}
		return at.problem("compare the value with something first", "%s needs %s, this is %s", symbol, need, kindName(args[0]))
	}
	has := func(kind string) bool { return slices.Contains(args, kind) }
	remedy := "compare values of the same kind"
	switch {
	case symbol == "in":
		remedy = `write a list of the same kind, as in conversation.channel in ["web", "app"]; to look into a text use contains`
	case symbol == "+" && has("string"):
		remedy = "text cannot be put together in a rule; use matchesAny or contains"
	case has("duration"):
		remedy = `write a length of time as duration("30s")`
	case has("int") && has("double"):
		remedy = "write the number without decimals, or double(…) around the whole number"
	case has("string") && (has("int") || has("double") || has("bool")):
		remedy = "numbers, true and false stand without quotes, text stands in quotes"
	}
	return at.problem(remedy, "%s does not work with %s", symbol, kindNames(args))
}

// splitTypes splits "int, list(string)" at the commas outside brackets.
func splitTypes(list string) []string {
	var parts []string
	depth, from := 0, 0
	for i, r := range list {
		switch r {
		case '(':
			depth++
		case ')':
			depth--
		case ',':
			if depth == 0 {
				parts = append(parts, strings.TrimSpace(list[from:i]))
				from = i + 1
			}
		}
	}
	if rest := strings.TrimSpace(list[from:]); rest != "" {
		parts = append(parts, rest)
	}
	return parts
}

var kindWords = map[string]string{
	"string": "text", "bool": "true or false", "int": "a whole number", "uint": "a whole number with u",
	"double": "a decimal number", "duration": "a duration", "bytes": "bytes", "null": "null",
}

// kindName is how a type is called towards the author of a rule.
func kindName(t string) string {
	if word, ok := kindWords[t]; ok {
		return word
	}
	if element, ok := strings.CutPrefix(t, "list("); ok {
		return "a list of " + kindsName(strings.TrimSuffix(element, ")"))
	}
	return t
}

// kindsName is the plural of [kindName].
func kindsName(t string) string {
	if one, ok := strings.CutPrefix(kindName(t), "a "); ok {
		return one + "s"
	}
	return kindName(t)
}

func kindNames(types []string) string {
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = kindName(t)
	}
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return fmt.Sprintf("%s and %s", strings.Join(names[:last], ", "), names[last])
}
