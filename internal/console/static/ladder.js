// The degradation ladders of the queues and the reserve of the pools, for supervisors: which steps apply and which tiers are
// called in, and holding, calling and releasing them by hand.
import { $, button, clock, dialog, element, get, option, setDialog } from './dom.js';

const minutes = [15, 30, 60, 120, 240, 480, 1440];

export function setUpLadder(d) {
  const { words, agent } = d;
  $('holding-title').textContent = words.holdStep;
  $('holding-for-label').textContent = words.holdFor;
  $('holding-reason-label').textContent = words.holdReason;
  $('holding-for').replaceChildren(...minutes.map((m) => option(m, words.holdSpan(m))));
  setDialog('holding', words.cancel, words.holdStep);

  const show = (reply) => {
    if (!reply.queues) { $('steps').replaceChildren(element('li', '', [reply.detail || reply.title, reply.remedy].filter(Boolean).join(': '))); return; }
    const chosen = $('opening-queue').value;
    $('steps').replaceChildren(...reply.queues.filter((q) => !chosen || q.name === chosen)
      .flatMap((q) => (q.steps ?? []).map((s) => row(q, s))));
  };
  const showReserve = (reply) => {
    if (!reply.pools) { $('tiers').replaceChildren(element('li', '', [reply.detail || reply.title, reply.remedy].filter(Boolean).join(': '))); return; }
    $('tiers').replaceChildren(...reply.pools.flatMap((p) => p.tiers.map((t) => tier(p, t))));
  };
  const send = async (path, method, body) => {
    const r = await fetch(path, {
      method, body: body && JSON.stringify(body), headers: { Authorization: `Bearer ${agent.token}`, ...(body && { 'Content-Type': 'application/json' }) },
    }).catch(() => undefined);
    return r ? r.json() : { title: words.offline };
  };
  const change = async (q, s, method, body) => show(await send(`/console/v1/queues/${encodeURIComponent(q.name)}/steps/${s.step}`, method, body));
  const call = async (p, t, method, body) => showReserve(await send(`/console/v1/pools/${encodeURIComponent(p.pool)}/reserve/${encodeURIComponent(t.name)}`, method, body));
  const ask = (what, reason, act) => {
    $('holding-what').textContent = what;
    $('holding-for').value = 60;
    $('holding-reason').value = reason ?? '';
    dialog('holding', () => act({
      until: new Date(Date.now() + $('holding-for').value * 60_000).toISOString(), reason: $('holding-reason').value,
    }));
  };
  const hold = (q, s) => ask(`${q.name}: ${named(words, s)}`, s.held?.reason, (body) => change(q, s, 'PUT', body));
  const tier = (p, t) => {
    const li = element('li');
    const about = element('div');
    const state = t.by ? words.heldBy(t.by, clock(t.until), t.reason) : t.called ? words.reserveCalled(t.name) : words.reserveFree(t.seats);
    about.append(`${p.pool}: ${t.name}`, element('br'), element('small', t.called ? 'on' : '', state));
    li.append(about, button('quiet', words.callReserve, () => ask(`${p.pool}: ${t.name}`, t.reason, (body) => call(p, t, 'PUT', body))));
    if (t.by) li.append(button('quiet strong', words.releaseStep, () => call(p, t, 'DELETE')));
    return li;
  };
  const row = (q, s) => {
    const li = element('li');
    const about = element('div');
    const state = s.held ? words.heldBy(s.held.by, clock(s.held.until), s.held.reason) : s.reached ? words.stepReached : words.stepFrom(span(s.predictedWaitSeconds));
    about.append(`${q.name}: ${named(words, s)}`, element('br'), element('small', s.held || s.reached ? 'on' : '', state));
    li.append(about, button('quiet', words.holdStep, () => hold(q, s)));
    if (s.held) li.append(button('quiet strong', words.releaseStep, () => change(q, s, 'DELETE')));
    return li;
  };
  // load shows the ladders as they are now.
  return async () => {
    const failed = () => ({ title: words.offline });
    const [queues, reserve] = await Promise.all(['queues', 'reserve'].map((what) => get(agent, `/console/v1/${what}`).catch(failed)));
    show(queues);
    showReserve(reserve);
  };
}

function named(words, s) { return `${s.step} ${words.stepActions[s.action] ?? s.action}${s.target ? ` ${s.target}` : ''}`; }

function span(seconds) { return seconds < 120 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`; }
