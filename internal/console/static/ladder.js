// The degradation ladders of the queues, for supervisors: which steps apply, and holding and releasing them by hand.
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
  const change = async (q, s, method, body) => {
    const r = await fetch(`/console/v1/queues/${encodeURIComponent(q.name)}/steps/${s.step}`, {
      method, body: body && JSON.stringify(body), headers: { Authorization: `Bearer ${agent.token}`, ...(body && { 'Content-Type': 'application/json' }) },
    }).catch(() => undefined);
    show(r ? await r.json() : { title: words.offline });
  };
  const hold = (q, s) => {
    $('holding-what').textContent = `${q.name}: ${named(words, s)}`;
    $('holding-for').value = 60;
    $('holding-reason').value = s.held?.reason ?? '';
    dialog('holding', () => change(q, s, 'PUT', {
      until: new Date(Date.now() + $('holding-for').value * 60_000).toISOString(), reason: $('holding-reason').value,
    }));
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
  return async () => show(await get(agent, '/console/v1/queues').catch(() => ({ title: words.offline })));
}

function named(words, s) { return `${s.step} ${words.stepActions[s.action] ?? s.action}${s.target ? ` ${s.target}` : ''}`; }

function span(seconds) { return seconds < 120 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`; }
