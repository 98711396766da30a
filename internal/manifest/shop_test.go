package manifest

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/escalation"
	"github.com/deskfleet/deskfleet/internal/knowledge"
	"github.com/deskfleet/deskfleet/internal/plan"
)

func loadShop(t *testing.T) *Objects {
	t.Helper()
	o, err := Load([]string{filepath.Join(samples, "shop")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func planned(t *testing.T, o *Objects) *plan.Plans {
	t.Helper()
	plans, err := plan.Offline(&plan.Objects{
		ServiceDesks: o.ServiceDesks, AgentPools: o.AgentPools, KnowledgeBases: o.KnowledgeBases,
		EscalationPolicies: o.EscalationPolicies, ConfigMaps: o.ConfigMaps,
	})
	if err != nil {
		t.Fatal(err)
	}
	return plans
}

// The samples work as they are: each object is valid, and together they leave nothing open.
func TestSamplesHaveNoProblems(t *testing.T) {
	for _, sample := range []string{"minimal.yaml", "shop", "routing", "webhooks.yaml"} {
		o, err := Load([]string{filepath.Join(samples, sample)}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, problem := range planned(t, o).Problems {
			t.Errorf("%s: %s", sample, problem)
		}
	}
}

func TestShopSample(t *testing.T) {
	o := loadShop(t)
	languages := map[string]int{}
	for _, contents := range planned(t, o).Knowledge {
		for _, base := range contents {
			for _, entry := range base.Entries {
				languages[entry.Language]++
				if n := len(entry.Questions); n < 3 || n > 6 {
					t.Errorf("%s has %d questions, want 3 to 6", entry.ID, n)
				}
				if !strings.HasSuffix(entry.ID, "-"+entry.Language) {
					t.Errorf("%s is of language %s", entry.ID, entry.Language)
				}
				if got := knowledge.DetectLanguage(strings.Join(entry.Questions, "\n")); got != entry.Language {
					t.Errorf("%s: the questions are of language %q", entry.ID, got)
				}
			}
		}
	}
	if languages["en"] < 35 || languages["zh"] < 35 || len(languages) != 2 {
		t.Errorf("entries by language: %v, want at least 35 of en and of zh", languages)
	}
	for _, kb := range o.KnowledgeBases {
		if len(kb.Spec.Sources.Inline) == 0 || len(kb.Spec.Sources.ConfigMaps) == 0 {
			t.Errorf("%s does not show both kinds of sources", kb.Name)
		}
	}
	if len(o.Notes) > 0 {
		t.Errorf("the sample holds what is not used: %v", o.Notes)
	}
}

// Who signs on is who serves: the names of the tokens are those of the members.
func TestShopTokens(t *testing.T) {
	o := loadShop(t)
	var tokens []struct{ Name, Role, Token string }
	if err := yaml.UnmarshalStrict(o.Secrets[0].Data["tokens.yaml"], &tokens); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, token := range tokens {
		names = append(names, token.Name)
		if !slices.Contains([]string{"agent", "supervisor", "admin"}, token.Role) {
			t.Errorf("%s has role %s", token.Name, token.Role)
		}
		if !strings.HasPrefix(token.Token, "example-token-") {
			t.Errorf("the token of %s does not look like an example", token.Name)
		}
	}
	for _, pool := range o.AgentPools {
		if pool.Spec.Type != v1alpha1.PoolTypeHuman {
			continue
		}
		for _, member := range pool.Spec.Human.Members {
			if !slices.Contains(names, string(member)) {
				t.Errorf("member %s has no token", member)
			}
		}
	}
	if got := string(o.ServiceDesks[0].Spec.AgentsAuth.TokensSecretRef.Name); got != o.Secrets[0].Name {
		t.Errorf("the desk names the Secret %s, the sample holds %s", got, o.Secrets[0].Name)
	}
}

// What customers say leads to the rule that its author meant, and harmless questions to none.
func TestShopPolicy(t *testing.T) {
	o := loadShop(t)
	policy, problems := escalation.Compile(plan.Rules(o.EscalationPolicies[0].Spec.Rules), escalation.Options{Language: "en"})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	type facts = escalation.Facts
	say := func(text string) facts {
		return facts{
			Message:      escalation.MessageFacts{Text: text, Language: knowledge.DetectLanguage(text), AsksForPerson: knowledge.AsksForPerson(text)},
			Conversation: escalation.ConversationFacts{Turns: 1, Queue: "bot", Channel: "web"},
		}
	}
	state := func(c escalation.ConversationFacts) facts { return facts{Conversation: c} }
	for _, row := range []struct {
		facts facts
		want  string
	}{
		{say("I want a refund for order 4711"), "refunds"},
		{say("Give me my money back!"), "refunds"},
		{say("我要退款"), "refunds"},
		{say("这个不想要了，给我退钱"), "refunds"},
		{say("How long does a refund take?"), ""},
		{say("退款多久到账"), ""},
		{say("What is your return policy?"), ""},
		{say("I want to make a complaint"), "complaints"},
		{say("我要投诉你们"), "complaints"},
		{say("再不处理我就打12315"), "complaints"},
		{say("my account was hacked"), "account-security"},
		{say("There is an unauthorised payment on my card"), "account-security"},
		{say("我的账号被盗了"), "account-security"},
		{say("银行卡被盗刷"), "account-security"},
		{say("I was charged twice"), "billing-disputes"},
		{say("为什么重复扣款"), "billing-disputes"},
		{say("I am a gold member, get me a human agent"), "vip"},
		{say("我是金卡会员，转人工"), "vip"},
		{say("金卡会员有什么好处"), ""},
		{say("I want to kill myself"), "distress"},
		{say("不想活了"), "distress"},
		{say("Where is my order?"), ""},
		{say("什么时候发货"), ""},
		{say("The hackathon shirt is great"), ""},
		{state(escalation.ConversationFacts{Queue: "bot", Misses: 2, Turns: 3}), "not-helped"},
		{state(escalation.ConversationFacts{Queue: "bot", Turns: 12}), "not-helped"},
		{state(escalation.ConversationFacts{Queue: "bot", Misses: 1, Turns: 11}), ""},
		{state(escalation.ConversationFacts{Queue: "general", Waited: 6 * time.Minute}), "long-wait"},
		{state(escalation.ConversationFacts{Queue: "general", Waited: 5 * time.Minute}), ""},
	} {
		decision, err := policy.Evaluate(row.facts)
		if err != nil {
			t.Errorf("%+v: %v", row.facts, err)
		}
		if got := strings.Join(decision.Rules, " "); got != row.want {
			t.Errorf("%q in %+v matches %q, want %q", row.facts.Message.Text, row.facts.Conversation, got, row.want)
		}
	}
}

// The bots find the entry for questions in other words than the entries hold, and stay silent on what the
// shop says nothing about.
func TestShopAnswers(t *testing.T) {
	o := loadShop(t)
	var entries []knowledge.Entry
	for _, contents := range planned(t, o).Knowledge {
		for _, base := range contents {
			entries = append(entries, base.Entries...)
		}
	}
	index, err := knowledge.Compile(entries, knowledge.Options{Languages: []string{"en", "zh"}})
	if err != nil {
		t.Fatal(err)
	}
	floor := 0.6 // of the bot pool
	right, asked := 0, 0
	for question, want := range map[string]string{
		"where's my parcel, order 88123":               "track-order-en",
		"how long will delivery take to Germany":       "shipping-time-en",
		"what does shipping cost?":                     "shipping-cost-en",
		"can i pay with paypal":                        "payment-methods-en",
		"i forgot my password":                         "reset-password-en",
		"can I return a sweater I don't like":          "return-policy-en",
		"please send me an invoice for my company":     "invoice-en",
		"my discount code does not work":               "coupon-not-working-en",
		"the vase arrived broken":                      "damaged-item-en",
		"how do I delete my account":                   "delete-account-en",
		"do you ship to canada?":                       "international-shipping-en",
		"are there any physical stores":                "stores-en",
		"我的快递到哪了":                                      "track-order-zh",
		"多少钱包邮":                                        "shipping-cost-zh",
		"一般几天能到":                                       "shipping-time-zh",
		"怎么开电子发票":                                      "invoice-zh",
		"可以用支付宝付款吗":                                    "payment-methods-zh",
		"密码忘了怎么办":                                      "reset-password-zh",
		"衣服不合适可以退吗":                                    "return-policy-zh",
		"收到的杯子碎了":                                      "damaged-item-zh",
		"优惠券不能用":                                       "coupon-not-working-zh",
		"能改收货地址吗":                                      "change-address-zh",
		"有没有实体店":                                       "stores-zh",
		"怎么注销账户":                                       "delete-account-zh",
		"What is the weather in Paris tomorrow?":       "",
		"Can you write a poem about the sea?":          "",
		"今天股市怎么样":                                      "",
		"帮我写一篇作文":                                      "",
		"Do you employ students in your legal office?": "",
		"你会下围棋吗":                                       "",
	} {
		asked++
		got, confidence := "", 0.0
		if hits := index.Search(question, knowledge.DetectLanguage(question), 1); len(hits) > 0 && hits[0].Confidence >= floor {
			got, confidence = hits[0].Entry.ID, hits[0].Confidence
		}
		if got == want {
			right++
			continue
		}
		t.Logf("%q is answered with %q (confidence %.2f), want %q", question, got, confidence, want)
		if want == "" {
			t.Errorf("%q is out of the shop's scope and is answered with %s", question, got)
		}
	}
	t.Logf("%d of %d right", right, asked)
	if right*10 < asked*8 {
		t.Errorf("%d of %d questions are answered right, want at least 80 %%", right, asked)
	}
}
