package bus

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestSubjectNames(t *testing.T) {
	s := testSubjects(t)
	for _, c := range []struct{ got, want string }{
		{s.Stream(), "DESK_shop_web_chat"},
		{s.Messages("c1"), "cv.shop.web_chat.c1.msg"},
		{s.Ownership("c1"), "cv.shop.web_chat.c1.own"},
		{s.Decisions(), "dk.shop.web_chat"},
		{s.Audit(), "au.shop.web_chat"},
		{s.Claim("web", "u-1"), "ct.shop.web_chat.web.u-1"},
		{s.Learned("bots.v2"), "ln.shop.web_chat.bots_2ev2"},
		{s.Heartbeat(PartyBot, "bots-0"), "hb.shop.web_chat.bot.bots-0"},
		{s.Intent(PartyAgent, "li.wei"), "in.shop.web_chat.agent.li_2ewei"},
		{s.Offer(PartyAgent, "li_wei"), "of.shop.web_chat.agent.li_5fwei"},
		{s.Live("c1"), "lv.shop.web_chat.c1"},
		{s.Figures(), "fg.shop.web_chat"},
		{s.Leader(), "ld.shop.web_chat"},
		{s.Load("gateway", "web-gateway-5f.1"), "rl.shop.web_chat.gateway.web-gateway-5f_2e1"},
		{s.Config(), "cf.shop.web_chat"},
		{s.ConfigGet(), "cf.shop.web_chat.get"},
		{s.Request(ServiceKnowledgeSearch), "rq.shop.web_chat.knowledge.search"},
	} {
		if c.got != c.want {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
	if got := ServiceArchiveAudit.QueueGroup(); got != "archive" {
		t.Errorf("queue group is %s", got)
	}
}

func TestNewSubjectsRefusesWhatIsNoKubernetesName(t *testing.T) {
	for _, c := range [][2]string{
		{"", "d"}, {"n", ""}, {"a.b", "d"}, {"a_b", "d"}, {"n", "a_b"}, {"n", "a..b"}, {"n", ".a"}, {"n", "a*"},
		{"n", "a>"}, {"N", "d"}, {"n", "D"}, {"n ", "d"}, {"-n", "d"}, {"n", "d-"}, {strings.Repeat("n", 64), "d"},
	} {
		if _, err := NewSubjects(c[0], c[1]); err == nil {
			t.Errorf("%q/%q was accepted", c[0], c[1])
		}
	}
}

func TestParseRefuses(t *testing.T) {
	s := testSubjects(t)
	for _, subject := range []string{
		"", "cv", "cv.shop", "cv.shop.web_chat", "cv.shop.web_chat.c1", "cv.shop.web_chat.c1.xyz", "cv.shop.web_chat.c1.msg.more",
		"cv.shop.web_chat..msg", "cv.shop.web_chat.*.msg", "cv.shop.web_chat.>", "cv.shop.web_chat2.c1.msg", "cv.other.web_chat.c1.msg",
		"xx.shop.web_chat", "ln.shop.web_chat", "ln.shop.web_chat.a.b", "ln.shop.web_chat.a_", "ln.shop.web_chat." + strings.Repeat("a", 254), "dk.shop.web_chat.more", "cf.shop.web_chat.set", "rq.shop.web_chat.knowledge", "rq.shop.web_chat.other.search",
		"in.shop.web_chat.agent", "in.shop.web_chat.nobody.x", "in.shop.web_chat.agent.a_", "in.shop.web_chat.agent.a_zz",
		"in.shop.web_chat.agent.a_41", "in.shop.web_chat.agent.a_2E", "ct.shop.web_chat.web", "ct.shop.web_chat.we b.x",
	} {
		if got, err := s.Parse(subject); err == nil {
			t.Errorf("%q was read as %+v", subject, got)
		}
	}
}

// reference is what a subject should be made from and read back as.
type reference struct {
	namespace, desk string
	want            Subject
	rawContact      string
}

func (r reference) subject(t *rapid.T) string {
	s, err := NewSubjects(r.namespace, r.desk)
	if err != nil {
		t.Fatal(err)
	}
	w := r.want
	return map[Kind]func() string{
		KindMessages:  func() string { return s.Messages(w.Conversation) },
		KindOwnership: func() string { return s.Ownership(w.Conversation) },
		KindDecisions: s.Decisions,
		KindClaim:     func() string { return s.Claim(w.Channel, r.rawContact) },
		KindAudit:     s.Audit,
		KindLearned:   func() string { return s.Learned(w.Pool) },
		KindHeartbeat: func() string { return s.Heartbeat(w.Party, w.Who) },
		KindIntent:    func() string { return s.Intent(w.Party, w.Who) },
		KindOffer:     func() string { return s.Offer(w.Party, w.Who) },
		KindLive:      func() string { return s.Live(w.Conversation) },
		KindFigures:   s.Figures,
		KindLeader:    s.Leader,
		KindConfig:    s.Config,
		KindConfigGet: s.ConfigGet,
		KindRequest:   func() string { return s.Request(w.Service) },
	}[w.Kind]()
}

func drawReference(t *rapid.T, label string) reference {
	// Few, confusable names: collisions are found where ids are close.
	name := rapid.StringMatching(`[ab0](-?[ab0]){0,2}`)
	desk := rapid.StringMatching(`[ab0](-?[ab0]){0,2}(\.[ab0]{1,2}){0,2}`)
	token := rapid.StringMatching(`[aB0_-]{1,4}`)
	anything := rapid.OneOf(rapid.StringMatching(`[aB0_.@*> -]{1,5}`), rapid.StringN(1, 12, MaxID))
	party := rapid.SampledFrom([]Party{PartyCustomer, PartyBot, PartyAgent})
	r := reference{namespace: name.Draw(t, label+" namespace"), desk: desk.Draw(t, label+" desk")}
	r.want.Kind = Kind(rapid.IntRange(int(KindMessages), int(KindRequest)).Draw(t, label+" kind"))
	switch r.want.Kind {
	case KindMessages, KindOwnership, KindLive:
		r.want.Conversation = token.Draw(t, label+" conversation")
	case KindLearned:
		r.want.Pool = anything.Draw(t, label+" pool")
	case KindClaim:
		r.want.Channel = token.Draw(t, label+" channel")
		r.rawContact = anything.Draw(t, label+" contact")
		r.want.ContactToken = ContactToken(r.rawContact)
	case KindHeartbeat, KindIntent, KindOffer:
		r.want.Party, r.want.Who = party.Draw(t, label+" party"), anything.Draw(t, label+" who")
	case KindRequest:
		r.want.Service = rapid.SampledFrom(Services()).Draw(t, label+" service")
	default:
	}
	return r
}

// Different things have different subjects, and each is read back as it was.
func TestSubjectsAreInjective(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawReference(t, "a"), drawReference(t, "b")
		sa, sb := a.subject(t), b.subject(t)
		if (sa == sb) != (a == b) {
			t.Fatalf("%+v has subject %s, %+v has %s", a, sa, b, sb)
		}
		for token := range strings.SplitSeq(sa, ".") {
			if !safe(token) {
				t.Fatalf("subject %q has the token %q", sa, token)
			}
		}
		desk, err := NewSubjects(a.namespace, a.desk)
		if err != nil {
			t.Fatal(err)
		}
		got, err := desk.Parse(sa)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(a.want, got); diff != "" {
			t.Fatal(diff)
		}
		other, err := NewSubjects(b.namespace, b.desk)
		if err != nil {
			t.Fatal(err)
		}
		sameDesk := a.namespace == b.namespace && a.desk == b.desk
		if _, err := other.Parse(sa); (err == nil) != sameDesk {
			t.Fatalf("desk %s/%s reads %s of desk %s/%s: %v", b.namespace, b.desk, sa, a.namespace, a.desk, err)
		}
		if (desk.Stream() == other.Stream()) != sameDesk {
			t.Fatalf("stream %s for %s/%s and %s/%s", desk.Stream(), a.namespace, a.desk, b.namespace, b.desk)
		}
	})
}

func TestIDsAreCheckedBeforeTheyBecomeSubjects(t *testing.T) {
	s := testSubjects(t)
	for name, f := range map[string]func(){
		"wildcard":   func() { s.Messages("*") },
		"two tokens": func() { s.Messages("a.b") },
		"empty":      func() { s.Live("") },
		"too long":   func() { s.Live(strings.Repeat("a", MaxID+1)) },
		"no party":   func() { s.Intent("", "a") },
		"nobody":     func() { s.Heartbeat(PartyBot, "") },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: became a subject", name)
				}
			}()
			f()
		}()
	}
}

func FuzzParse(f *testing.F) {
	s, err := NewSubjects("shop", "web.chat")
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{s.Messages("c1"), s.Claim("web", "a@b.c"), s.Intent(PartyAgent, "li.wei"), s.ConfigGet(), "in.shop.web_chat.bot._"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, subject string) {
		got, err := s.Parse(subject)
		if err != nil {
			return
		}
		again := subject
		switch got.Kind {
		case KindHeartbeat:
			again = s.Heartbeat(got.Party, got.Who)
		case KindIntent:
			again = s.Intent(got.Party, got.Who)
		case KindOffer:
			again = s.Offer(got.Party, got.Who)
		case KindMessages:
			again = s.Messages(got.Conversation)
		case KindLive:
			again = s.Live(got.Conversation)
		default:
		}
		if again != subject {
			t.Errorf("%q was read as %+v, whose subject is %q", subject, got, again)
		}
	})
}
