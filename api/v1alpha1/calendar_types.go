package v1alpha1

// Weekday is a day of the week.
//
// +kubebuilder:validation:Enum=Monday;Tuesday;Wednesday;Thursday;Friday;Saturday;Sunday
type Weekday string

// TimeOfDay is a local time as HH:MM, "00:00" to "23:59".
//
// +kubebuilder:validation:MinLength=5
// +kubebuilder:validation:MaxLength=5
// +kubebuilder:validation:Pattern=`^([01][0-9]|2[0-3]):[0-5][0-9]$`
type TimeOfDay string

// EndOfPeriod is a local time as HH:MM, "00:01" to "47:59": 24:00 is the end of the day, 26:00 is 02:00 of the next day.
//
// +kubebuilder:validation:MinLength=5
// +kubebuilder:validation:MaxLength=5
// +kubebuilder:validation:Pattern=`^([0-3][0-9]|4[0-7]):[0-5][0-9]$`
type EndOfPeriod string

// Period is an interval of local time on a day; it belongs to the day on which it begins.
//
// +kubebuilder:validation:XValidation:rule="self.from < self.to",messageExpression="'the period from ' + self.from + ' to ' + self.to + ' does not end after it begins: write a time of the next day with hours beyond 24, such as 26:00 for 02:00'",message="the period does not end after it begins: write a time of the next day with hours beyond 24, such as 26:00 for 02:00",fieldPath=".to"
// +kubebuilder:validation:XValidation:rule="duration(self.to.replace(':', 'h') + 'm') - duration(self.from.replace(':', 'h') + 'm') <= duration('24h')",messageExpression="'the period from ' + self.from + ' to ' + self.to + ' is longer than 24 hours: make two of it'",message="the period is longer than 24 hours: make two of it",fieldPath=".to"
type Period struct {
	// from: local time at which the period begins, for example "09:00". Required. No rollout.
	// +required
	From TimeOfDay `json:"from"`
	// to: local time at which it ends, for example "18:00"; 24:00 is midnight, 26:00 is 02:00 of the next day. Required.
	// No rollout.
	// +required
	To EndOfPeriod `json:"to"`
}

// OpeningHours are the periods of one or several weekdays.
type OpeningHours struct {
	// days of the week, 1 to 7. A day that no entry names is closed. Required. No rollout.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=7
	Days []Weekday `json:"days"`
	// periods in which the desk is open on these days, 1 to 8. They may touch, not overlap. Required. No rollout.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Periods []Period `json:"periods"`
}

// HolidayDate is a day as YYYY-MM-DD, or as MM-DD for that day of each year.
//
// +kubebuilder:validation:MinLength=5
// +kubebuilder:validation:MaxLength=10
// +kubebuilder:validation:Pattern=`^([0-9]{4}-)?(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$`
type HolidayDate string

// Holiday is a day, or several in a row, on which other hours hold than on its weekday.
//
// +kubebuilder:validation:XValidation:rule="!has(self.to) || self.from.size() == self.to.size()",messageExpression="'the holiday is from ' + self.from + ' to ' + self.to + ': give both dates with a year, or both without'",message="give both dates with a year, or both without: one of them has a year",fieldPath=".to"
// +kubebuilder:validation:XValidation:rule="!has(self.to) || self.from.size() != 10 || self.to.size() != 10 || self.from <= self.to",messageExpression="'the holiday ends on ' + self.to + ', before it begins on ' + self.from + ': to is the last day'",message="the holiday ends before it begins: to is the last day",fieldPath=".to"
type Holiday struct {
	// name that customers are told, at most 80 characters, for example "National Day". Default: none. No rollout.
	// +optional
	// +kubebuilder:validation:MaxLength=80
	// +kubebuilder:validation:Pattern=`^[^\x00-\x1f\x7f]*$`
	Name string `json:"name,omitempty"`
	// from: the day, or the first of several: "2026-10-01" for that day, "10-01" for that day of each year. Required.
	// No rollout.
	// +required
	From HolidayDate `json:"from"`
	// to: the last day, included. Of yearly ones it may lie in the next year, as in 12-24 to 01-02. Default: from,
	// one day. No rollout.
	// +optional
	To *HolidayDate `json:"to,omitempty"`
	// periods in which the desk is open on each of these days, at most 8, for example of a half day. Default: closed.
	// No rollout.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	Periods []Period `json:"periods,omitempty"`
}

// ConfigMapKeyReference names a key of a ConfigMap in the same namespace.
type ConfigMapKeyReference struct {
	// name of the ConfigMap. Required.
	// +required
	Name ObjectName `json:"name"`
	// key that holds the text. Default "holidays.ics". No rollout.
	// +optional
	// +kubebuilder:default="holidays.ics"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[-._a-zA-Z0-9]+$`
	Key string `json:"key,omitempty"`
}

// Holidays are days on which other hours hold than on their weekdays.
type Holidays struct {
	// dates that are written here, at most 100. On a date of both lists this one decides. Default: none. No rollout.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=100
	Dates []Holiday `json:"dates,omitempty"`
	// configMapRef names a ConfigMap with an iCalendar text of at most 64 KiB, each event of which is a holiday. While
	// it is broken or gone the desk keeps the last good one. Default: none. No rollout.
	// +optional
	ConfigMapRef *ConfigMapKeyReference `json:"configMapRef,omitempty"`
}

// ClosedBehaviour says what a desk does outside its hours.
//
// +kubebuilder:validation:Enum=Message;BotOnly;Callback
type ClosedBehaviour string

const (
	// ClosedMessage tells the customer and ends the conversation.
	ClosedMessage ClosedBehaviour = "Message"
	// ClosedBotOnly lets the bots answer; who would come to wait for people is told, and the conversation ends.
	ClosedBotOnly ClosedBehaviour = "BotOnly"
	// ClosedCallback lets the bots answer; who comes to wait for people is told, and waits for the desk to open.
	ClosedCallback ClosedBehaviour = "Callback"
)

// Closed says what happens outside the hours. Conversations that people have already go on.
type Closed struct {
	// behaviour towards customers: Message tells them and ends the conversation, BotOnly lets bots answer and ends it
	// where they would hand off, Callback lets bots answer and keeps it until the desk opens. Default Message.
	// No rollout.
	// +optional
	// +kubebuilder:default=Message
	Behaviour ClosedBehaviour `json:"behaviour,omitempty"`
	// say: what the customer is told, one text a language, at most 16. Default: nothing, the conversation just ends or
	// waits. No rollout.
	// +optional
	// +listType=map
	// +listMapKey=language
	// +kubebuilder:validation:MaxItems=16
	Say []LocalizedText `json:"say,omitempty"`
}

// Calendar says when people of the desk answer, in the desk's timeZone.
type Calendar struct {
	// openingHours of the week, at most 14 entries; a day may stand in several. Default: round the clock, except for
	// holidays. No rollout.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=14
	OpeningHours []OpeningHours `json:"openingHours,omitempty"`
	// holidays on which other hours hold. Default: none. No rollout.
	// +optional
	Holidays *Holidays `json:"holidays,omitempty"`
	// peaks that are announced to every pool of bots of the desk, at most 64; floor and cap are workers of each of these
	// pools, expectedArrivals come to all of them together. A peak of the same name in a pool's scaling takes its place
	// there. Default: none. No rollout.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	Peaks []Peak `json:"peaks,omitempty"`
	// closed: what happens outside the hours. Default: the conversation ends. No rollout.
	// +optional
	// +kubebuilder:default={}
	Closed *Closed `json:"closed,omitempty"`
}
