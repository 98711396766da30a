// What the page shows of one conversation: its transcript and the story of how it came to the agent.
import { element, clock } from './dom.js';

export class Talk {
  constructor(id, words, me) {
    this.id = id;
    this.words = words;
    this.me = me;
    this.card = {};
    this.relation = 'none';
    this.unread = 0;
    this.last = '';
    this.log = element('div');
    this.byClient = new Map();
    this.draft = '';
  }

  get mine() { return this.relation === 'owned'; }
  get name() { return this.card.contactName || `${this.words.customer} ${(this.card.contact ?? '').slice(-4)}`; }

  // add shows a stored message; one of this agent that is shown as being sent becomes a stored one.
  add(m) {
    const waiting = this.byClient.get(m.clientId);
    if (waiting) {
      waiting.classList.remove('sending');
      waiting.querySelector('.name').textContent = this.#head(m);
      return;
    }
    this.byClient.set(m.clientId, this.#show(m));
    if (!m.note) this.last = m.text;
  }

  // sending shows a message that is not stored yet.
  sending(clientId, text, note) {
    const item = this.#show({ from: { kind: 'agent', id: this.me }, text, note, at: Date.now() });
    item.classList.add('sending');
    item.querySelector('.name').textContent = this.words.sending;
    this.byClient.set(clientId, item);
  }

  refused(clientId, why) {
    const item = this.byClient.get(clientId);
    if (!item) return;
    item.classList.remove('sending');
    item.classList.add('refused');
    item.querySelector('.name').textContent = `${this.words.refused}: ${why}`;
  }

  clear() {
    this.log.replaceChildren();
    this.byClient.clear();
  }

  #head(m) {
    const who = m.from.kind === 'customer' ? this.name : m.from.name || this.words[m.from.kind];
    const extra = [m.missed && this.words.unsure, m.asksForPerson && this.words.asksPerson, m.note && this.words.note].filter(Boolean);
    return [who, clock(m.at), ...extra].join(' · ');
  }

  #show(m) {
    const mine = m.from.kind === 'agent' && m.from.id === this.me;
    const side = m.from.kind === 'customer' ? '' : mine ? 'mine' : 'desk';
    const item = element('div', `msg ${side} ${m.note ? 'note' : ''}`);
    item.append(element('span', 'name', this.#head(m)), element('div', 'bubble', m.text));
    if (m.entry) item.append(element('span', 'source', `${this.words.source}: ${m.entry.question || m.entry.id} (${Math.round(m.entry.confidence * 100)} %)`));
    this.log.append(item);
    return item;
  }

  // story tells why the conversation is here.
  story() {
    const w = this.words;
    const h = this.card.handOff;
    const parts = [];
    if (h) {
      const reason = part(w.handOffReason, element('p', 'reason', h.reason.words));
      parts.push(reason);
      if (h.summary) parts.push(part(w.summary, element('p', '', h.summary)));
      if (h.intents?.length) parts.push(part(w.intents, element('p', '', h.intents.join(', '))));
      if (h.tried?.length) parts.push(part(w.tried, list(h.tried.map((t) => [t.question || t.id, `${t.knowledgeBase}/${t.id} · ${Math.round(t.confidence * 100)} %`]))));
      parts.push(part(w.verification, element('p', '', h.verification === 'none' ? w.none2 : h.verification)));
    }
    if (this.card.tags?.length) {
      const tags = element('div', 'tags');
      tags.append(...this.card.tags.map((t) => element('span', '', t)));
      parts.push(part(w.tags, tags));
    }
    if (this.relation === 'watched' && this.card.agent) parts.push(part(w.has, element('p', '', this.card.agent.name || this.card.agent.id)));
    if (this.card.callback) parts.push(part(w.contact, element('p', 'reason', w.placeKept)));
    parts.push(part(w.contact, list([[this.name, [this.card.contact, this.card.language, this.card.channel].filter(Boolean).join(' · ')]])));
    if (this.card.why?.length) parts.push(part(w.why, list(this.card.why.map((t) => [t]))));
    return parts;
  }
}

function part(title, content) {
  const p = element('section');
  p.append(element('h3', '', title), content);
  return p;
}

function list(rows) {
  const ul = element('ul');
  for (const [text, small] of rows) {
    const li = element('li', '', text);
    if (small) li.append(element('br'), element('small', '', small));
    ul.append(li);
  }
  return ul;
}
