import { Agent } from './agent.js';
import { Talk } from './talk.js';
import { $, element, button, clock, dialog, setClock, setDialog } from './dom.js';
import { setUpFind, transcriptOf } from './find.js';
import { setUpReport } from './report.js';
import { setUpActions } from './actions.js';
import { setUpOpen } from './open.js';
import { language, wordsOf } from './words.js';

const lang = language(new URLSearchParams(location.search).get('lang'));
const words = wordsOf(lang);
const talks = new Map();
let me = null;
let desk = { queues: [] };
let open = null; // the shown conversation's id
let asNote = false;
let typedAt = 0;
let typingTimer = 0;

document.documentElement.lang = lang;
setClock(lang);
for (const [id, text] of Object.entries({
  'signin-title': words.title, 'signin-text': words.signInText, 'token-label': words.token, 'signin-go': words.signIn,
  'available': words.available, 'away': words.away, 'signout': words.signOut, 'offers-title': words.offers, 'own-title': words.own,
  'empty': words.none, 'nothing-text': words.pick, 'handoff': words.handOff, 'close': words.close, 'back': words.back,
  'as-reply': words.reply, 'as-note': words.note, 'send': words.send, 'connection': words.connecting,
  'closing-title': words.closeTitle, 'disposition-label': words.disposition, 'comment-label': words.comment,
  'takeover': words.takeOver, 'unwatch': words.unwatch, 'watched-title': words.watched,
})) $(id).textContent = text;
setDialog('closing', words.cancel, words.close);
for (const [value, text] of Object.entries(words.dispositions)) {
  const o = element('option', '', text);
  o.value = value;
  $('disposition').append(o);
}
document.title = words.title;

const agent = new Agent(new URL('/console/v1/agent', location.href.replace(/^http/, 'ws')).href);
setUpFind(agent, words, showFound);
setUpReport(agent, words);
const desktop = { agent, words, ask, notice, talks, shown: () => talks.get(open), desk: () => desk, me: () => me };
setUpActions(desktop);
const setOpened = setUpOpen(desktop);

// ---- what the desk says

agent.addEventListener('welcome', ({ detail: f }) => {
  me = f.agent;
  desk = f.desk;
  $('signin').hidden = true;
  $('app').hidden = false;
  $('desk').textContent = f.desk.displayName;
  $('mark').textContent = [...f.desk.displayName][0] ?? 'D';
  $('find').hidden = me.role === 'agent';
  $('report').hidden = me.role === 'agent';
  setOpened();
  $('connection').textContent = words.waitingRouter;
});

agent.addEventListener('presence', ({ detail: f }) => {
  for (const p of ['available', 'away']) $(p).ariaChecked = String(f.signedOn && f.presence === p);
  $('connection').textContent = f.signedOn ? words.signedOn(me.id, f.busy ?? 0, f.slots ?? 0) : words.notOn(me.id);
  const missed = f.why?.length && f.presence !== 'available';
  if (missed) notice(`${words.missedOffer} ${f.why.join('; ')}`);
});

agent.addEventListener('conversation', ({ detail: f }) => {
  const t = talk(f.conversation);
  const before = t.relation;
  if (f.anew) t.clear();
  t.relation = f.relation;
  t.card = f.card;
  if (f.relation === 'none') {
    if (before === 'owned' && f.card.status !== 'Closed') notice(`${words.lost} ${t.name} (${(f.card.why ?? []).join('; ')})`);
    talks.delete(f.conversation);
    if (open === f.conversation) show(null);
  } else if (f.relation !== before && f.relation !== 'offered') {
    if (open === f.conversation) arrange(t);
    else if (before === 'offered' || f.relation === 'watched' && before === 'none') show(f.conversation);
  }
  if (open === f.conversation) fill(t);
  render();
});

agent.addEventListener('message', ({ detail: f }) => {
  const t = talk(f.conversation);
  t.add(f);
  if (open === f.conversation) { scroll(); typing(null); } else if (f.from.kind === 'customer') t.unread++;
  render();
});

agent.addEventListener('error', ({ detail: f }) => {
  if (f.clientId && !(f.problem.retryAfterSeconds > 0)) talks.get(f.conversation)?.refused(f.clientId, f.problem.detail || f.problem.title);
  else if (!f.clientId && !f.id) (me ? notice : refusal)([f.problem.title, f.problem.detail, f.problem.remedy].filter(Boolean).join(': '));
});

agent.addEventListener('typing', ({ detail: f }) => { if (f.conversation === open) typing(f.on ? f.from : null); });

agent.addEventListener('figures', ({ detail: f }) => {
  $('figures').replaceChildren(...f.queues.filter((q) => q.name !== 'bot' || q.waiting > 0).map((q) => {
    const li = element('li', q.waiting > 0 ? 'busy' : '');
    li.append(`${q.name} `, element('b', '', String(q.waiting)), ` ${words.waiting}`);
    if (q.overflowSteps || q.held?.length) {
      li.append(` · ${words.overflow(q.overflowSteps ?? 0, (q.held ?? []).map((h) => h.step))}`);
      li.title = (q.held ?? []).map((h) => `${h.step} ${h.action}: ${words.heldBy(h.by, clock(h.until), h.reason)}`).join('\n');
    }
    return li;
  }), ...(f.pools ?? []).flatMap((p) => (p.reserve ?? []).filter((r) => r.called).map((r) => {
    const li = element('li', 'busy', `${p.name} · ${words.reserveCalled(r.name)}`);
    if (r.by) li.title = words.heldBy(r.by, clock(r.until), r.reason);
    return li;
  })));
});

agent.addEventListener('connection', ({ detail: { online } }) => {
  if (!online) $('connection').textContent = words.offline;
});

agent.addEventListener('signedOut', () => {
  refusal(words.wrongToken);
  leave();
});

function refusal(text) { $('signin-problem').textContent = text; }

// ---- the page

function talk(id) {
  if (!talks.has(id)) talks.set(id, new Talk(id, words, me.id));
  return talks.get(id);
}

function render() {
  const all = [...talks.values()];
  const offers = all.filter((t) => t.relation === 'offered');
  const own = all.filter((t) => t.relation === 'owned');
  $('offers-part').hidden = offers.length === 0;
  $('offers').replaceChildren(...offers.map(offer));
  $('own').replaceChildren(...own.map(item));
  $('empty').hidden = own.length > 0;
  const watched = all.filter((t) => t.relation === 'watched');
  $('watched-part').hidden = watched.length === 0;
  $('watched').replaceChildren(...watched.map(item));
  const news = offers.length + own.reduce((n, t) => n + t.unread, 0);
  document.title = news ? `(${news}) ${words.title}` : words.title;
}

// offer is made once and kept: what is made anew each second cannot be clicked on or tabbed to.
function offer(t) {
  if (t.offer) return t.offer;
  const li = element('li', 'offer');
  li.append(element('b', '', `${t.name} · ${t.card.queue}`));
  if (t.card.handOff) li.append(element('p', 'reason', t.card.handOff.reason.words));
  if (t.card.why?.length) li.append(reasons(t.card.why));
  t.countdown = element('p');
  li.append(t.countdown);
  count(t);
  const row = element('div', 'row');
  row.append(
    button('primary', words.accept, () => ask({ type: 'accept', conversation: t.id })),
    button('quiet', words.decline, () => ask({ type: 'decline', conversation: t.id })),
  );
  li.append(row);
  t.offer = li;
  return li;
}

function reasons(lines) {
  const d = element('details', 'why');
  const ul = element('ul');
  ul.append(...lines.map((text) => element('li', '', text)));
  d.append(element('summary', '', words.why), ul);
  return d;
}

function count(t) {
  const left = Math.max(0, Math.round((new Date(t.card.deadline) - Date.now()) / 1000));
  t.countdown.textContent = `${words.waited(clock(t.card.arrivedAt))} · ${words.seconds(left)}`;
}

function item(t) {
  const li = element('li');
  const b = button('item', '', () => show(t.id));
  b.ariaCurrent = String(t.id === open);
  b.append(element('b', '', t.name), t.unread ? element('span', 'badge', String(t.unread)) : element('span', '', t.card.queue), element('span', '', t.last));
  li.append(b);
  return li;
}

function show(id) {
  const before = talks.get(open);
  if (before) before.draft = $('text').value;
  open = id;
  const t = talks.get(id);
  $('talk').hidden = !t;
  $('nothing').hidden = Boolean(t);
  $('story').hidden = !t;
  $('app').classList.toggle('open', Boolean(t));
  typing(null);
  if (!t) return;
  t.unread = 0;
  fill(t);
  arrange(t);
  $('text').value = t.draft;
  render();
  scroll();
  $('text').focus();
}

// arrange offers what the agent may do with the conversation: what is another's takes notes only.
function arrange(t) {
  const watches = t.relation === 'watched';
  $('form').hidden = !watches && !t.mine;
  for (const id of ['handoff', 'close', 'as-reply']) $(id).hidden = !t.mine;
  $('more').hidden = !t.mine && !(watches && me.role !== 'agent');
  $('postpone').hidden = !t.mine;
  $('takeover').hidden = !watches || me.role === 'agent';
  $('unwatch').hidden = !watches;
  setNote(watches);
}

function fill(t) {
  $('who').textContent = t.name;
  $('about').textContent = [t.card.queue, t.card.language, t.card.openedAt && clock(t.card.openedAt)].filter(Boolean).join(' · ');
  $('log').replaceChildren(t.log);
  t.log.className = 'log-inner';
  $('story').replaceChildren(...t.story());
}

// showFound shows a conversation that is not the agent's, to read only.
async function showFound(id) {
  if (talks.get(id)?.relation === 'owned') { show(id); return; }
  try {
    const found = await transcriptOf(agent, id);
    const t = new Talk(id, words, me.id);
    t.card = found.conversation;
    for (const m of found.messages) t.add(m);
    show(null);
    for (const part of ['talk', 'story']) $(part).hidden = false;
    $('nothing').hidden = true;
    $('app').classList.add('open');
    fill(t);
    arrange(t);
  } catch (p) { notice(p.detail || p.title); }
}

function scroll() { $('log').scrollTop = $('log').scrollHeight; }

function typing(from) {
  clearTimeout(typingTimer);
  $('typing').hidden = !from;
  if (!from) return;
  $('typing').textContent = words.typing(from.name || words[from.kind] || words.customer);
  typingTimer = setTimeout(() => typing(null), 6000);
}

let noticeTimer = 0;
function notice(text) {
  clearTimeout(noticeTimer);
  $('notice').hidden = !text;
  $('notice').textContent = text;
  noticeTimer = setTimeout(() => { $('notice').hidden = true; }, 15_000);
}

function leave() {
  me = null;
  notice('');
  talks.clear();
  agent.seen.clear();
  show(null);
  render();
  $('app').hidden = true;
  $('signin').hidden = false;
  $('token').value = '';
  $('token').focus();
}

// ---- what the agent does

async function ask(frame) {
  try { await agent.ask(frame); } catch (p) { notice([p.title, p.detail, p.remedy].filter(Boolean).join(': ')); }
}

$('signin-form').addEventListener('submit', (e) => {
  e.preventDefault();
  refusal('');
  agent.signIn($('token').value.trim());
});
$('signout').addEventListener('click', () => { agent.signOut(); leave(); });
$('presence').addEventListener('click', (e) => {
  const wanted = e.target.dataset.presence;
  if (wanted) agent.presence(wanted).catch((p) => notice(p.detail || p.title));
});
$('back').addEventListener('click', () => show(null));

function setNote(on) {
  asNote = on;
  $('as-reply').ariaChecked = String(!on);
  $('as-note').ariaChecked = String(on);
  $('form').classList.toggle('note', on);
  $('text').placeholder = on ? words.writeNote : words.write;
  $('text').ariaLabel = $('text').placeholder;
}
setNote(false);
$('as-reply').addEventListener('click', () => setNote(false));
$('as-note').addEventListener('click', () => setNote(true));

function send() {
  const text = $('text').value.trim();
  const t = talks.get(open);
  if (!text || !t) return;
  t.sending(agent.say(open, text, asNote), text, asNote);
  $('text').value = '';
  typedAt = 0;
  setNote(!t.mine);
  scroll();
}
$('form').addEventListener('submit', (e) => { e.preventDefault(); send(); });
$('text').addEventListener('keydown', (e) => {
  if (e.key === 'Enter' && !e.shiftKey && !e.isComposing) { e.preventDefault(); send(); }
});
$('text').addEventListener('input', () => {
  const on = $('text').value !== '' && !asNote;
  if (asNote || (on && Date.now() - typedAt < 2000)) return;
  typedAt = on ? Date.now() : 0;
  agent.typing(open, on);
});

$('close').addEventListener('click', () => {
  const conversation = open;
  $('comment').value = '';
  dialog('closing', () => ask({ type: 'close', conversation, disposition: $('disposition').value, comment: $('comment').value || undefined }));
});
$('takeover').addEventListener('click', () => ask({ type: 'takeOver', conversation: open }));
$('unwatch').addEventListener('click', () => ask({ type: 'watch', conversation: open, on: false }));

setInterval(() => { for (const t of talks.values()) if (t.countdown) count(t); }, 1000);

if (agent.token) agent.connect();
else leave();
