package knowledge

import "testing"

func TestAsksForPerson(t *testing.T) {
	yes := []string{
		// Chinese
		"人工", "转人工", "人工客服", "真人客服", "请转人工", "我要转人工服务", "麻烦转一下人工", "帮我转人工谢谢", "转人工！！！", "轉人工", "我要找真人客服",
		"能不能转人工", "可以转人工吗", "怎么转人工", "有没有人工客服", "有人吗", "有没有活人啊", "我想跟真人聊", "我要和人说话，不想和机器人说", "不要机器人", "别用机器人敷衍我",
		"叫你们经理来", "我要找你们主管", "客服在吗", "客服", "人工人工人工", "为什么不能转人工", "怎么还不给我转人工", "再不转人工我就投诉了", "不转人工我就退货",
		"机器人听不懂，我要人工", "你说的没用，给我接人工", "我要投诉，转接客服", "找个人来处理一下", "联系客服", "人工服务在哪里", "Ｈｕｍａｎ please 转人工", "转 人 工",
		"算了，人工吧", "需要人工帮忙", "请问怎么联系人工客服", "不用解释了，直接转人工", "我要 human agent", "接線人工客服",
		// English
		"human", "agent", "A person, please", "a person please", "speak to a human", "I want to speak to a human", "human agent please", "Can I talk to a real person?",
		"talk to someone", "let me talk to somebody", "connect me with an agent", "Connect me to customer service", "transfer me to a representative", "representative",
		"REPRESENTATIVE!!!", "operator", "live agent", "I need a live person", "is there a human I can talk to", "get me a manager", "I'd like to speak with your supervisor",
		"give me a human", "I want a human, not a bot", "not a bot, a real person please", "I don't want to talk to a bot, I want a human", "why can't I talk to a person?",
		"can you just connect me with a human", "Can you not just connect me with a human?", "don't you have a real person I can chat with", "I need human help",
		"please escalate this to a manager", "how do I contact customer support", "customer service please", "this is useless, agent", "can someone call me",
		"chat with a live representative", "I don't understand you. Human please.", "stop. real person now", "I prefer a human", "want to chat with an agent about my order",
		"Is there no real person here?", "I would rather speak to a person",
		// Written after the rules, to see how far they carry.
		"麻烦帮我找一下人工", "你好，我想咨询人工客服", "我不想再和你说了，我要人工", "叫个活的来", "让人来跟我说", "请接通人工座席", "能给我换个真人吗", "到底有没有人管啊", "我要跟客服沟通", "别再发这些了，转人工", "你解决不了，帮我转客服", "人工在线吗", "人呢", "给我找你们老板", "我要找人", "真人", "客服客服", "我不要和机器人聊天", "能接人工吗", "怎样才能找到人工",
		"i wanna talk to a human being", "Put me through to someone who can help", "I'm done with this bot. Get me someone.", "Could I please speak with a customer service rep?", "i need someone to help me, a real one", "Is anybody there?", "let me speak to your manager", "get a human on the line", "human support", "Where's the live chat with a person", "pass me to the next available agent", "switch me to a human agent now", "is it possible to talk to an advisor", "I'd like assistance from a real agent", "get me out of this bot loop, human", "connect to agent", "agent!!", "talk to agent", "I need to speak to an actual person about my refund", "please hand me over to a colleague", "may i speak to someone in billing", "I can't reach a human",
	}
	no := []string{
		// Chinese
		"不用转人工", "不需要人工客服", "别转人工", "先不转人工", "我不想转人工", "不用找客服了", "无需人工", "不必转人工，谢谢", "我没说要转人工", "人工就不用了", "转人工就不必了",
		"人工智能是什么", "你们用的是人工智能吗", "安装要人工费吗", "人工成本太高了", "这是人工合成的宝石吗", "人工客服几点上班", "人工服务时间是什么时候", "你是真人吗", "你是人工还是机器人",
		"模特是真人试穿吗", "客服态度真好", "客服说三天到", "订单到哪了", "怎么退货", "", "？？？", "你好", "谢谢", "我要退款", "这件衣服适合几个人", "人民币付款可以吗", "家里没有人签收怎么办",
		"刚才客服告诉我可以退", "暂时不用人工", "没必要转人工", "不要转人工，你回答就行", "用不着人工",
		// English
		"I don't need a human", "no human needed", "no need to transfer me to an agent", "please don't connect me with a person", "I do not want to speak to a human",
		"without talking to anyone", "I'd rather not talk to a person", "a human is not needed", "never transfer me to an agent", "where is my order", "refund please", "help",
		"hello", "is this wig human hair", "can I return it in person", "do you have a travel agent discount", "how much per person", "someone stole my package",
		"the agent told me it ships today", "which mobile operator do you support", "is it safe for human consumption", "my password manager does not fill the form",
		"thanks, you don't have to get a human", "your customer service is great", "people say it runs small", "how many people fit in the tent", "it was human error",
		"I am a person with allergies", "can somebody else pick it up", "what is your return policy", "speak louder", "call me a taxi", "the representative said two days",
		"is the manager app free", "does the agent app need a password", "stop",
		// Written after the rules, to see how far they carry.
		"我不找人工，就问下运费", "你能帮我解决就不用人工了", "人工费谁出", "请不要给我转人工", "客服给我发的券用不了", "想找一款适合送人的礼物", "帮我找个人气高的款式", "三个人够吃吗", "客服回复太慢了", "我自己能搞定，不需要人工", "是不是人工审核的", "退款需要人工审核吗", "这个包是真人皮吗", "一个人用多大容量", "找人代付可以吗",
		"Does this work for two people?", "What does your agent commission cost", "do I need to be there in person", "I don't want to be called by anyone", "is there someone at the store on Sunday", "can I send it to another person", "no agent please", "no thanks, no human", "I don't need to speak with anybody", "can you help me", "do you have human sized mannequins", "I want to contact the seller", "call my number when it arrives", "how do I add an authorized person to my account", "does a person have to sign for the package", "I want to give this to someone",
	}
	if len(yes) < 80 || len(no) < 70 {
		t.Fatalf("the table shrank to %d and %d rows", len(yes), len(no))
	}
	for _, text := range yes {
		if !AsksForPerson(text) {
			t.Errorf("AsksForPerson(%q) = false, want true", text)
		}
	}
	for _, text := range no {
		if AsksForPerson(text) {
			t.Errorf("AsksForPerson(%q) = true, want false", text)
		}
	}
}
