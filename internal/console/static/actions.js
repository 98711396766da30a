// What an agent does with a conversation besides answering: hand-off, later work, tags, merge.
import { $, dialog, get, option, setDialog } from './dom.js';

export function setUpActions(d) {
  const { words, ask } = d;
  for (const [id, text] of Object.entries({
    'moving-title': words.handOff, 'queue-label': words.queue, 'reason-label': words.reason, 'colleague-label': words.colleague, 'summary-label': words.summaryLabel,
    'tag': words.tags, 'tagging-title': words.tags, 'tags-label': words.tagsLabel,
    'postpone': words.postpone, 'postponing-title': words.postpone, 'until-label': words.until, 'promised-label': words.promised,
    'merge': words.merge, 'merging-title': words.merge, 'merging-text': words.mergeText, 'into-label': words.into,
  })) $(id).textContent = text;
  $('more-title').setAttribute('aria-label', words.more);
  setDialog('moving', words.cancel, words.handOff);
  setDialog('tagging', words.cancel, words.save);
  setDialog('postponing', words.cancel, words.save);
  setDialog('merging', words.cancel, words.merge);
  $('more').addEventListener('click', (e) => { if (e.target.type === 'button') $('more').open = false; });

  $('handoff').addEventListener('click', async () => {
    const conversation = d.shown().id;
    $('reason').value = $('summary-note').value = '';
    $('queue').replaceChildren(...d.desk().queues.map((q) => option(q, q)));
    $('colleague').replaceChildren(option('', words.anybody));
    dialog('moving', () => {
      const to = $('colleague').value;
      ask({ type: 'handOff', conversation, agent: to || undefined, queue: to ? undefined : $('queue').value, reason: $('reason').value, summary: $('summary-note').value || undefined });
    });
    $('queue').disabled = false;
    const reply = await get(d.agent, '/console/v1/agents').catch(() => ({}));
    const others = (reply.agents ?? []).filter((a) => a.id !== d.me().id && a.presence === 'available' && !a.draining);
    $('colleague').append(...others.map((a) => option(a.id, `${a.id} (${a.busy}/${a.slots})`)));
  });
  $('colleague').addEventListener('change', () => { $('queue').disabled = $('colleague').value !== ''; });

  $('postpone').addEventListener('click', () => {
    const conversation = d.shown().id;
    const now = new Date(Date.now() - new Date().getTimezoneOffset() * 60_000);
    $('until').min = now.toISOString().slice(0, 16);
    $('until').value = new Date(now.getTime() + 3600_000).toISOString().slice(0, 16);
    $('promised').checked = false;
    dialog('postponing', () => ask({ type: 'postpone', conversation, until: new Date($('until').value).toISOString(), callBack: $('promised').checked || undefined }));
  });

  $('tag').addEventListener('click', () => {
    const t = d.shown();
    $('tags').value = (t.card.tags ?? []).join(' ');
    dialog('tagging', () => ask({ type: 'tag', conversation: t.id, tags: [...new Set($('tags').value.split(/[\s,，、]+/).filter(Boolean))] }));
  });

  $('merge').addEventListener('click', () => {
    const t = d.shown();
    const others = [...d.talks.values()].filter((o) => o !== t && (o.mine || o.relation === 'watched'));
    if (others.length === 0) { d.notice(words.mergeNone); return; }
    $('into').replaceChildren(...others.map((o) => option(o.id, `${o.name} · ${o.card.channel || 'web'} · ${o.last.slice(0, 40)}`)));
    dialog('merging', () => ask({ type: 'merge', conversation: t.id, into: $('into').value }));
  });
}
