// Reports of agents and queues, for supervisors.
import { $, element, option } from './dom.js';

const days = [1, 7, 30, 90];

export function setUpReport(agent, words) {
  $('report').textContent = words.report;
  $('reporting-title').textContent = words.report;
  $('report-csv').textContent = words.reportTable;
  $('report-by').setAttribute('aria-label', words.report);
  $('report-days').setAttribute('aria-label', words.reportRange);
  $('reporting').querySelector('[value=cancel]').textContent = words.close2;
  for (const by of ['agents', 'queues']) $('report-by').append(option(by, words.reportBy[by]));
  for (const n of days) $('report-days').append(option(n, words.reportDays(n)));
  const show = async () => {
    const r = await fetch(path(), { headers: { Authorization: `Bearer ${agent.token}` } });
    fill(await r.json(), words);
  };
  $('report').addEventListener('click', () => { $('reporting').showModal(); show(); });
  $('report-by').addEventListener('change', show);
  $('report-days').addEventListener('change', show);
  $('report-csv').addEventListener('click', async () => {
    // The token must not stand in an address, so that the table cannot be a link.
    const r = await fetch(`${path()}&format=csv`, { headers: { Authorization: `Bearer ${agent.token}` } });
    if (!r.ok) return fill(await r.json(), words);
    const a = element('a');
    a.href = URL.createObjectURL(await r.blob());
    a.download = `report-${$('report-by').value}.csv`;
    a.click();
    URL.revokeObjectURL(a.href);
  });
}

function path() {
  const to = new Date();
  const from = new Date(to - $('report-days').value * 86400000);
  return `/console/v1/reports/${$('report-by').value}?from=${from.toISOString()}&to=${to.toISOString()}`;
}

// columns of the table on the page; the downloaded one has all.
const columns = [
  ['name', (r) => r.name || r.id], ['conversations', (r) => r.conversations], ['serviceLevel', (r) => percent(r.serviceLevel)],
  ['abandonmentShare', (r) => percent(r.abandonmentShare)], ['wait', (r) => spans(r.wait)], ['firstResponse', (r) => spans(r.firstResponse)],
  ['handle', (r) => spans(r.handle)], ['occupancy', (r) => percent(r.occupancy)], ['csat', (r) => r.ratings ? `${percent(r.csat)} (${r.ratings})` : undefined],
  ['complaints', (r) => r.complaints], ['firstContactResolution', (r) => percent(r.firstContactResolution)], ['reopened', (r) => r.reopened],
  ['transfers', (r) => r.transfers], ['deflectionShare', (r) => percent(r.deflectionShare)],
];

function fill(reply, words) {
  if (!reply.rows) {
    $('report-head').replaceChildren();
    $('report-rows').replaceChildren();
    $('report-note').textContent = reply.detail || reply.title;
    return;
  }
  $('report-head').replaceChildren(...columns.map(([key]) => {
    const th = element('th', '', words.reportColumns[key]);
    th.scope = 'col';
    return th;
  }));
  $('report-rows').replaceChildren(...reply.rows.map((row) => {
    const tr = element('tr');
    tr.append(...columns.map(([key, of]) => {
      const cell = element(key === 'name' ? 'th' : 'td', '', String(of(row) ?? '–'));
      if (key === 'name') cell.scope = 'row';
      return cell;
    }));
    return tr;
  }));
  $('report-note').textContent = reply.rows.length === 0 ? words.reportNone : words.reportNote;
}

function percent(share) { return share === undefined ? undefined : `${Math.round(share * 100)} %`; }

function spans(s) { return s.count === 0 ? undefined : [s.meanSeconds, s.p50Seconds, s.p90Seconds].map(seconds).join(' / '); }

function seconds(s) { return s < 100 ? `${Math.round(s)} s` : `${Math.floor(s / 60)}:${String(Math.floor(s % 60)).padStart(2, '0')}`; }
