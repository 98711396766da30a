package escalation

import (
	"fmt"
	"regexp/syntax"
	"slices"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// The parser's own limits are a second net behind scan and check, which refuse the same things
// earlier and say where.
const (
	parserRecursionLimit = 64
	parserRecoveryLimit  = 8
	expressionNodeLimit  = 2048
)

// groupTypes gives the CEL type of each group of facts. Their names are no identifiers of the
// language, so that a rule cannot name the type.
var groupTypes = func() map[string]*cel.Type {
	groups := map[string]*cel.Type{}
	for _, g := range factGroups() {
		groups[g] = cel.ObjectType("@" + g)
	}
	return groups
}()

// environment is the language of rules. It is the same for every policy and costly to build, and
// does not change once built.
var environment = sync.OnceValues(func() (*cel.Env, error) {
	options := []cel.EnvOption{ //nolint:prealloc // built once; a literal reads better
		cel.CustomTypeProvider(newFactProvider()),
		cel.StdLib(cel.StdLibSubset(librarySubset())),
		matchesAnyFunction(),
		matchesAnyCost(),
		cel.HomogeneousAggregateLiterals(),
		cel.ParserRecursionLimit(parserRecursionLimit),
		cel.ParserErrorRecoveryLimit(parserRecoveryLimit),
		cel.ParserExpressionSizeLimit(MaxWhenLength),
		cel.ExpressionNodeLimit(expressionNodeLimit),
		cel.EagerlyValidateDeclarations(true),
	}
	for _, group := range factGroups() {
		options = append(options, cel.Variable(group, groupTypes[group]))
	}
	env, err := cel.NewCustomEnv(options...)
	if err != nil {
		return nil, fmt.Errorf("language of escalation rules: %w", err)
	}
	return env, nil
})

// factProvider tells the type checker and the planner which facts each group has, and reads them
// from an [activation] without reflection.
type factProvider struct {
	fields map[string]map[string]*types.FieldType // by type, then by field
	groups map[string]*types.Type                 // by type
}

func newFactProvider() *factProvider {
	p := &factProvider{fields: map[string]map[string]*types.FieldType{}, groups: map[string]*types.Type{}}
	for _, t := range groupTypes {
		p.groups[t.TypeName()] = types.NewTypeTypeWithParam(t)
		p.fields[t.TypeName()] = map[string]*types.FieldType{}
	}
	for i := range facts {
		p.fields[groupTypes[facts[i].group].TypeName()][facts[i].field] = &types.FieldType{
			Type:  facts[i].celType,
			IsSet: func(any) bool { return true },
			GetFrom: func(target any) (any, error) {
				a, ok := target.(*activation)
				if !ok {
					return nil, fmt.Errorf("%s read from %T", facts[i].Name, target)
				}
				return a.value(i), nil
			},
		}
	}
	return p
}

// EnumValue implements [types.Provider]; there are none.
func (p *factProvider) EnumValue(name string) ref.Val { return types.NewErr("unknown enum %q", name) }

// FindIdent implements [types.Provider]; types are no values in rules.
func (p *factProvider) FindIdent(string) (ref.Val, bool) { return nil, false }

// FindStructType implements [types.Provider].
func (p *factProvider) FindStructType(name string) (*types.Type, bool) {
	t, ok := p.groups[name]
	return t, ok
}

// FindStructFieldNames implements [types.Provider].
func (p *factProvider) FindStructFieldNames(name string) ([]string, bool) {
	fields, ok := p.fields[name]
	names := make([]string, 0, len(fields))
	for field := range fields {
		names = append(names, field)
	}
	slices.Sort(names)
	return names, ok
}

// FindStructFieldType implements [types.Provider].
func (p *factProvider) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	t, ok := p.fields[name][field]
	return t, ok
}

// NewValue implements [types.Provider]; rules cannot make groups of facts.
func (p *factProvider) NewValue(name string, _ map[string]ref.Val) ref.Val {
	return types.NewErr("%q cannot be made", name)
}

// worstCase supplies the sizes that the cost estimate of a rule assumes: those of the longest
// message.
type worstCase struct{}

// EstimateSize implements [cost.Estimator].
func (worstCase) EstimateSize(node cost.AstNode) *cost.SizeEstimate {
	path := node.Path()
	if len(path) != 2 {
		return nil
	}
	if i, ok := factIndex(path[0] + "." + path[1]); ok && facts[i].maxSize > 0 {
		size := cost.RangedSizeEstimate(0, facts[i].maxSize)
		return &size
	}
	return nil
}

// EstimateCallCost implements [cost.Estimator]. CEL's model prices a regular expression by its
// length; (a|b){60} is short and slow, so here the compiled program counts where it is longer.
func (worstCase) EstimateCallCost(function, _ string, target *cost.AstNode, args []cost.AstNode) *cost.CallEstimate {
	if target != nil {
		args = append([]cost.AstNode{*target}, args...)
	}
	if function != overloads.Matches || len(args) != 2 {
		return nil
	}
	pattern, ok := stringLiteral(args[1].Expr())
	if !ok {
		return nil
	}
	program, err := regexProgram(pattern)
	if err != nil {
		return nil
	}
	size := cost.UnknownSizeEstimate()
	if known := (worstCase{}).EstimateSize(args[0]); known != nil {
		size = *known
	} else if known := args[0].ComputedSize(); known != nil {
		size = *known
	}
	passes := size.Add(cost.FixedSizeEstimate(1)).MultiplyByCostFactor(cost.StringTraversalCostFactor)
	steps := max(len(program.Inst), 1+len(pattern)/4)
	return &cost.CallEstimate{CostEstimate: passes.Multiply(cost.FixedCostEstimate(uint64(steps)))}
}

// regexProgram compiles a regular expression as far as is needed to know its size.
func regexProgram(pattern string) (*syntax.Prog, error) {
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil, err
	}
	return syntax.Compile(parsed.Simplify())
}

// stringLiteral gives the text of a text literal.
func stringLiteral(e ast.Expr) (string, bool) {
	if e.Kind() != ast.LiteralKind {
		return "", false
	}
	s, ok := e.AsLiteral().(types.String)
	return string(s), ok
}
