export const $ = (id) => document.getElementById(id);

export function element(tag, cls = '', text = '') {
  const e = document.createElement(tag);
  if (cls) e.className = cls;
  if (text) e.textContent = text;
  return e;
}

export function button(cls, text, act) {
  const b = element('button', cls, text);
  b.type = 'button';
  b.onclick = act;
  return b;
}

let time = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
export function clock(at) { return time.format(new Date(at)); }
export function setClock(lang) { time = new Intl.DateTimeFormat(lang, { hour: '2-digit', minute: '2-digit' }); }

// dialog shows one and calls done when it is agreed to.
export function dialog(id, done) {
  const d = $(id);
  d.returnValue = '';
  d.onclose = () => { if (d.returnValue === 'ok') done(); };
  d.showModal();
}

// setDialog names the buttons of one.
export function setDialog(id, cancel, ok) {
  $(id).querySelector('[value=cancel]').textContent = cancel;
  $(id).querySelector('[value=ok]').textContent = ok;
}

export function option(value, text) {
  const o = element('option', '', text);
  o.value = value;
  return o;
}

// get reads something of the desk with the agent's token.
export async function get(agent, path) {
  const r = await fetch(path, { headers: { Authorization: `Bearer ${agent.token}` } });
  return r.json();
}
