package dialogue

// textKey names what the bot says by itself.
type textKey int

const (
	textHello textKey = iota
	textHelp
	textWelcome
	textBye
	textPerson
	textMiss
	textNoHelp
	textFault
)

// fallback is the language in which every text exists.
const fallback = "en"

// texts are all that the bot says by itself. A new language is a new column, and needs nothing else.
var texts = map[textKey]map[string]string{
	textHello: {
		"en": "Hello! What can I do for you?",
		"zh": "您好！请问有什么可以帮您？",
	},
	textHelp: {
		"en": "I'm here. What would you like to know?",
		"zh": "我在的，请问您想了解什么？",
	},
	textWelcome: {
		"en": "You're welcome! Just write if there is anything else.",
		"zh": "不客气！如果还有其他问题，随时告诉我。",
	},
	textBye: {
		"en": "Goodbye, and thank you for getting in touch.",
		"zh": "再见，感谢您的咨询！",
	},
	textPerson: {
		"en": "Of course. I'm connecting you with a colleague, who will see everything we have written here.",
		"zh": "好的，正在为您转接人工客服。同事会看到我们之前的全部对话，您无需重复说明。",
	},
	textMiss: {
		"en": "I'm sorry, I don't have a reliable answer to that. I'm passing you on to a colleague, who will see everything we have written here.",
		"zh": "抱歉，这个问题我没有把握准确回答。正在为您转接人工客服，同事会看到我们之前的全部对话。",
	},
	textNoHelp: {
		"en": "I'm sorry that my answer didn't help. I'm passing you on to a colleague, who will see everything we have written here.",
		"zh": "抱歉，刚才的回答没能帮到您。正在为您转接人工客服，同事会看到我们之前的全部对话。",
	},
	textFault: {
		"en": "I'm sorry, I can't look that up at the moment. I'm passing you on to a colleague, who will see everything we have written here.",
		"zh": "抱歉，我暂时无法查询。正在为您转接人工客服，同事会看到我们之前的全部对话。",
	},
}

// text in a language, or in the fallback.
func text(key textKey, language string) string { return texts[key][textLanguage(language)] }

// textLanguage is the language that text answers with.
func textLanguage(language string) string {
	if _, ok := texts[textHello][primaryTag(language)]; ok {
		return primaryTag(language)
	}
	return fallback
}

// foreign says before an answer that there is none in the customer's language, by both languages.
var foreign = map[string]map[string]string{
	"en": {"zh": "I have this in Chinese only:", "": "I have this in another language only:"},
	"zh": {"en": "这方面的资料只有英文版：", "": "这方面的资料只有其他语言的版本："},
}

// foreignNote is empty where both languages are the same, or one is not known.
func foreignNote(answer, customer string) string {
	a, c := primaryTag(answer), primaryTag(customer)
	notes, ok := foreign[c]
	if !ok || a == "" || a == c {
		return ""
	}
	if note, ok := notes[a]; ok {
		return note
	}
	return notes[""]
}

// Reasons of hand-offs in words, for agents and reports.
const (
	reasonPerson   = "The customer asked for a person."
	reasonPromised = "A person was promised to the customer before."
	reasonNoHelp   = "The customer says that the answer did not help."
	reasonRepeated = "The customer asks again after the answer was given: it did not help."
	reasonNothing  = "No entry of the knowledge bases fits the question."
	reasonUnsure   = "No sure answer: entry %q is the closest, with a confidence of %d %%; the pool asks for %d %%."
	reasonFault    = "The knowledge bases could not be searched."
)
