// Search of the archive, for supervisors.
import { $, element, button, clock, get } from './dom.js';

export function setUpFind(agent, words, show) {
  $('find').textContent = words.find;
  $('finding-title').textContent = words.find;
  $('find-text').placeholder = words.findText;
  $('find-tag').placeholder = words.findTag;
  $('find-go').textContent = words.find;
  $('finding').querySelector('[value=cancel]').textContent = words.cancel;
  $('find').addEventListener('click', () => { $('hits').replaceChildren(); $('finding').showModal(); });
  $('find-form').addEventListener('submit', async (e) => {
    if (e.submitter?.value === 'cancel') return;
    e.preventDefault();
    const reply = await get(agent, `/console/v1/search?limit=50&q=${encodeURIComponent($('find-text').value)}&tag=${encodeURIComponent($('find-tag').value.trim())}`);
    $('hits').replaceChildren(...rows(reply, words, show));
  });
}

function rows(reply, words, show) {
  if (!reply.hits) return [element('li', '', reply.detail || reply.title)];
  if (reply.hits.length === 0) return [element('li', '', words.findNone)];
  return reply.hits.map((hit) => {
    const c = hit.conversation;
    const li = element('li');
    const open = button('', hit.message?.text || c.contactName || c.id, () => { $('finding').close(); show(c.id); });
    const at = new Date(hit.message?.at ?? c.openedAt);
    open.append(element('br'), element('small', '', [c.contactName || c.contact, c.status, c.queue, c.disposition, ...(c.tags ?? []), c.rating && `${c.rating.score}/5`, `${at.toLocaleDateString()} ${clock(at)}`].filter(Boolean).join(' · ')));
    li.append(open);
    return li;
  });
}

// transcriptOf reads a whole conversation.
export async function transcriptOf(agent, id) {
  let conversation = null;
  const messages = [];
  let after = '';
  do {
    const reply = await get(agent, `/console/v1/transcripts/${id}?limit=500&after=${encodeURIComponent(after)}`);
    if (!reply.items) throw reply;
    conversation = reply.conversation;
    messages.push(...reply.items.map((i) => i.event).filter((e) => e.type === 'message'));
    after = reply.next ?? '';
  } while (after);
  return { conversation, messages };
}
