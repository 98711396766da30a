package dialogue

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// talkKind is a kind of small talk.
type talkKind int

const (
	// talkNothing needs no answer: "ok", "👍".
	talkNothing talkKind = iota
	talkHello
	talkThanks
	talkBye
	// talkNo declines what the bot offered, or its answer.
	talkNo
	// talkNoHelp says that the answer was no help.
	talkNoHelp
)

// smallTalkWords are what messages consist of that ask nothing, folded: small letters, no punctuation.
var smallTalkWords = func() map[string]talkKind {
	words := map[string]talkKind{}
	for kind, list := range map[talkKind][]string{
		talkHello: {
			"hi", "hello", "hey", "hi there", "hello there", "hey there", "good morning", "good afternoon", "good evening", "good day", "greetings",
			"hello anyone", "are you there", "anyone there",
			"你好", "您好", "你好啊", "您好啊", "你好呀", "哈喽", "哈罗", "嗨", "在吗", "在么", "在不在", "早", "早安", "早上好", "上午好", "中午好", "下午好", "晚上好", "晚安好", "亲", "亲在吗", "喂",
		},
		talkThanks: {
			"thanks", "thank you", "thank u", "thx", "ty", "many thanks", "thanks a lot", "thank you very much", "thank you so much", "thanks so much", "cheers",
			"that helps", "that helped", "that helped thanks", "perfect", "great thanks", "ok thanks", "okay thanks", "ok thank you", "got it thanks", "great thank you",
			"perfect thanks", "perfect thank you", "thanks for your help", "thank you for your help", "thats all", "that is all",
			"谢谢", "谢谢你", "谢谢您", "谢谢啦", "谢谢了", "多谢", "多谢了", "感谢", "非常感谢", "太感谢了", "谢了", "辛苦了", "好的谢谢", "好的谢谢你", "好的谢谢您", "好谢谢", "嗯谢谢",
			"没问题了", "没有问题了", "没有了", "没有了谢谢", "解决了", "已经解决了", "知道了谢谢", "明白了谢谢", "没事了",
		},
		talkBye: {
			"bye", "goodbye", "good bye", "bye bye", "see you", "see ya", "good night", "have a nice day", "have a good day",
			"再见", "拜拜", "拜", "下次见", "回见", "晚安",
		},
		talkNothing: {
			"ok", "okay", "k", "good", "great", "fine", "alright", "all right", "sure", "i see", "got it", "understood", "nice", "cool", "hm", "hmm", "yes", "yep", "yeah",
			"好", "好的", "好吧", "好滴", "行", "可以", "嗯", "嗯嗯", "哦", "噢", "喔", "哦哦", "知道了", "明白", "明白了", "了解", "了解了", "收到", "是的", "对", "对的", "ok的",
		},
		talkNo: {"no", "nope", "no thanks", "no thank you", "nothing else", "nothing", "不", "不用", "不用了", "不用了谢谢", "没", "没有", "不是"},
		talkNoHelp: {
			"that doesnt help", "that does not help", "this doesnt help", "this does not help", "that didnt help", "that did not help", "doesnt help", "didnt help",
			"not helpful", "that is not helpful", "thats not helpful", "this is not helpful", "unhelpful", "useless", "wrong answer", "thats wrong", "that is wrong",
			"thats not what i asked", "that is not what i asked", "not what i asked", "thats not what i mean", "thats not what i meant", "that is not what i meant",
			"that doesnt answer my question", "that does not answer my question", "you didnt answer my question", "you dont understand", "you do not understand",
			"you dont understand me", "that doesnt work", "it doesnt work", "that didnt work", "still doesnt work", "it still doesnt work", "i already tried that", "already tried that",
			"没用", "没有用", "没帮助", "没有帮助", "没什么用", "不管用", "还是不行", "还是没用", "还是不对", "不行", "不对", "不是这个", "不是这个意思", "我不是这个意思", "不是这个问题", "我问的不是这个",
			"我说的不是这个", "答非所问", "没解决", "没有解决", "还没解决", "问题没解决", "没回答我的问题", "你没听懂", "你没明白", "你不懂", "听不懂", "回答错了", "错了", "试过了", "已经试过了", "试过了不行", "试过了没用",
		},
	} {
		for _, w := range list {
			words[w] = kind
		}
	}
	return words
}()

// smallTalk sorts messages: the kind of the last small talk, and the messages that ask something. Behind an
// answer, "that doesn't work" is about the answer; anywhere else it is what the customer came with.
func smallTalk(open []Said, afterAnswer bool) (talkKind, []Said) {
	last := talkNothing
	var rest []Said
	for _, s := range open {
		kind, only := smallTalkOf(s.Text)
		if !only || kind == talkNoHelp && !afterAnswer {
			rest = append(rest, s)
			continue
		}
		if kind != talkNothing {
			last = kind
		}
	}
	if last == talkNo && afterAnswer {
		last = talkNoHelp
	}
	return last, rest
}

// smallTalkOf says whether a message is small talk only.
func smallTalkOf(message string) (talkKind, bool) {
	whole := foldTalk(message)
	if whole == "" {
		return talkNothing, true // signs and pictures
	}
	if kind, ok := smallTalkWords[whole]; ok {
		return kind, true
	}
	// "Hi! Thanks, bye." is made of several; one that is not small talk makes the message a question.
	last := talkNothing
	for part := range strings.FieldsFuncSeq(message, separatesTalk) {
		folded := foldTalk(part)
		if folded == "" {
			continue
		}
		kind, ok := smallTalkWords[folded]
		if !ok {
			return talkNothing, false
		}
		if kind != talkNothing {
			last = kind
		}
	}
	return last, true
}

func separatesTalk(r rune) bool {
	return strings.ContainsRune(",.!?;:~，。！？；：、…～\n", r)
}

// foldTalk keeps letters and digits in one form, with single spaces between words that have them.
func foldTalk(s string) string {
	var b strings.Builder
	space := false
	for _, r := range norm.NFKC.String(s) {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			if space && b.Len() > 0 && r < unicode.MaxLatin1 {
				b.WriteByte(' ')
			}
			space = false
			b.WriteRune(unicode.ToLower(r))
		case r == '\'' || r == '’':
			// don't and dont are one word
		default:
			space = true
		}
	}
	return b.String()
}
