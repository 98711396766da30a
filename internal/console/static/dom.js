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
