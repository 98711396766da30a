package knowledge

import (
	"strings"
	"unicode/utf8"
)

// stopWords lists English function words and the politeness that customers wrap a question in. They are kept, at a low weight: in a small
// base the document frequency alone cannot tell that "how do i" says nothing, and "to" or "from" still breaks a tie.
var stopWords = wordSet(`a an the and or but if of to in on at by for with from as is are was were be been being am do does did doing done
have has had having i you he she it we they me my mine your yours his her hers its our ours their theirs them us this that these those there
here what which who whom whose when where why how can could shall should will would may might must not no nor so too very just also than then
please pls hi hello hey thanks thank ok okay im ive id ill youre dont doesnt didnt isnt arent wasnt cant couldnt wont wouldnt whats hows
tell want need like know get got let any some about into out up`)

// stopHan lists Han runes that mark grammar, question or politeness. See stopWords.
var stopHans = runeSet("的了吗呢啊吧呀哦哈嘛么是我你您他她它们在有和与或及就都也还又很太请问怎样什哪谁几多少这那个之其能会可以要想把被让给对为从到于着过")

func stopHan(piece []byte) bool {
	r, _ := utf8.DecodeRune(piece)
	return stopHans[r]
}

func wordSet(words string) map[string]bool {
	set := map[string]bool{}
	for w := range strings.FieldsSeq(words) {
		set[w] = true
	}
	return set
}

func runeSet(runes string) map[rune]bool {
	set := map[rune]bool{}
	for _, r := range runes {
		set[r] = true
	}
	return set
}
