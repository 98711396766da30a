import { Client } from './client.js';
import { setUpAfter } from './after.js';
import { language, wordsOf } from './words.js';

const $ = (id) => document.getElementById(id);
const query = new URLSearchParams(location.search);
const lang = language(query.get('lang'));
const words = wordsOf(lang);
const embedded = query.has('embed');
const clock = new Intl.DateTimeFormat(lang, { hour: '2-digit', minute: '2-digit' });

const shown = new Map(); // messages by client id or sequence
let last = { who: '', at: 0 };
let state = null;
let limit = 2000;
let unread = 0;
let typingTimer = 0;
let typedAt = 0;

document.documentElement.lang = lang;
document.title = words.title;
document.body.classList.toggle('embedded', embedded);
$('hello-title').textContent = words.helloTitle;
$('hello-text').textContent = words.helloText;
$('log').setAttribute('aria-label', words.log);
$('text').placeholder = words.write;
$('text-label').textContent = words.write;
$('send').setAttribute('aria-label', words.send);
$('send').title = words.send;
$('end').textContent = words.end;
$('person').textContent = words.person;
$('status').textContent = words.connecting;

const client = new Client(new URL('/v1/chat', location.href.replace(/^http/, 'ws')).href, lang);

const after = setUpAfter(client, words, lang);

// ---- what the desk says

client.addEventListener('welcome', ({ detail: f }) => {
  limit = f.limits.maxMessageLength;
  const name = f.desk.displayName || words.title;
  $('desk').textContent = name;
  $('mark').textContent = [...name][0];
  document.title = name;
  if (f.anew) clear();
});

client.addEventListener('message', ({ detail: f }) => {
  if (f.from.kind === 'customer') {
    settle(f.clientId, f) || add(f.clientId, f);
    return;
  }
  typing(null);
  add(`#${f.seq}`, f);
  notify();
});

client.addEventListener('ack', ({ detail: f }) => mark(f.clientId, 'sent'));

client.addEventListener('error', ({ detail: f }) => {
  if (!f.clientId) { problem(f.problem); return; }
  const seconds = f.problem.retryAfterSeconds ?? 0;
  if (seconds > 0) mark(f.clientId, 'sending', words.later(seconds));
  else mark(f.clientId, 'refused', f.problem.detail || f.problem.remedy || f.problem.title);
});

client.addEventListener('state', ({ detail: f }) => change(f, true));

client.addEventListener('caughtUp', ({ detail: f }) => {
  if (f.state) change(f.state, false);
  for (const m of client.outbox) {
    if (!shown.has(m.clientId)) add(m.clientId, { from: { kind: 'customer' }, text: m.text, at: Date.now() }, 'sending');
  }
});

client.addEventListener('position', ({ detail: f }) => {
  const waits = f.position > 0;
  $('queue').hidden = !waits;
  if (!waits) return;
  $('place').textContent = f.position;
  $('place-text').textContent = words.place(f.position, f.waiting);
  $('wait-text').textContent = f.expectedWaitSeconds ? words.wait(f.expectedWaitSeconds) : '';
});

client.addEventListener('typing', ({ detail: f }) => typing(f.on ? f.from : null));

client.addEventListener('connection', ({ detail: { online } }) => {
  $('offline').hidden = online;
  $('offline').textContent = navigator.onLine ? words.away : words.offline;
  $('chat').classList.toggle('online', online);
  status(online);
});

function change(next, tell) {
  const before = state;
  state = next;
  const people = next.queue && next.queue !== 'bot';
  if (tell && before?.status !== next.status) {
    if (next.status === 'Queued' && people && before?.status !== 'Offered') event(words.queued);
    if (next.status === 'Active') event(words.joined(nameOf(next.agent)));
    if (next.status === 'Closed' || next.status === 'Abandoned') event(words.closed);
    if (next.status === 'Reopened') event(words.reopened);
  }
  const open = !['Closed', 'Abandoned', 'WrapUp'].includes(next.status);
  $('end').hidden = !open;
  $('person').hidden = next.status !== 'Bot';
  if (!['Queued', 'Offered'].includes(next.status)) $('queue').hidden = true;
  if (!open) typing(null);
  after(next);
  status(true);
}

function status(online) {
  $('status').textContent = !online ? words.away : describe();
}

function describe() {
  switch (state?.status) {
    case 'Bot': case 'Active': return words.answering(nameOf(state.agent));
    case 'Offered': return words.asked;
    case 'Queued': return state.queue === 'bot' ? words.online : words.waiting;
    case 'Pending': case 'CallbackPending': return words.pending;
    case 'Closed': case 'Abandoned': case 'WrapUp': return words.ended;
    default: return words.online;
  }
}

// ---- the log

function nameOf(party) { return party?.name || words[party?.kind] || words.agent; }

function add(key, f, how = '') {
  if (shown.has(key)) return;
  $('hello').hidden = true;
  const mine = f.from.kind === 'customer';
  const who = mine ? 'me' : `${f.from.kind}/${f.from.name ?? ''}`;
  const at = new Date(f.at);
  const item = element('div', `msg ${mine ? 'mine' : ''} ${how}`);
  item.classList.toggle('follows', last.who === who && at - last.at < 5 * 60_000);
  last = { who, at };
  item.append(element('span', 'name', mine ? words.you : nameOf(f.from)), bubble(f.text));
  if (f.entry) item.append(source(f.entry));
  const foot = element('span', 'foot', how === 'sending' ? words.sending : mine ? sentAt(at) : clock.format(at));
  item.append(foot);
  shown.set(key, item);
  append(item);
}

function bubble(text) {
  const b = element('div', 'bubble');
  let from = 0;
  for (const m of text.matchAll(/https?:\/\/[^\s<>"'，。、）)】]+/g)) {
    b.append(text.slice(from, m.index), link(m[0]));
    from = m.index + m[0].length;
  }
  b.append(text.slice(from));
  return b;
}

function link(href) {
  const a = element('a', '', href);
  a.href = href;
  a.target = '_blank';
  a.rel = 'noopener noreferrer nofollow';
  return a;
}

function source(entry) {
  const s = element('div', 'source');
  s.append(element('span', '', words.source), element('b', '', entry.question || entry.id));
  s.title = `${entry.knowledgeBase}/${entry.id}`;
  return s;
}

function event(text) {
  last = { who: '', at: 0 };
  append(element('p', 'event', text));
}

function append(item) {
  const log = $('log');
  const near = log.scrollHeight - log.scrollTop - log.clientHeight < 160;
  log.append(item);
  if (near || item.classList.contains('mine')) log.scrollTop = log.scrollHeight;
}

// settle turns a message that is shown as being sent into a stored one; false when it is not shown.
function settle(clientId, f) {
  const item = shown.get(clientId);
  if (!item) return false;
  mark(clientId, 'sent', sentAt(new Date(f.at)));
  return true;
}

function sentAt(at) { return `${clock.format(at)} · ${words.sent}`; }

function mark(clientId, how, text) {
  const item = shown.get(clientId);
  if (!item) return;
  item.classList.remove('sending', 'refused');
  const foot = item.querySelector('.foot');
  if (how === 'sent') { foot.textContent = text ?? words.sent; return; }
  item.classList.add(how);
  foot.textContent = how === 'refused' ? `${words.refused}: ${text}` : text;
  if (how !== 'refused') return;
  const again = element('button', '', words.retry);
  again.type = 'button';
  again.onclick = () => {
    $('text').value = item.querySelector('.bubble').textContent;
    item.remove();
    shown.delete(clientId);
    grow();
    $('text').focus();
  };
  foot.append(again);
}

function clear() {
  for (const item of $('log').querySelectorAll('.msg, .event')) item.remove();
  shown.clear();
  last = { who: '', at: 0 };
  state = null;
}

function typing(party) {
  clearTimeout(typingTimer);
  $('typing').hidden = !party;
  if (!party) return;
  $('typing-name').textContent = words.typing(nameOf(party));
  typingTimer = setTimeout(() => typing(null), 6000);
}

function problem(p) { $('problem').textContent = p ? p.detail || p.title : ''; }

function element(tag, cls = '', text = '') {
  const e = document.createElement(tag);
  if (cls) e.className = cls;
  if (text) e.textContent = text;
  return e;
}

// notify tells the page that shows the widget how many messages were not seen.
function notify() {
  if (!document.hidden && document.hasFocus()) return;
  unread++;
  tellParent();
}

function tellParent() {
  if (embedded && parent !== window) parent.postMessage({ deskfleet: 'unread', count: unread }, '*');
}

addEventListener('focus', () => { unread = 0; tellParent(); });
addEventListener('message', (e) => {
  if (e.source === parent && e.data?.deskfleet === 'opened') { unread = 0; tellParent(); $('text').focus(); }
});

// ---- what the customer does

function say(text) {
  const m = client.say(text);
  add(m.clientId, { from: { kind: 'customer' }, text, at: Date.now() }, 'sending');
}

function submit() {
  const text = $('text').value.trim();
  if (!text || tooLong(text)) return;
  say(text);
  $('text').value = '';
  typedAt = 0;
  grow();
}

function tooLong(text) {
  const n = [...text].length;
  $('problem').textContent = n > limit ? words.tooLong(n, limit) : '';
  return n > limit;
}

function grow() {
  const box = $('text');
  box.style.height = 'auto';
  box.style.height = `${box.scrollHeight + 2}px`;
  $('send').disabled = box.value.trim() === '' || tooLong(box.value.trim());
}

$('form').addEventListener('submit', (e) => { e.preventDefault(); submit(); });
$('text').addEventListener('input', () => {
  grow();
  const on = $('text').value !== '';
  if (on && Date.now() - typedAt < 2000) return;
  typedAt = on ? Date.now() : 0;
  client.typing(on);
});
$('text').addEventListener('keydown', (e) => {
  // isComposing: Enter chooses a word of an input method and must not send half a sentence.
  if (e.key === 'Enter' && !e.shiftKey && !e.isComposing) { e.preventDefault(); submit(); }
});
$('person').addEventListener('click', () => { say(words.personText); $('text').focus(); });
// Two steps instead of a dialog: browsers show none for a page in another site's frame.
let endTimer = 0;
function askEnd(sure) {
  clearTimeout(endTimer);
  $('end').classList.toggle('sure', sure);
  $('end').textContent = sure ? words.endSure : words.end;
  if (sure) endTimer = setTimeout(() => askEnd(false), 4000);
}
$('end').addEventListener('click', () => {
  if ($('end').classList.contains('sure')) client.close();
  askEnd(!$('end').classList.contains('sure'));
});

grow();
client.connect();
