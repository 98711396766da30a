package escalation

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
)

const (
	// DefaultRuleCost is the most that one rule may cost on the longest message, in units of CEL's
	// cost model (about one for each operation and for each ten characters passed over).
	DefaultRuleCost = 500_000
	// DefaultPolicyCost is the most that all rules of a policy may cost together.
	DefaultPolicyCost = 5_000_000
)

// Options bounds the policies that [Compile] accepts. The zero value gives the defaults.
type Options struct {
	// RuleCost replaces [DefaultRuleCost]. It holds twice: for the estimate when a rule is compiled,
	// and for the cost that is counted while a rule with loops runs.
	RuleCost uint64
	// PolicyCost replaces [DefaultPolicyCost].
	PolicyCost uint64
	// Language is the desk's first language as a BCP 47 tag: what is said to a customer whose own
	// language a rule has no text for. Empty: the rule's first text.
	Language string
}

// Policy is a compiled policy. It does not change and is safe for concurrent use.
type Policy struct {
	rules       []compiledRule
	language    string
	activations sync.Pool // of *activation
}

type compiledRule struct {
	name    string
	program cel.Program
	then    Actions
	reason  string
	cost    uint64
}

// QueueReference is a queue that a policy hands conversations off to.
type QueueReference struct {
	// Queue is the queue's name.
	Queue string
	// Rules are the names of the rules that name it, in the policy's order.
	Rules []string
}

// Compile turns the rules of a policy into something that can be evaluated. Either the policy is
// given and there are no problems, or it is nil and the problems say everything that was found in
// all rules, in the rules' order. Whether the queues that it names exist is not known here: see
// [Policy.Queues].
func Compile(rules []Rule, options Options) (*Policy, []Problem) {
	if options.RuleCost == 0 {
		options.RuleCost = DefaultRuleCost
	}
	if options.PolicyCost == 0 {
		options.PolicyCost = DefaultPolicyCost
	}
	env, err := environment()
	if err != nil {
		return nil, []Problem{{Index: -1, Field: "rules", Message: err.Error(), Remedy: "this is a fault of Deskfleet; please report it"}}
	}
	var problems []Problem
	if len(rules) > MaxRules {
		problems = append(problems, Problem{
			Index: -1, Field: "rules", Message: fmt.Sprintf("there are %d rules, %d are allowed", len(rules), MaxRules),
			Remedy: "merge rules that do the same",
		})
		rules = rules[:MaxRules]
	}
	policy := &Policy{language: options.Language, rules: make([]compiledRule, 0, len(rules))}
	policy.activations.New = func() any { return newActivation() }
	for i := range rules {
		compiled, found := compileRule(env, rules[:i], i, &rules[i], options.RuleCost, options.RuleCost)
		problems = append(problems, found...)
		policy.rules = append(policy.rules, compiled)
	}
	if len(problems) == 0 {
		problems = policy.costProblems(options.PolicyCost)
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return policy, nil
}

// compileRule compiles one rule. The two cost limits differ in tests only, which is how they show
// that the one at run time works although the estimate comes first.
func compileRule(env *cel.Env, before []Rule, index int, rule *Rule, estimate, run uint64) (compiledRule, []Problem) {
	name := rule.Name
	problems := nameProblems(before, name)
	if !isDNSLabel(name) {
		name = fmt.Sprintf("rules[%d]", index)
	}
	program, cost, found := compileCondition(env, rule.When, estimate, run)
	problems = append(problems, found...)
	problems = append(problems, actionProblems(&rule.Then)...)
	problems = problems[:min(len(problems), maxProblemsPerRule)]
	for i := range problems {
		problems[i].Rule, problems[i].Index = name, index
	}
	then := copyActions(rule.Then)
	return compiledRule{name: name, program: program, then: then, reason: describe(name, &then), cost: cost}, problems
}

func nameProblems(before []Rule, name string) []Problem {
	if !isDNSLabel(name) {
		return []Problem{{Field: "name", Message: quote(name) + " is no name of a rule", Remedy: dnsLabelRemedy}}
	}
	if slices.ContainsFunc(before, func(r Rule) bool { return r.Name == name }) {
		return []Problem{{Field: "name", Message: "an earlier rule has the same name", Remedy: "choose another one"}}
	}
	return nil
}

// compileCondition compiles a rule's condition and gives the most it can cost.
func compileCondition(env *cel.Env, when string, estimate, run uint64) (
	program cel.Program, cost uint64, problems []Problem,
) {
	// The parser below is generated code fed with what strangers write. Whatever it might do, the
	// other rules, policies and desks of the process go on.
	defer func() {
		if r := recover(); r != nil {
			program = nil
			problems = []Problem{{
				Field: "when", Message: fmt.Sprintf("the condition cannot be read: %s", clip(fmt.Sprint(r))),
				Remedy: "write it more simply",
			}}
		}
	}()
	if length := utf8.RuneCountInString(when); length > MaxWhenLength {
		return nil, 0, []Problem{{
			Field: "when", Message: fmt.Sprintf("the condition has %d characters, %d are allowed", length, MaxWhenLength),
			Remedy: "split the rule into several",
		}}
	}
	if !utf8.ValidString(when) {
		return nil, 0, []Problem{{Field: "when", Message: "the condition is not UTF-8", Remedy: "save the file as UTF-8"}}
	}
	tokens, problems := scan(when)
	if len(problems) > 0 {
		return nil, 0, problems
	}
	checked, problems := checkCondition(env, when, tokens)
	if len(problems) > 0 {
		return nil, 0, problems
	}
	return planCondition(env, checked, tokens[0].position, estimate, run)
}

// checkCondition parses and type-checks a condition.
func checkCondition(env *cel.Env, when string, tokens []token) (*cel.Ast, []Problem) {
	parsed, issues := env.Parse(when)
	if issues.Err() != nil {
		c := &condition{tokens: tokens}
		return nil, []Problem{c.syntaxProblem(issues.Errors()[0])}
	}
	c := newCondition(tokens, parsed)
	problems := c.shapeProblems()
	checked, issues := env.Check(parsed)
	if issues.Err() != nil {
		problems = append(problems, c.typeProblems(issues.Errors(), problems)...)
	}
	if len(problems) == 0 {
		problems = c.literalProblems()
	}
	if len(problems) == 0 && !checked.OutputType().IsExactType(cel.BoolType) {
		problems = append(problems, c.start().problem("compare it with something",
			"a condition must give true or false, this gives %s", kindName(cel.FormatCELType(checked.OutputType()))))
	}
	slices.SortStableFunc(problems, func(a, b Problem) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	return checked, problems
}

// planCondition makes the program of a checked condition, unless it could cost too much.
func planCondition(env *cel.Env, checked *cel.Ast, start position, estimate, run uint64) (cel.Program, uint64, []Problem) {
	cost, err := env.EstimateCost(checked, worstCase{})
	if err != nil {
		return nil, 0, []Problem{start.problem("write it more simply", "the cost cannot be estimated: %v", err)}
	}
	if cost.Max > estimate {
		return nil, 0, []Problem{start.problem("use fewer words, patterns and loops, or split the rule into several",
			"the condition could take %s on a message of %d characters, %d are allowed", costWords(cost.Max), MaxTextLength, estimate)}
	}
	options := []cel.ProgramOption{cel.EvalOptions(cel.OptOptimize), cel.CustomDecoratorV2(planWords)}
	// Counting the cost while a rule runs doubles its time and allocates. Without a loop each step
	// of a condition runs at most once, so the estimate already is the bound.
	if hasLoop(checked) {
		options = append(options, cel.CostLimit(run))
	}
	program, err := env.Program(checked, options...)
	if err != nil {
		return nil, 0, []Problem{start.problem("write it more simply", "the condition cannot be planned: %v", err)}
	}
	return program, cost.Max, nil
}

func costWords(cost uint64) string {
	if cost > 1<<53 {
		return "an unlimited number of steps"
	}
	return fmt.Sprintf("%d steps", cost)
}

// costProblems refuses a policy whose rules are cheap one by one and dear together.
func (p *Policy) costProblems(limit uint64) []Problem {
	var total, dearest uint64
	name := ""
	for i := range p.rules {
		total += p.rules[i].cost
		if p.rules[i].cost > dearest {
			dearest, name = p.rules[i].cost, p.rules[i].name
		}
	}
	if total <= limit {
		return nil
	}
	return []Problem{{
		Index: -1, Field: "rules",
		Message: fmt.Sprintf("all rules together could take %d steps on a message of %d characters, %d are allowed",
			total, MaxTextLength, limit),
		Remedy: fmt.Sprintf("use fewer words, patterns and loops; rule %s takes most, %d", name, dearest),
	}}
}

// Queues gives the queues that the policy names, in alphabetical order. Hand-offs to the desk's
// default queue name none.
func (p *Policy) Queues() []QueueReference {
	byName := map[string][]string{}
	for i := range p.rules {
		if h := p.rules[i].then.HandOff; h != nil && h.Queue != "" {
			byName[h.Queue] = append(byName[h.Queue], p.rules[i].name)
		}
	}
	queues := make([]QueueReference, 0, len(byName))
	for queue, rules := range byName {
		queues = append(queues, QueueReference{Queue: queue, Rules: rules})
	}
	slices.SortFunc(queues, func(a, b QueueReference) int { return strings.Compare(a.Queue, b.Queue) })
	return queues
}

// copyActions keeps a policy from changing when its rules are changed after Compile, and a decision
// from changing the policy.
func copyActions(a Actions) Actions {
	if a.HandOff != nil {
		handOff := *a.HandOff
		a.HandOff = &handOff
	}
	if a.Priority != nil {
		priority := *a.Priority
		a.Priority = &priority
	}
	a.Say = slices.Clone(a.Say)
	return a
}

// ErrTextTooLong is part of the error of [Policy.Evaluate] when a message is longer than
// [MaxTextLength].
var ErrTextTooLong = errors.New("message is longer than rules look at")
