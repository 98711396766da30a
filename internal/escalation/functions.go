package escalation

import (
	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/env"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/interpreter"
)

// Function documents one function or operator as rules use it.
type Function struct {
	// Name is the function's name or the operator.
	Name string
	// Use is a condition that uses it.
	Use string
	// Doc says what it gives.
	Doc string
}

const (
	matchesAny       = "matchesAny"
	matchesAnyMember = "string_matches_any_list"
	matchesAnyGlobal = "matches_any_string_list"
)

// function is a row of the table of functions. The overloads are those of CEL's standard library
// that a rule may use; everything else (building text and lists, conversions, bytes, time) is not
// declared, so that no rule can grow a value.
type function struct {
	Function
	celName   string
	overloads []string // empty: all of them
}

var functions = []function{
	{Function: Function{"&&", `message.asksForPerson && conversation.turns > 1`, "true when both are true"}, celName: operators.LogicalAnd},
	{Function: Function{"||", `message.asksForPerson || conversation.misses >= 2`, "true when at least one is true"}, celName: operators.LogicalOr},
	{Function: Function{"!", `!message.asksForPerson`, "true when it is false"}, celName: operators.LogicalNot},
	{Function: Function{"==", `message.language == "zh"`, "true when both are the same"}, celName: operators.Equals},
	{Function: Function{"!=", `conversation.channel != "web"`, "true when they differ"}, celName: operators.NotEquals},
	{Function: Function{"<", `conversation.turns < 3`, "less; for numbers, durations and text"}, celName: operators.Less},
	{Function: Function{"<=", `conversation.turns <= 3`, "less or equal"}, celName: operators.LessEquals},
	{Function: Function{">", `conversation.waited > duration("30s")`, "greater"}, celName: operators.Greater},
	{Function: Function{">=", `conversation.misses >= 2`, "greater or equal"}, celName: operators.GreaterEquals},
	{Function: Function{"in", `conversation.channel in ["web", "app"]`, "true when it is one of the list"}, celName: operators.In},
	{Function: Function{"? :", `conversation.misses > (message.language == "zh" ? 2 : 3)`, "the first when the condition is true, otherwise the second"}, celName: operators.Conditional},
	{
		Function: Function{"+", `conversation.misses + 1 < conversation.turns`, "sum of numbers or durations"}, celName: operators.Add,
		overloads: []string{overloads.AddInt64, overloads.AddDouble, overloads.AddDurationDuration},
	},
	{
		Function: Function{"-", `conversation.turns - conversation.misses < 2`, "difference of numbers or durations"}, celName: operators.Subtract,
		overloads: []string{overloads.SubtractInt64, overloads.SubtractDouble, overloads.SubtractDurationDuration},
	},
	{
		Function: Function{"*", `conversation.misses * 2 > conversation.turns`, "product of numbers"}, celName: operators.Multiply,
		overloads: []string{overloads.MultiplyInt64, overloads.MultiplyDouble},
	},
	{
		Function: Function{"/", `conversation.turns / 2 < conversation.misses`, "quotient of numbers; whole numbers give a whole number"}, celName: operators.Divide,
		overloads: []string{overloads.DivideInt64, overloads.DivideDouble},
	},
	{
		Function: Function{"%", `conversation.turns % 5 == 0`, "remainder of whole numbers"}, celName: operators.Modulo,
		overloads: []string{overloads.ModuloInt64},
	},
	{Function: Function{"-", `conversation.misses > -1`, "negative number"}, celName: operators.Negate},
	{
		Function: Function{"[ ]", `["web", "app"][0] == conversation.channel`, "one entry of a list, counted from 0"}, celName: operators.Index,
		overloads: []string{overloads.IndexList},
	},
	{Function: Function{
		matchesAny, `message.text.matchesAny(["退款", "refund*"])`,
		"true when the text has at least one of the words or phrases. Upper and lower case, full-width forms and " +
			"invisible characters make no difference. A word of a script with spaces between words must be a whole " +
			"word, and with * at its end it stands for every ending; Chinese is found anywhere",
	}},
	{
		Function: Function{"contains", `message.text.contains("NO-REPLY")`, "true when the text has exactly these characters"},
		celName:  overloads.Contains,
	},
	{
		Function: Function{"startsWith", `message.text.startsWith("/agent")`, "true when the text begins with them"},
		celName:  overloads.StartsWith,
	},
	{
		Function: Function{"endsWith", `message.text.endsWith("!!!")`, "true when the text ends with them"},
		celName:  overloads.EndsWith,
	},
	{
		Function: Function{
			"matches", `message.text.matches("(?i)order *[0-9]+")`,
			"true when the regular expression (RE2) is found in the text",
		},
		celName: overloads.Matches,
	},
	{
		Function: Function{"size", `size(message.text) > 500`, "number of characters of a text, or of entries of a list"},
		celName:  overloads.Size,
		overloads: []string{
			overloads.SizeString, overloads.SizeStringInst, overloads.SizeList, overloads.SizeListInst,
		},
	},
	{
		Function: Function{"duration", `conversation.waited > duration("1m30s")`, "a length of time, in h, m, s and ms"},
		celName:  overloads.TypeConvertDuration, overloads: []string{overloads.StringToDuration},
	},
	{
		Function: Function{"double", `double(conversation.misses) / double(conversation.turns) > 0.5`, "a whole number as a number with decimals"},
		celName:  overloads.TypeConvertDouble, overloads: []string{overloads.IntToDouble},
	},
	{Function: Function{"exists", `["A1", "B2"].exists(code, message.text.contains(code))`, "true when it holds for one entry"}},
	{Function: Function{"all", `["A1", "B2"].all(code, message.text.contains(code))`, "true when it holds for each entry"}},
}

// macros are the functions of the table that CEL expands into a loop; they need no declaration.
var macros = []string{operators.All, operators.Exists}

// FunctionTable lists the functions and operators that rules may use, in the order in which they
// are documented.
func FunctionTable() []Function {
	table := make([]Function, len(functions))
	for i := range functions {
		table[i] = functions[i].Function
	}
	return table
}

// librarySubset is the part of CEL's standard library that the table of functions allows.
func librarySubset() *env.LibrarySubset {
	subset := env.NewLibrarySubset().AddIncludedMacros(macros...)
	// The loops of exists and all end early by this function; it cannot be written in a rule.
	subset.AddIncludedFunctions(env.NewFunction(operators.NotStrictlyFalse))
	for _, f := range functions {
		if f.celName == "" {
			continue
		}
		decl := env.NewFunction(f.celName)
		for _, id := range f.overloads {
			decl.Overloads = append(decl.Overloads, &env.Overload{ID: id})
		}
		subset.AddIncludedFunctions(decl)
	}
	return subset
}

// matchesAnyFunction declares matchesAny in both ways of writing it. It has no implementation here:
// [planWords] replaces each call, as its words are always known.
func matchesAnyFunction() cel.EnvOption {
	args := []*cel.Type{cel.StringType, cel.ListType(cel.StringType)}
	return cel.Function(matchesAny,
		cel.MemberOverload(matchesAnyMember, args, cel.BoolType),
		cel.Overload(matchesAnyGlobal, args, cel.BoolType))
}

// matchesAnyCost charges a pass over the text for folding and one for each word.
func matchesAnyCost() cel.EnvOption {
	charge := func(text, words cost.QuantityExpr) cost.OverloadModelOption {
		perPass := cost.Scale(cost.Sum(text, cost.Const(1)), cost.StringTraversalCostFactor)
		return cost.EvalCost(cost.Mul(perPass, cost.Sum(words, cost.Const(1))))
	}
	return cel.CostModel(
		cost.MemberOverload(matchesAnyMember, charge(cost.Target(), cost.Arg(0))),
		cost.Overload(matchesAnyGlobal, charge(cost.Arg(0), cost.Arg(1))))
}

func wordsOf(list ref.Val) ([]word, error) {
	lister, ok := list.(traits.Lister)
	if !ok {
		return nil, errNotWords
	}
	var words []word
	for it := lister.Iterator(); it.HasNext() == types.True; {
		s, ok := it.Next().(types.String)
		if !ok {
			return nil, errNotWords
		}
		w, err := newWord(string(s))
		if err != nil {
			return nil, err
		}
		words = append(words, w)
	}
	return words, nil
}

// wordsCall is a call of matchesAny whose words are prepared when the rule is compiled and whose
// text is folded once for all rules of a policy.
type wordsCall struct {
	interpreter.InterpretableCall
	text  interpreter.InterpretableV2
	list  ref.Val
	words []word
}

// planWords replaces the calls of matchesAny in a planned rule.
func planWords(node interpreter.InterpretableV2) (interpreter.InterpretableV2, error) {
	call, ok := node.(interpreter.InterpretableCall)
	if !ok || call.Function() != matchesAny || len(call.Args()) != 2 {
		return node, nil
	}
	list, ok := call.Args()[1].(interpreter.InterpretableConst)
	if !ok {
		return node, nil
	}
	words, err := wordsOf(list.Value())
	if err != nil {
		return nil, err
	}
	return &wordsCall{InterpretableCall: call, text: call.Args()[0], list: list.Value(), words: words}, nil
}

// Exec implements [interpreter.InterpretableV2].
func (c *wordsCall) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	val := c.text.Exec(frame)
	text, ok := val.(types.String)
	if !ok {
		return types.MaybeNoSuchOverloadErr(val)
	}
	self, _ := frame.ResolveName(selfName)
	facts, ok := self.(*activation)
	if !ok {
		return types.NewErr("matchesAny is called outside a policy")
	}
	result := types.Bool(anyIn(c.words, facts.fold(string(text))))
	if costs := frame.CostTracker(); costs != nil {
		costs.EvalBinary(frame, c.ID(), c, val, c.list, result)
	}
	return result
}

// Eval implements [interpreter.Interpretable].
func (c *wordsCall) Eval(vars interpreter.Activation) ref.Val {
	return interpreter.EvalActivation(vars, c.Exec)
}
