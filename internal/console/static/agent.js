// The connection of an agent to the desk: it signs in, resumes by sequence, keeps what was not acknowledged,
// and never comes back together with others. The token stays in this tab's session storage only.

const STORE = 'deskfleet.console';
const FIRST_PAUSE = 500;
const MOST_PAUSE = 15_000;
const SILENCE = 60_000; // pings come every 25 s
const STABLE = 10_000;
const NO_TOKEN = 4401;

export class Agent extends EventTarget {
  #address; #socket = null; #attempt = 0; #timer = 0; #silence = 0; #stable = 0; #hint = 0;
  #token = ''; #presence = ''; #ready = false; #next = 1; #asked = new Map();
  #outbox = []; #inFlight = null;
  seen = new Map(); // conversation → greatest sequence
  watched = new Set(); // conversations that are another's: they are asked for again, not resumed

  constructor(address) {
    super();
    this.#address = address;
    try { ({ token: this.#token = '', presence: this.#presence = '' } = JSON.parse(sessionStorage.getItem(STORE)) ?? {}); } catch { /* private mode */ }
    addEventListener('online', () => this.#soon());
  }

  get token() { return this.#token; }

  signIn(token) { this.#token = token; this.#keep(); this.connect(); }

  signOut() {
    if (this.#ready) this.#send({ type: 'presence', presence: 'offline' });
    this.#token = this.#presence = '';
    sessionStorage.removeItem(STORE);
    const socket = this.#socket;
    this.#socket = null;
    clearTimeout(this.#timer);
    socket?.close(1000);
  }

  connect() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    const socket = new WebSocket(this.#address);
    this.#socket = socket;
    this.#hint = 0;
    socket.onopen = () => {
      this.#heard();
      this.#send({ type: 'signIn', v: 1, token: this.#token, presence: this.#presence || undefined, resume: Object.fromEntries([...this.seen].filter(([id]) => !this.watched.has(id))) });
    };
    socket.onmessage = (e) => { this.#heard(); this.#take(JSON.parse(e.data)); };
    socket.onclose = (e) => { if (socket === this.#socket) this.#lost(e.code); };
  }

  // ask sends a request; the promise is refused with the problem.
  ask(frame) {
    if (!this.#ready) return Promise.reject({ title: 'offline' });
    const id = String(this.#next++);
    return new Promise((resolve, reject) => {
      this.#asked.set(id, { resolve, reject });
      this.#send({ ...frame, id });
    });
  }

  presence(presence) {
    this.#presence = presence;
    this.#keep();
    return this.ask({ type: 'presence', presence });
  }

  // say keeps the message until the desk has stored or refused it.
  say(conversation, text, note) {
    const m = { type: 'message', conversation, text, note: note || undefined, clientId: id() };
    this.#outbox.push(m);
    this.#flush();
    return m.clientId;
  }

  typing(conversation, on) { if (this.#ready) this.#send({ type: 'typing', conversation, on }); }

  #take(f) {
    switch (f.type) {
      case 'welcome':
        this.#ready = true;
        this.#stable = setTimeout(() => { this.#attempt = 0; }, STABLE);
        break;
      case 'presence':
        // Set away by the router: coming back as available would undo it.
        if (f.signedOn && f.why?.length) { this.#presence = f.presence; this.#keep(); }
        break;
      case 'conversation':
        if (f.anew) this.seen.delete(f.conversation);
        if (f.relation === 'watched') this.watched.add(f.conversation); else this.watched.delete(f.conversation);
        if (f.relation === 'none') this.#drop(f.conversation);
        break;
      case 'message':
        if (f.seq <= (this.seen.get(f.conversation) ?? 0)) return;
        this.seen.set(f.conversation, f.seq);
        this.#settled(f.clientId);
        break;
      case 'caughtUp': if (!this.seen.has(f.conversation)) this.seen.set(f.conversation, 0); break;
      case 'ack': this.#settled(f.clientId); break;
      case 'done': this.#asked.get(f.id)?.resolve(); this.#asked.delete(f.id); break;
      case 'error': this.#refused(f); break;
      case 'goodbye': this.#hint = f.retryAfterMillis; break;
    }
    this.dispatchEvent(new CustomEvent(f.type, { detail: f }));
    if (f.type === 'welcome') {
      // Supervisors need not be in any pool: they take conversations only when they say so.
      if (!this.#presence && f.agent.role === 'agent') this.presence('available').catch(() => {});
      this.dispatchEvent(new CustomEvent('connection', { detail: { online: true } }));
      for (const conversation of [...this.watched]) this.ask({ type: 'watch', conversation, on: true }).catch(() => this.#unwatched(conversation));
      this.#flush();
    }
  }

  // unwatched tells the page that a conversation has ended while there was no connection.
  #unwatched(conversation) {
    if (!this.#ready) return;
    this.watched.delete(conversation);
    this.#drop(conversation);
    this.dispatchEvent(new CustomEvent('conversation', { detail: { conversation, relation: 'none', card: { status: 'Closed' } } }));
  }

  #drop(conversation) {
    this.seen.delete(conversation);
    this.#outbox = this.#outbox.filter((m) => m.conversation !== conversation);
    this.#inFlight = null;
    this.#flush();
  }

  #settled(clientId) {
    if (!clientId) return;
    this.#outbox = this.#outbox.filter((m) => m.clientId !== clientId);
    if (this.#inFlight === clientId) this.#inFlight = null;
    this.#flush();
  }

  #refused(f) {
    if (f.id) {
      this.#asked.get(f.id)?.reject(f.problem);
      this.#asked.delete(f.id);
      return;
    }
    if (!f.clientId) return;
    const seconds = f.problem.retryAfterSeconds ?? 0;
    if (seconds > 0) {
      this.#inFlight = null;
      setTimeout(() => this.#flush(), seconds * 1000 * (1 + Math.random() / 4));
      return;
    }
    this.#settled(f.clientId);
  }

  // flush sends the oldest message that was not acknowledged, one at a time, so that their order stays.
  #flush() {
    if (!this.#ready || this.#inFlight || this.#outbox.length === 0) return;
    this.#inFlight = this.#outbox[0].clientId;
    this.#send(this.#outbox[0]);
  }

  #send(frame) { if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(frame)); }

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
    for (const { reject } of this.#asked.values()) reject({ title: 'offline' });
    this.#asked.clear();
    if (code === NO_TOKEN) {
      this.#token = '';
      sessionStorage.removeItem(STORE);
      this.dispatchEvent(new CustomEvent('signedOut', { detail: { wrong: true } }));
      return;
    }
    this.dispatchEvent(new CustomEvent('connection', { detail: { online: false } }));
    const most = Math.min(MOST_PAUSE, FIRST_PAUSE * 2 ** this.#attempt++);
    this.#timer = setTimeout(() => this.connect(), this.#hint > 0 ? this.#hint : Math.random() * most);
  }

  #soon() { if (!this.#socket && this.#timer) this.connect(); }

  #keep() {
    try { sessionStorage.setItem(STORE, JSON.stringify({ token: this.#token, presence: this.#presence })); } catch { /* private mode */ }
  }
}

function id() {
  const raw = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(raw, (b) => b.toString(16).padStart(2, '0')).join('');
}
