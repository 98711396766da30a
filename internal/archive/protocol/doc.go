// Package protocol is how other roles ask the archive: transcripts, search, audit records and the archive's
// own state, by request and reply on the subjects that bus.Subjects.Request names. Everything is JSON with a
// version; unknown fields are ignored, so that neighbouring releases work together. The archive answers
// whoever the bus lets ask: who may see what is decided by the asking role.
//
// # archive.transcript
//
//	{"v":1,"conversation":"01JD…","after":"","limit":200,"ownership":true,"forCustomer":false}
//	{"v":1,"ok":true,"conversation":{"id":"01JD…","status":"Closed","contact":"c-17",…},
//	 "items":[{"seq":17,"event":{"v":1,"type":"message",…}},…],"next":"1.42"}
//
// Items are stored events as they came, in the order of the log; next is set when there are more, and goes
// into after. Ownership adds those of the conversation's .own subject, forCustomer leaves out notes and
// ownership. What was said in the last moments may still be in the log only: conversation.lastSeq says up to
// where the archive has it.
//
// # archive.search
//
//	{"v":1,"text":"refund 退款","contact":"c-17","agent":"mei","channel":"web","from":"…","to":"…","limit":50,"before":""}
//	{"v":1,"ok":true,"hits":[{"conversation":{…},"message":{"seq":17,"at":"…","from":{…},"text":"…"}},…],"next":"4711"}
//
// All words of text must occur in one message, in any order and inside longer words too; letters match in
// both cases. Without text the conversations themselves are listed. Newest first; next goes into before.
// Words of one or two characters need a pass over the messages: narrow it down by time or contact.
//
// # archive.audit
//
//	{"v":1,"after":0,"limit":100,"conversation":"01JD…","who":"mei","action":"conversation.closed","newest":false,"verify":false}
//	{"v":1,"ok":true,"records":[{"number":1,"hash":"…",…}],"next":100,"verified":{"records":812,"head":{…},"broken":null}}
//
// An action that ends with "." matches all that begin so. Verify walks the whole chain.
//
// # archive.status
//
//	{"v":1}
//	{"v":1,"ok":true,"status":{"seq":17,"lastSeq":19,"lag":2,…,"storage":{"low":false,…}}}
//
// # Refusals
//
//	{"v":1,"ok":false,"error":{"code":"malformed","what":"…","why":"…","remedy":"…"}}
package protocol
