package escalation

import (
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/overloads"
)

const (
	// maxLoopNesting is how deep exists and all may nest.
	maxLoopNesting = 2
	// maxPatternBytes bounds a regular expression as it is written.
	maxPatternBytes = 256
	// maxPatternProgram bounds a regular expression as it is compiled, in instructions: (a{99}){9} is
	// short and large.
	maxPatternProgram = 256
)

// condition is a parsed condition together with what is needed to say where something is.
type condition struct {
	tokens []token
	parsed *cel.Ast
	paths  map[int64]string // by expression id: the dotted name that the expression begins
}

func newCondition(tokens []token, parsed *cel.Ast) *condition {
	c := &condition{tokens: tokens, parsed: parsed, paths: map[int64]string{}}
	// Pre-order: the outermost selection comes first and gives its full name to all it is made of.
	ast.PreOrderVisit(parsed.NativeRep().Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() == ast.SelectKind || e.Kind() == ast.IdentKind {
			c.addPath(e)
		}
	}))
	return c
}

func (c *condition) addPath(e ast.Expr) {
	var ids []int64
	var names []string
	for ; e.Kind() == ast.SelectKind; e = e.AsSelect().Operand() {
		ids = append(ids, e.ID())
		names = append([]string{e.AsSelect().FieldName()}, names...)
	}
	if e.Kind() != ast.IdentKind {
		return
	}
	ids = append(ids, e.ID())
	path := strings.Join(append([]string{e.AsIdent()}, names...), ".")
	for _, id := range ids {
		if _, known := c.paths[id]; !known {
			c.paths[id] = path
		}
	}
}

func (c *condition) position(e ast.Expr) position {
	start := c.parsed.NativeRep().SourceInfo().GetStartLocation(e.ID())
	return c.factPosition(e.ID(), position{start.Line(), start.Column() + 1})
}

// shapeProblems refuses what the language of rules leaves out although CEL's grammar has it and
// the type checker would let it pass.
func (c *condition) shapeProblems() []Problem {
	var problems []Problem
	report := func(e ast.Expr, remedy, format string, args ...any) {
		problems = append(problems, c.position(e).problem(remedy, format, args...))
	}
	fieldsOf := map[int64]bool{} // expressions that a field is read from
	ast.PreOrderVisit(c.parsed.NativeRep().Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		switch e.Kind() {
		case ast.SelectKind:
			fieldsOf[e.AsSelect().Operand().ID()] = true
		case ast.ListKind:
			if e.AsList().Size() == 0 {
				report(e, "write at least one entry", "the list is empty")
			}
		case ast.IdentKind:
			if _, isGroup := groupTypes[e.AsIdent()]; isGroup && !fieldsOf[e.ID()] {
				report(e, "write one of its facts: "+strings.Join(factsOf(e.AsIdent()), ", "),
					"%s is a group of facts and has no value itself", e.AsIdent())
			}
		case ast.ComprehensionKind:
			variable := e.AsComprehension().IterVar()
			if _, isGroup := groupTypes[variable]; isGroup {
				report(e, "choose another name", "%s is a group of facts and cannot name a list's entry", variable)
			}
		default: // calls and literals: the library's subset and the checker judge them
		}
	}))
	for _, loop := range loopsOf(c.parsed) {
		if loopDepth(loop) > maxLoopNesting {
			report(loop, "split the rule into several", "exists and all are nested more than %d deep", maxLoopNesting)
		}
	}
	return problems
}

func loopsOf(parsed *cel.Ast) []ast.NavigableExpr {
	return ast.MatchDescendants(ast.NavigateAST(parsed.NativeRep()), ast.KindMatcher(ast.ComprehensionKind))
}

func hasLoop(parsed *cel.Ast) bool { return len(loopsOf(parsed)) > 0 }

func loopDepth(e ast.NavigableExpr) int {
	depth := 0
	for inside := true; inside; e, inside = e.Parent() {
		if e.Kind() == ast.ComprehensionKind {
			depth++
		}
	}
	return depth
}

func factsOf(group string) []string {
	var names []string
	for i := range facts {
		if facts[i].group == group {
			names = append(names, facts[i].Name)
		}
	}
	return names
}

// literalProblems checks the arguments that must be written in the rule itself. Were they computed,
// a customer's message could become a pattern, and nothing about their cost could be said when the
// rule is compiled.
func (c *condition) literalProblems() []Problem {
	var problems []Problem
	ast.PreOrderVisit(c.parsed.NativeRep().Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() != ast.CallKind {
			return
		}
		call := e.AsCall()
		args := call.Args()
		if call.IsMemberFunction() {
			args = append([]ast.Expr{call.Target()}, args...)
		}
		switch {
		case call.FunctionName() == matchesAny && len(args) == 2:
			problems = append(problems, c.wordProblems(args[1])...)
		case call.FunctionName() == overloads.Matches && len(args) == 2:
			problems = append(problems, c.patternProblems(args[1])...)
		case call.FunctionName() == overloads.TypeConvertDuration && len(args) == 1:
			problems = append(problems, c.durationProblems(args[0])...)
		}
	}))
	return problems
}

func (c *condition) wordProblems(list ast.Expr) []Problem {
	if list.Kind() != ast.ListKind {
		return []Problem{c.position(list).problem(`write them there: ["退款", "refund"]`,
			"the words of matchesAny must be written in the rule")}
	}
	var problems []Problem
	for _, element := range list.AsList().Elements() {
		text, ok := stringLiteral(element)
		if !ok {
			problems = append(problems, c.position(element).problem(`write the word in quotes`,
				"the words of matchesAny must be written in the rule"))
			continue
		}
		if _, err := newWord(text); err != nil {
			problems = append(problems, c.position(element).problem("mend or remove it", "the word %s %v", quote(text), err))
		}
	}
	return problems
}

func (c *condition) patternProblems(pattern ast.Expr) []Problem {
	at := c.position(pattern)
	text, ok := stringLiteral(pattern)
	if !ok {
		return []Problem{at.problem("write it there in quotes", "the regular expression of matches must be written in the rule")}
	}
	if len(text) > maxPatternBytes {
		return []Problem{at.problem("shorten it, or use matchesAny with a list of words",
			"the regular expression has %d bytes, %d are allowed", len(text), maxPatternBytes)}
	}
	program, err := regexProgram(text)
	if err != nil {
		reason := strings.TrimPrefix(err.Error(), "error parsing regexp: ")
		return []Problem{at.problem("mend it (the syntax is RE2), or use matchesAny with a list of words",
			"the regular expression %s cannot be read: %s", quote(text), reason)}
	}
	if len(program.Inst) > maxPatternProgram {
		return []Problem{at.problem("use smaller repetition counts, or matchesAny with a list of words",
			"the regular expression %s takes %d steps, %d are allowed", quote(text), len(program.Inst), maxPatternProgram)}
	}
	return nil
}

func (c *condition) durationProblems(literal ast.Expr) []Problem {
	const remedy = `write for example duration("30s"), duration("5m") or duration("1h30m")`
	text, ok := stringLiteral(literal)
	if !ok {
		return []Problem{c.position(literal).problem(remedy, "a duration must be written in the rule")}
	}
	if _, err := time.ParseDuration(text); err != nil {
		return []Problem{c.position(literal).problem(remedy, "%s is no duration", quote(text))}
	}
	return nil
}
