package knowledge

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// AsksForPerson reports whether a customer's message asks to be handed to a human, in Chinese or English. A message that declines one ("不用转
// 人工", "I don't need a human") does not; one that complains of not getting one does. It errs on the side of true for short messages that name
// nothing but a person: a needless hand-off costs a minute, a refused one the customer.
func AsksForPerson(text string) bool {
	normal := string(appendNormal(nil, text))
	for clause := range strings.FieldsFuncSeq(normal, clauseMark) {
		if hanAsksForPerson(clause) || latinAsksForPerson(clause) {
			return true
		}
	}
	return false
}

// clauseMark reports whether r separates clauses: a negation does not reach over it.
func clauseMark(r rune) bool {
	return r == '\n' || r == '~' || r == '…' || sentenceMark(r)
}

// Chinese cues. The first list asks for a person wherever it stands, the second only behind a verb that asks, the third
// only where it is the whole clause.
var (
	hanCues = []string{
		"转人工", "转接人工", "转到人工", "转真人", "转客服", "转接客服", "接人工", "接真人", "接客服", "找人工", "找真人", "找客服", "叫客服", "叫人工",
		"人工客服", "人工服务", "人工坐席", "人工座席", "人工专员", "人工帮", "人工处理", "人工接", "人工回复", "人工解答", "人工来",
		"真人客服", "真人服务", "真人来", "真人聊", "真人说", "真人回", "活人", "找个人", "找人来", "换个人", "换人来", "派个人", "来个人", "叫个人",
		"有人吗", "有没有人", "跟人说", "和人说", "跟人聊", "和人聊", "跟人讲", "和人讲", "找你们经理", "找经理", "叫经理", "叫你们经理", "找主管", "叫主管",
		"找你们主管", "找负责人", "找你们负责人", "找你们领导", "不要机器人", "不想跟机器人", "不想和机器人", "不跟机器人", "不和机器人", "别用机器人",
		"不要和机器人", "不要跟机器人", "让人来", "叫个活的", "找你们老板", "找老板", "客服在吗", "客服在不在", "呼叫客服", "联系客服", "联系人工", "客服电话", "电话客服",
	}
	hanNouns   = []string{"人工", "真人", "客服", "活人", "专员", "坐席", "座席"}
	hanAlone   = []string{"人呢", "我要找人", "找人", "要找人", "人在吗", "来人", "来人啊"}
	hanAskers  = []string{"要", "想", "请", "找", "转", "接", "叫", "给", "帮", "求", "换", "联系", "呼叫", "需要", "麻烦", "切"}
	hanNegates = []string{"不用", "不要", "不需要", "不必", "不想", "无需", "无须", "没必要", "别", "勿", "先不", "暂时不", "不是要", "不是想", "没说", "没有要", "没要", "没让", "用不着", "不转", "不找", "不叫"}

	// hanFalse are words that hold a cue and mean something else, or ask about the service rather than for it.
	hanFalse = []string{
		"人工智能", "人工费", "人工成本", "人工湖", "人工草", "人工授精", "人工呼吸", "人工合成", "人工养殖", "人工皮", "人工岛", "人工降雨", "人工林", "人工钻石",
		"人工翻译", "人工审", "人工检", "人工质检", "人工打包", "个人气", "个人信息", "个人中心", "个人资料", "个人账", "个人主页", "人工耳蜗", "纯人工", "人工制", "人工色素", "人工香精", "真人秀", "真人版", "真人cs", "真人模特", "真人试穿", "真人图", "有人吗丁啉",
		"客服态度", "客服说", "客服告诉", "客服让", "客服已经", "客服回复我", "客服答应", "有人吗的",
	}
	// hanKeeps turn a negation into a complaint or a question: the customer wants what is negated.
	hanKeeps = []string{"为什么不", "为啥不", "怎么不", "怎么还不", "凭什么不", "能不能", "可不可以", "是不是不能", "不能转", "不给转", "不让转", "一直不", "再不", "还不", "不转人工我", "不转人工就", "难道不"}
)

// hanAsksForPerson decides one clause by its Chinese part.
func hanAsksForPerson(clause string) bool {
	clause = strings.Join(strings.Fields(clause), "")
	if slices.Contains(hanAlone, clause) {
		return true
	}
	for _, f := range hanFalse {
		clause = strings.ReplaceAll(clause, f, "。")
	}
	at := hanCueAt(clause)
	if at < 0 {
		return false
	}
	if strings.HasPrefix(clause[at:], "不") || strings.HasPrefix(clause[at:], "别用") { // the cue is itself a refusal of the robot
		return true
	}
	if hanServiceQuestion(clause) || strings.HasPrefix(clause, "你是") || strings.HasPrefix(clause, "您是") || strings.HasPrefix(clause, "是真人") || strings.HasPrefix(clause, "是人工") {
		return false
	}
	if containsAny(clause, hanKeeps) {
		return true
	}
	return !hanNegated(clause, at)
}

// hanCueAt returns where a cue begins, or -1.
func hanCueAt(clause string) int {
	at := -1
	for _, cue := range hanCues {
		if i := strings.Index(clause, cue); i >= 0 && (at < 0 || i < at) {
			at = i
		}
	}
	if at >= 0 {
		return at
	}
	for _, noun := range hanNouns {
		i := strings.Index(clause, noun)
		if i < 0 {
			continue
		}
		if containsAny(clause[:i], hanAskers) || hanBare(clause, noun) {
			return i
		}
	}
	return -1
}

// hanBare reports whether the clause is the noun and politeness only.
func hanBare(clause, noun string) bool {
	rest := strings.ReplaceAll(clause, noun, "")
	rest = strings.Map(func(r rune) rune {
		if strings.ContainsRune("请麻烦谢谢你您好啊吧呢呀吗嘛的了在线快点我们要一下", r) || !unicode.IsLetter(r) {
			return -1
		}
		return r
	}, rest)
	return rest == "" || slices.Contains(hanNouns, rest)
}

// hanNegated reports whether a negation before or right behind the cue governs it.
func hanNegated(clause string, at int) bool {
	const reach = 8 * 3 // eight Han runes before the cue, in bytes
	before := clause[max(0, at-reach):at]
	if last, _ := utf8.DecodeLastRuneInString(before); strings.ContainsRune("不别没勿", last) {
		return true
	}
	for _, n := range hanNegates {
		if i := strings.LastIndex(before, n); i >= 0 && !containsAny(before[i:], []string{"机器", "智能", "bot"}) {
			return true
		}
	}
	return containsAny(clause[at:], []string{"不用了", "就不用", "就不必", "就算了", "不需要", "没必要", "不用转", "先不用"}) || strings.HasPrefix(clause[at:], "转人工就不")
}

// hanServiceQuestion reports whether the clause asks about the human service (its hours) and not for it.
func hanServiceQuestion(clause string) bool {
	return containsAny(clause, []string{"上班", "几点", "工作时间", "服务时间", "营业时间", "什么时候下班", "收费吗", "多少人工"})
}

func containsAny(s string, parts []string) bool {
	return slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(s, p) })
}
