package knowledge

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestNormalise(t *testing.T) {
	for in, want := range map[string]string{
		"ＡＢＣ１２３　ｘ":        "abc123 x",
		"Café ÀÉÎ naïve":  "cafe aei naive",
		"e\u0301te\u0301": "ete",
		"Straße Ærø Łódź": "strasse aero lodz",
		"退貨運費發票優惠券帳號":     "退货运费发票优惠券账号",
		"賬戶 帐户":           "账户 账户",
		"什麼時候 甚麼":         "什么时候 什么",
		"don’t":           "don't",
		"が":               "が", // kana keep their marks
		"İstanbul":        "istanbul",
		"ﬁne ①":           "fine 1",
		"\xff":            "\ufffd",
	} {
		if got := string(appendNormal(nil, in)); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}

func TestHanVariantsAreAFold(t *testing.T) {
	runes := []rune(hanVariants)
	if len(runes)%2 != 0 {
		t.Fatal("odd number of runes: the pairs are shifted")
	}
	seen := map[rune]bool{}
	for i := 0; i < len(runes); i += 2 {
		from, to := runes[i], runes[i+1]
		if seen[from] || from < hanFirst || from > hanLast || to < hanFirst || to > hanLast {
			t.Errorf("pair %c%c is repeated or outside the block", from, to)
		}
		seen[from] = true
		if foldHan(from) != to || foldHan(to) != to {
			t.Errorf("%c folds to %c and %c to %c: not a fold", from, foldHan(from), to, foldHan(to))
		}
	}
}

func units(text string, limit int) string {
	var a analyser
	a.run(text, limit)
	var out []string
	for _, u := range a.units {
		s := string(a.text[u.start:u.end])
		if u.stop {
			s = "(" + s + ")"
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

func TestUnits(t *testing.T) {
	for in, want := range map[string]string{
		"iPhone15Pro":       "iphon 15 pro",
		"Where's my order?": "(where) (my) order",
		"I can't log in":    "(i) (cant) log (in)",
		"我的order":           "(我) (的) order",
		"退货2件":              "退 货 2 件",
		"ein Größenwahn":    "ein grossenwahn",
		"Возврат товара":    "возврат товара",
		"반품 ﾃｽﾄ":            "반 품 テ ス ト",
		"'' - '":            "",
		"a\u0308b":          "ab",
	} {
		if got := units(in, 100); got != want {
			t.Errorf("%q gives %q, want %q", in, got, want)
		}
	}
	if got := units("one two three", 2); got != "one two" {
		t.Errorf("limit 2 gives %q", got)
	}
}

func TestStem(t *testing.T) {
	for _, group := range []string{
		"cancel cancels cancelled cancelling cancellation cancellations",
		"deliver delivers delivered delivering delivery deliveries",
		"ship ships shipped shipping shipment",
		"pay pays paying payment payments",
		"return returns returned returning returnable",
		"refund refunds refunded refunding refundable",
		"change changes changed changing",
		"order orders ordered ordering",
		"activate activates activated activating activation",
		"try tries tried trying",
		"box boxes",
		"match matches matched matching",
		"address addresses addressed",
		"track tracks tracked tracking",
		"store stores stored storing",
		"verify verified verifies verification",
		"quick quickly",
	} {
		words := strings.Fields(group)
		want := string(stem([]byte(words[0])))
		for _, w := range words[1:] {
			if got := string(stem([]byte(w))); got != want {
				t.Errorf("%s becomes %s, but %s becomes %s", w, got, words[0], want)
			}
		}
	}
	for _, pair := range []string{"universe university", "thing the", "sing s", "bed b", "ring r", "red r", "policy police", "status stat", "bus bu", "need ne", "mall mal"} {
		a, b, _ := strings.Cut(pair, " ")
		if x, y := string(stem([]byte(a))), string(stem([]byte(b))); x == y {
			t.Errorf("%s and %s both become %s", a, b, x)
		}
	}
}

func TestStemNeverGrows(t *testing.T) {
	for _, w := range []string{"a", "s", "ss", "ed", "ing", "ies", "sses", "ation", "ization", "ment", "y", "ied", "eed", "bbed", "cellation"} {
		buf := append([]byte(w), "XXXXXXXX"...)
		if got := stem(buf[:len(w)]); len(got) > len(w) || !utf8.Valid(got) || string(buf[len(w):]) != "XXXXXXXX" {
			t.Errorf("%q becomes %q and leaves %q behind", w, got, buf)
		}
	}
}

func TestDetectLanguage(t *testing.T) {
	for in, want := range map[string]string{
		"怎么退货":                             "zh",
		"我的 order 到哪了":                     "zh",
		"iPhone 15 Pro Max 多少钱":            "zh",
		"T恤":                               "zh",
		"請問運費多少":                           "zh",
		"where is my order":                "en",
		"what does 退款 mean in my order?":   "en",
		"refund":                           "en",
		"I want to return 我的 order please": "en",
		"注文をキャンセルしたい":                      "ja",
		"환불은 언제 되나요":                       "ko",
		"Где мой заказ":                    "ru",
		"Wo ist meine Bestellung?":         "de",
		"Où est ma commande ?":             "fr",
		"¿Dónde está mi pedido?":           "es",
		"Onde está o meu pedido? Obrigado": "pt",
		"Dov'è il mio ordine, grazie":      "it",
		"Waar is mijn bestelling?":         "nl",
		"أين طلبي":                         "ar",
		"":                                 "",
		"12345 !!":                         "",
		"iPhone 15":                        "",
		"😀":                                "",
	} {
		if got := DetectLanguage(in); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
}
