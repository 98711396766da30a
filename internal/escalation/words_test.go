package escalation

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestWordIn(t *testing.T) {
	tests := []struct {
		word, text string
		want       bool
	}{
		{"refund", "I want a refund.", true},
		{"refund", "REFUND!", true},
		{"Refund", "refund", true},
		{"refund", "refunds", false},
		{"refund", "prefund", false},
		{"refund", "prefund refund", true},
		{"refund", "refund_policy", false},
		{"refund", "refund2", false},
		{"refund*", "refunded twice", true},
		{"refund*", "prefunded", false},
		{"refund", "我要refund谢谢", true},
		{"refund", "ｒｅｆｕｎｄ", true},
		{"refund", "re\u200bfund", true},
		{"refund", "re\u00adfund", true},
		{"money back", "my money\n  back now", true},
		{"money back", "moneyback", false},
		{"don't", "I DON'T know", true},
		{"12315", "我要打12315投诉", true},
		{"12315", "order 9912315", false},
		{"c++", "about c++ code", true},
		{"退款", "我要退款", true},
		{"退款", "我要退 款", true},
		{"退款", "我要退\u3000\u200b款", true},
		{"退 款", "我要退款", true},
		{"退款", "退货", false},
		{"vip客户", "我是VIP客户啊", true},
		{"vip客户", "超vip客户", true},
		{"vip客户", "xvip客户", false},
		{"返金", "返金してください", true},
		{"환불", "환불해주세요", true},
		{"возврат", "Нужен ВОЗВРАТ денег", true},
		{"возврат", "возврата", false},
		{"remboursé", "Je veux être REMBOURSÉ", true},
		{"remboursé", "rembourse\u0301", true},
		{"remboursé", "rembourse\u200b\u0301", true},
		{"😡", "what 😡😡", true},
		{"a", "", false},
	}
	for _, test := range tests {
		w, err := newWord(test.word)
		if err != nil {
			t.Errorf("%q: %v", test.word, err)
			continue
		}
		if got := w.in(fold(test.text)); got != test.want {
			t.Errorf("%q in %q is %v, want %v", test.word, test.text, got, test.want)
		}
	}
}

func TestNewWordRefuses(t *testing.T) {
	for _, s := range []string{"", " ", "*", " *", "\u200b", "a*b", "**", "*a"} {
		if w, err := newWord(s); err == nil {
			t.Errorf("%q is accepted as %+v", s, w)
		}
	}
}

// TestFoldIsStable holds what comparing folded texts needs: folding twice changes nothing, the
// short cut for plain texts agrees with the long way, and any word is found in itself.
func TestFoldIsStable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(rapid.String(), rapid.StringOf(rapid.SampledFrom([]rune(" \tabzAZ09_-退款Ａ１é\u0301\u200b\u3000İß😡*")))).Draw(t, "s")
		folded := fold(s)
		if again := fold(folded); again != folded {
			t.Fatalf("fold(%q) = %q, folded again %q", s, folded, again)
		}
		if !utf8.ValidString(folded) {
			t.Fatalf("fold(%q) = %q is not UTF-8", s, folded)
		}
		if isFolded(s) && folded != s {
			t.Fatalf("fold(%q) = %q although it is folded", s, folded)
		}
		if w, err := newWord(s); err == nil && !strings.HasSuffix(s, "*") && !w.in(folded) {
			t.Fatalf("%q is not found in itself", s)
		}
	})
}
