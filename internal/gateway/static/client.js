// The connection to the desk: it resumes by sequence, keeps what was not acknowledged, and never comes back
// together with others. It knows nothing of the page.

const STORE = 'deskfleet.chat';
const FIRST_PAUSE = 500;
const MOST_PAUSE = 30_000;
const SILENCE = 60_000; // pings come every 25 s
const STABLE = 10_000;
const NO_TOKEN = 4401;
const RULE_BROKEN = 1008;

export class Client extends EventTarget {
  #address; #language; #socket = null; #attempt = 0; #timer = 0; #silence = 0; #stable = 0;
  #seq = 0; #ready = false; #hint = 0; #inFlight = null; #kept;

  constructor(address, language) {
    super();
    this.#address = address;
    this.#language = language;
    this.#kept = { token: '', conversation: '', outbox: [], ...load() };
    addEventListener('online', () => this.#soon());
    document.addEventListener('visibilitychange', () => { if (!document.hidden) this.#soon(); });
  }

  get conversation() { return this.#kept.conversation; }
  get outbox() { return this.#kept.outbox; }

  connect() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    const socket = new WebSocket(this.#address);
    this.#socket = socket;
    this.#ready = false;
    this.#hint = 0;
    socket.onopen = () => {
      this.#heard();
      this.#send({
        type: 'hello', v: 1, token: this.#kept.token || undefined, language: this.#language,
        conversation: this.#kept.conversation || undefined, resumeAfter: this.#seq,
      });
    };
    socket.onmessage = (e) => { this.#heard(); this.#take(JSON.parse(e.data)); };
    socket.onclose = (e) => { if (socket === this.#socket) this.#lost(e.code); };
  }

  // say keeps the message until the desk has stored it, also over a reload of the page.
  say(text) {
    const m = { clientId: id(), text, conversation: this.#kept.conversation };
    this.#kept.outbox.push(m);
    this.#keep();
    this.#flush();
    return m;
  }

  // forget drops a message that was refused.
  forget(clientId) {
    this.#kept.outbox = this.#kept.outbox.filter((m) => m.clientId !== clientId);
    this.#keep();
  }

  typing(on) { if (this.#ready) this.#send({ type: 'typing', on }); }
  // callBack waits elsewhere: until the time, or until it is the customer's turn.
  callBack(until) { if (this.#ready) this.#send({ type: 'callBack', until }); }
  rate(score, comment) { if (this.#ready) this.#send({ type: 'rate', conversation: this.#kept.conversation, score, comment: comment || undefined }); }
  close() { if (this.#ready) this.#send({ type: 'close' }); }

  #take(f) {
    if (f.seq && (f.type === 'message' || f.type === 'state')) {
      if (f.seq <= this.#seq) return;
      this.#seq = f.seq;
    }
    switch (f.type) {
      case 'welcome': this.#welcome(f); break;
      case 'caughtUp':
        if (f.conversation) this.#show(f.conversation);
        this.#ready = true;
        this.#stable = setTimeout(() => { this.#attempt = 0; }, STABLE);
        break;
      case 'message': case 'state': this.#show(f.conversation); break;
      case 'ack': this.#show(f.conversation); break;
      case 'goodbye': this.#hint = f.retryAfterMillis; break;
    }
    if (f.type === 'ack' || (f.type === 'message' && f.from.kind === 'customer')) this.#stored(f.clientId);
    if (f.type === 'error') this.#refused(f);
    this.dispatchEvent(new CustomEvent(f.type, { detail: f }));
    if (f.type === 'caughtUp') {
      this.dispatchEvent(new CustomEvent('connection', { detail: { online: true } }));
      this.#flush();
    }
  }

  #welcome(f) {
    if (f.anew) this.#seq = 0;
    this.#kept.token = f.token;
    this.#keep();
  }

  #show(conversation) {
    if (conversation === this.#kept.conversation) return;
    this.#kept.conversation = conversation;
    this.#keep();
  }

  #stored(clientId) {
    if (this.#inFlight === clientId) this.#inFlight = null;
    this.forget(clientId);
    this.#flush();
  }

  #refused(f) {
    if (!f.clientId) return;
    if (this.#inFlight === f.clientId) this.#inFlight = null;
    const seconds = f.problem.retryAfterSeconds ?? 0;
    if (seconds > 0) {
      setTimeout(() => this.#flush(), seconds * 1000 * (1 + Math.random() / 4));
      return;
    }
    this.forget(f.clientId);
    this.#flush();
  }

  // flush sends the oldest message that was not acknowledged. One at a time: a message that must be sent
  // again must not fall behind a later one.
  #flush() {
    if (!this.#ready || this.#inFlight || this.#kept.outbox.length === 0) return;
    const m = this.#kept.outbox[0];
    this.#inFlight = m.clientId;
    this.#send({ type: 'message', clientId: m.clientId, text: m.text, conversation: m.conversation || undefined });
  }

  #send(frame) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(frame));
  }

  #heard() {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => { this.#socket?.close(); this.#lost(0); }, SILENCE);
  }

  #lost(code) {
    clearTimeout(this.#silence);
    clearTimeout(this.#stable);
    this.#socket = null;
    this.#ready = false;
    this.#inFlight = null;
    this.dispatchEvent(new CustomEvent('connection', { detail: { online: false } }));
    if (code === NO_TOKEN) {
      this.#kept = { ...this.#kept, token: '', conversation: '' };
      this.#seq = 0;
      this.#keep();
    }
    if (code === RULE_BROKEN) this.#attempt = 10;
    const most = Math.min(MOST_PAUSE, FIRST_PAUSE * 2 ** this.#attempt++);
    const pause = this.#hint > 0 ? this.#hint : Math.random() * most;
    this.#timer = setTimeout(() => this.connect(), pause);
  }

  // soon reconnects at once when the browser says that the network is back or the page is looked at.
  #soon() { if (!this.#socket && this.#timer) this.connect(); }

  #keep() {
    try { localStorage.setItem(STORE, JSON.stringify(this.#kept)); } catch { /* private mode: it lasts as long as the page */ }
  }
}

function load() {
  try { return JSON.parse(localStorage.getItem(STORE)) ?? {}; } catch { return {}; }
}

function id() {
  const raw = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(raw, (b) => b.toString(16).padStart(2, '0')).join('');
}
