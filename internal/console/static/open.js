// The open conversations of the desk, for supervisors; for agents, what they have put aside.
import { $, button, clock, element, get, option } from './dom.js';
import { setUpLadder } from './ladder.js';

export function setUpOpen(d) {
  const { words, agent } = d;
  $('opening-close').textContent = words.close2;
  const supervises = () => d.me().role !== 'agent';
  const ladder = setUpLadder(d);
  const load = async () => {
    if (supervises()) ladder();
    const path = supervises() ? `/console/v1/conversations?limit=200&queue=${encodeURIComponent($('opening-queue').value)}` : '/console/v1/conversations?limit=200&status=Pending';
    const reply = await get(agent, path).catch(() => ({ title: words.offline }));
    if (!reply.conversations) { $('opening-list').replaceChildren(element('li', '', reply.detail || reply.title)); return; }
    const rows = reply.conversations.map((c) => row(d, c, supervises()));
    $('opening-list').replaceChildren(...(rows.length ? rows : [element('li', '', words.openedNone)]));
  };
  $('opened').addEventListener('click', () => {
    $('opening-queue').hidden = !supervises();
    $('opening-queue').setAttribute('aria-label', words.queue);
    $('opening-queue').replaceChildren(option('', words.allQueues), ...d.desk().queues.map((q) => option(q, q)));
    $('opening-list').replaceChildren();
    $('steps').replaceChildren();
    $('opening').showModal();
    load();
  });
  $('opening-queue').addEventListener('change', load);
  return () => {
    $('opened').textContent = $('opening-title').textContent = supervises() ? words.opened : words.ownOpened;
  };
}

function row(d, c, supervises) {
  const { words, ask } = d;
  const li = element('li');
  const about = element('div');
  const since = c.deadline && ['Pending', 'CallbackPending'].includes(c.status) ? words.untilShort(`${new Date(c.deadline).toLocaleDateString()} ${clock(c.deadline)}`) : clock(c.arrivedAt || c.openedAt);
  about.append(c.contactName || `${words.customer} ${(c.contact ?? '').slice(-4)}`, element('br'),
    element('small', '', [words.statuses[c.status] ?? c.status, c.queue, c.agent?.name || c.agent?.id, since, c.position && `#${c.position}`, ...(c.tags ?? [])].filter(Boolean).join(' · ')));
  if (c.why?.length) about.title = c.why.join('\n');
  li.append(about);
  const own = c.agent?.id === d.me().id;
  const act = (type, more) => () => { $('opening').close(); ask({ type, conversation: c.id, ...more }); };
  if (!own) li.append(button('quiet', words.watch, act('watch', { on: true })));
  if (supervises && !own) li.append(button('quiet strong', words.takeOver, act('takeOver')));
  return li;
}
