package escalation

import (
	"slices"
	"strings"
	"unicode"
)

// maxNesting is how deep brackets may nest in a condition.
const maxNesting = 24

// token is a name, a number, a literal with its quotes, an operator or a bracket.
type token struct {
	text string
	position
}

// scanner reads a condition character by character before the CEL parser does. It exists for the
// author: the mistakes of people who are no programmers (Chinese punctuation, curly quotes, and,
// or, a single =, a quote or bracket left open) come out of the parser as riddles about tokens, and
// the depth of nesting comes out without a place.
type scanner struct {
	source   []rune
	offset   int
	pos      position
	tokens   []token
	open     []token
	problems []Problem
}

// scan splits a condition into tokens. With problems, the tokens are not complete.
func scan(source string) ([]token, []Problem) {
	s := &scanner{source: []rune(source), pos: position{1, 1}}
	for s.offset < len(s.source) && s.step() {
		if len(s.problems) >= maxProblemsPerRule {
			return nil, s.problems
		}
	}
	if len(s.problems) == 0 && len(s.open) > 0 {
		last := s.open[len(s.open)-1]
		s.problem(last.position, "close it with "+closing[last.text], "the %s here is never closed", last.text)
	}
	if len(s.problems) == 0 && len(s.tokens) == 0 {
		s.problem(position{1, 1}, "write a condition, or true for a rule that always applies", "the condition is empty")
	}
	return s.tokens, s.problems
}

func (s *scanner) problem(at position, remedy, format string, args ...any) {
	s.problems = append(s.problems, at.problem(remedy, format, args...))
}

func (s *scanner) peek(ahead int) rune {
	if i := s.offset + ahead; i < len(s.source) {
		return s.source[i]
	}
	return 0
}

// advance moves on by n characters and gives what was passed.
func (s *scanner) advance(n int) string {
	n = min(n, len(s.source)-s.offset)
	passed := s.source[s.offset : s.offset+n]
	for _, r := range passed {
		s.pos.column++
		if r == '\n' {
			s.pos = position{s.pos.line + 1, 1}
		}
	}
	s.offset += n
	return string(passed)
}

// run gives the number of characters from here on for which ok holds.
func (s *scanner) run(ok func(rune) bool) int {
	n := 0
	for s.offset+n < len(s.source) && ok(s.source[s.offset+n]) {
		n++
	}
	return n
}

func (s *scanner) add(at position, text string) {
	s.tokens = append(s.tokens, token{text: text, position: at})
}

// step reads one token. It reports false when what follows can no longer be told apart.
func (s *scanner) step() bool {
	at := s.pos
	switch r := s.peek(0); {
	case strings.ContainsRune(" \t\r\n\f", r):
		s.advance(1)
	case s.starts("//"):
		s.advance(s.run(func(r rune) bool { return r != '\n' }))
	case isQuote(r):
		return s.text(at, false)
	case isNameStart(r):
		return s.nameOrText(at)
	case isDigit(r), r == '.' && isDigit(s.peek(1)):
		n := s.runAfter(1, func(r rune) bool { return isDigit(r) || isNameStart(r) || r == '.' })
		s.add(at, s.advance(1+n))
	case r < unicode.MaxASCII:
		return s.symbol(at)
	default:
		s.foreign(at)
	}
	return true
}

func (s *scanner) starts(prefix string) bool {
	for i, r := range []rune(prefix) {
		if s.peek(i) != r {
			return false
		}
	}
	return true
}

func (s *scanner) runAfter(skip int, ok func(rune) bool) int {
	ahead := *s
	ahead.offset += skip
	return ahead.run(ok)
}

func isNameStart(r rune) bool {
	return r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}

func isQuote(r rune) bool { return r == '"' || r == '\'' }

func isDigit(r rune) bool { return '0' <= r && r <= '9' }

// isTextPrefix reports whether a name directly before a quote marks a raw or a bytes literal.
func isTextPrefix(name string) bool {
	switch strings.ToLower(name) {
	case "r", "b", "rb", "br":
		return true
	}
	return false
}

// text reads a literal that begins at the current quote.
func (s *scanner) text(at position, raw bool) bool {
	start := s.offset
	quoteMark := string(s.peek(0))
	if s.peek(1) == s.peek(0) && s.peek(2) == s.peek(0) {
		quoteMark = strings.Repeat(quoteMark, 3)
	}
	s.advance(len(quoteMark))
	for s.offset < len(s.source) {
		switch {
		case s.peek(0) == '\\' && !raw:
			s.advance(2)
			continue
		case s.peek(0) == '\n' && len(quoteMark) == 1:
			s.problem(at, "close it with "+quoteMark+" on the same line", "the text that begins here is not closed")
			return false
		case s.starts(quoteMark):
			s.advance(len(quoteMark))
			s.add(at, string(s.source[start:s.offset]))
			return true
		}
		s.advance(1)
	}
	s.problem(at, "close it with "+quoteMark, "the text that begins here is not closed")
	return false
}

// spelledOperators are operators of other languages that people write as words.
var spelledOperators = map[string]string{"and": "&&", "or": "||", "not": "!"}

// nameOrText reads a name, or a literal with a prefix such as r"…".
func (s *scanner) nameOrText(at position) bool {
	name := s.advance(s.run(func(r rune) bool { return isNameStart(r) || isDigit(r) }))
	if isQuote(s.peek(0)) && isTextPrefix(name) {
		return s.text(at, strings.ContainsAny(name, "rR"))
	}
	afterDot := len(s.tokens) > 0 && s.tokens[len(s.tokens)-1].text == "."
	if operator, ok := spelledOperators[strings.ToLower(name)]; ok && !afterDot {
		s.problem(at, "write "+operator, "%s is no word of this language", quote(name))
	}
	s.add(at, name)
	return true
}

var (
	closing       = map[string]string{"(": ")", "[": "]"}
	longSymbols   = []string{"==", "!=", "<=", ">=", "&&", "||"}
	almostSymbols = []struct{ written, meant string }{{"<>", "!="}, {"=", "=="}, {"&", "&&"}, {"|", "||"}}
	plainSymbols  = ".,:?+-*/%<>!()[]"
)

// symbol reads an operator or a bracket.
func (s *scanner) symbol(at position) bool {
	two := string([]rune{s.peek(0), s.peek(1)})
	if slices.Contains(longSymbols, two) {
		s.add(at, s.advance(2))
		return true
	}
	for _, almost := range almostSymbols {
		if strings.HasPrefix(two, almost.written) {
			s.advance(len(almost.written))
			s.problem(at, "write "+almost.meant, "%s is no operator of this language", quote(almost.written))
			return true
		}
	}
	one := s.advance(1)
	if one == "{" || one == "}" {
		s.problem(at, "use facts, text, numbers and lists only", "%s cannot be used in a rule", one)
		return true
	}
	if !strings.Contains(plainSymbols, one) {
		s.problem(at, "remove it, or put it in quotes if it belongs to a text", "the character %s means nothing here", quote(one))
		return true
	}
	s.add(at, one)
	return s.bracket(token{text: one, position: at})
}

// bracket keeps track of open brackets. It reports false when the rest cannot be matched.
func (s *scanner) bracket(t token) bool {
	if _, opens := closing[t.text]; opens {
		s.open = append(s.open, t)
		if len(s.open) > maxNesting {
			s.problem(t.position, "split the rule into several", "brackets are nested more than %d deep", maxNesting)
			return false
		}
		return true
	}
	if !strings.Contains(")]", t.text) {
		return true
	}
	if len(s.open) == 0 {
		s.problem(t.position, "remove it", "there is no open bracket that %s could close", t.text)
		return false
	}
	last := s.open[len(s.open)-1]
	if closing[last.text] != t.text {
		s.problem(t.position, "write "+closing[last.text], "%s cannot close the %s of line %d, column %d",
			t.text, last.text, last.line, last.column)
		return false
	}
	s.open = s.open[:len(s.open)-1]
	return true
}

// lookAlikes are characters of a Chinese keyboard or a word processor, with what is meant.
var lookAlikes = map[rune]string{
	'（': "(", '）': ")", '【': "[", '】': "]", '［': "[", '］': "]",
	'，': ",", '、': ",", '。': ".", '．': ".", '：': ":", '？': "?", '！': "!",
	'＝': "==", '＞': ">", '＜': "<", '≥': ">=", '≤': "<=", '≠': "!=", '≧': ">=", '≦': "<=",
	'＆': "&&", '｜': "||", '＋': "+", '－': "-", '–': "-", '—': "-", '＊': "*", '×': "*", '／': "/", '÷': "/", '％': "%",
	'＂': `"`, '＇': `'`,
}

// curlyQuotes gives the closing quote for each opening one.
var curlyQuotes = map[rune]rune{'“': '”', '”': '”', '„': '“', '‘': '’', '’': '’', '「': '」', '『': '』', '«': '»'}

// foreign reports characters outside ASCII that stand outside quotes.
func (s *scanner) foreign(at position) {
	r := s.peek(0)
	if end, ok := curlyQuotes[r]; ok {
		n := s.runAfter(1, func(r rune) bool { return r != end && r != '\n' })
		s.advance(n + 2)
		s.problem(at, `write the straight quote "`, "%s is no quote of this language", quote(string(r)))
		return
	}
	if meant, ok := lookAlikes[r]; ok {
		s.advance(1)
		s.problem(at, "write "+meant, "the character %s means nothing outside quotes", quote(string(r)))
		return
	}
	if unicode.IsLetter(r) {
		text := s.advance(s.run(func(r rune) bool { return r > unicode.MaxASCII && unicode.IsLetter(r) }))
		s.problem(at, `put text in quotes: "`+clip(text)+`"`, "%s stands outside quotes", quote(text))
		return
	}
	s.advance(1)
	if unicode.IsSpace(r) || !unicode.IsPrint(r) {
		s.problem(at, "replace it by a plain space", "there is an invisible character here (%U)", r)
		return
	}
	s.problem(at, "remove it, or put it in quotes if it belongs to a text", "the character %s means nothing here", quote(string(r)))
}
