// One line a record: any number of them, of which those in sight are fetched.

import { api } from './api.js';
import { address, go, overview } from './app.js';
import { atRest, bytes, count, dollars, fill, h, plural, say, seconds, snippet, stateWord, time } from './dom.js';

const ROW = 52;
const CHUNK = 100;
const CHUNKS_KEPT = 60;
// Browsers cut off elements beyond some 16 million pixels.
const HEIGHT_MAX = 8e6;
/** Values of a filter that are listed. */
const VALUES_MAX = 40;
/** The least width of question and answer beside columns that were chosen. */
const TEXTS_REM = 12;

const FACET_NAMES = { state: 'State', cause: 'Cause', check: 'Check not passed', model: 'Model', sample: 'Sample', finish_reason: 'Finish reason', attempts: 'Asks', rating: 'Rating' };
const NOTHING = { cause: 'none', check: 'none', model: 'unknown', finish_reason: 'unknown', attempts: 'no answer', rating: 'not rated' };

const COLUMNS = [
  { name: 'question', title: '#', width: '4.2rem', sort: 'question', number: true, always: true, cell: r => h('div', { class: 'td number place' }, count(r.question)) },
  { name: 'texts', title: 'Question and answer', width: 'minmax(0, 1fr)', always: true, cell: texts },
  { name: 'model', title: 'Model', width: '9.5rem', from: 1000, cell: r => h('div', { class: 'td', title: r.model }, r.model ?? '', r.sample ? ' · ' + r.sample : '') },
  { name: 'reasoning_tokens', title: 'Thinking', width: '5rem', sort: 'reasoning_tokens', number: true, from: 1150, cell: r => number(count(r.reasoning_tokens)) },
  { name: 'output_tokens', title: 'Tokens', width: '4.5rem', sort: 'output_tokens', number: true, from: 700, cell: r => number(count(r.output_tokens)) },
  { name: 'seconds', title: 'Seconds', width: '4.4rem', sort: 'seconds', number: true, from: 860, cell: r => number(seconds(r.seconds)) },
  { name: 'cost', title: 'Cost', width: '5rem', sort: 'cost', number: true, from: 1250, cell: r => number(dollars(r.cost)) },
  { name: 'answer_bytes', title: 'Length', width: '4.6rem', sort: 'answer_bytes', number: true, from: 1400, cell: r => number(bytes(r.answer_bytes)) },
  { name: 'answered_at', title: 'Answered', width: '11rem', sort: 'answered_at', from: 1800, cell: r => h('div', { class: 'td' }, r.answered_at ? time(r.answered_at) : '') },
  { name: 'rating', title: 'Rating', width: '4.4rem', sort: 'rating', from: 1500, cell: r => h('div', { class: 'td stars', title: r.rating ? r.rating + ' of 5' : '' }, '★'.repeat(r.rating ?? 0), r.has_note ? ' ✎' : '') },
];

/** The beginning of an answer without the signs of Markdown. */
const plain = ({ text, hits }) => hits.length ? { text, hits } : { text: text.replace(/[#*`|]+|^>+|-{3,}/gm, '').trim(), hits };

const number = words => h('div', { class: 'td number' }, words);

function texts(r) {
  const below = r.answer
    ? (r.reasoning_text && !r.answer_text.hits.length ? ['reasoning: ', snippet(r.reasoning_text)] : snippet(plain(r.answer_text)))
    : h('span', { class: ['pending', 'presumed', 'left_out'].includes(r.state) ? '' : 'bad-words' }, stateWord(r.state), r.cause ? ': ' + r.cause : '', r.check ? ' (' + r.check + ')' : '');
  return h('div', { class: 'td texts' }, h('div', { class: 'state ' + r.state }, snippet(r.question_text)), h('div', {}, below));
}

/** A filter in words. */
export const filterWords = (name, value) => name === 'q' ? '“' + value + '”' : (FACET_NAMES[name] ?? name.replace(/^min_/, 'from ').replace(/^max_/, 'to ')) + ': ' + (name === 'state' ? stateWord(value) : value || NOTHING[name]);

/** Columns that somebody chose, or undefined where the width decides. */
const chosen = () => address().said.get('columns')?.split(',');

export function list(main) {
  const facets = h('aside', { class: 'facets', 'aria-label': 'Filters', tabindex: '0' });
  const countOf = h('span', { class: 'count' });
  const chips = h('span', {});
  const columnBox = h('div', { class: 'columns' });
  const headRow = h('div', { class: 'tr th', role: 'row' });
  const windowOf = h('div', { class: 'window', role: 'presentation' });
  const spacer = h('div', { role: 'presentation' });
  const scroll = h('div', { class: 'scroll', tabindex: '0', role: 'rowgroup', 'aria-label': 'Records' }, windowOf, spacer);
  const empty = h('div', { class: 'empty', hidden: true });
  const grid = h('div', { class: 'grid', role: 'grid', 'aria-label': 'Records' }, h('div', { role: 'rowgroup' }, headRow), scroll);
  main.append(h('div', { class: 'list' }, facets,
    h('section', { class: 'records', 'aria-label': 'Records' }, h('div', { class: 'bar-row' }, countOf, chips, columnBox), grid, empty)));

  let filter = '', total = 0, revision = 0, selected = 0, top = 0, lastTop = 0;
  let chunks = new Map(), asked = new Map(), rows = new Map(), columns = [], columnsSaid, facetsAsked = null, facetsOf = null, settle = 0, drawn = 0;

  const height = () => scroll.clientHeight || 600;
  const whole = () => total * ROW;
  const span = () => Math.min(whole(), HEIGHT_MAX);

  function layOut() {
    const width = grid.clientWidth || innerWidth, own = chosen();
    columns = COLUMNS.filter(column => column.always || (own ? own.includes(column.name) : width >= (column.name === 'model' && overview?.models.length > 1 ? 620 : column.from)));
    const template = columns.map(column => own && column.name === 'texts' ? 'minmax(' + TEXTS_REM + 'rem, 1fr)' : column.width).join(' ');
    // What was chosen for a wide window is not squeezed into a narrow one.
    const least = columns.reduce((sum, column) => sum + 1 + (parseFloat(column.width) || TEXTS_REM), 1.2);
    grid.style.setProperty('--least', own ? least + 'rem' : '0');
    grid.style.setProperty('--columns', template);
    headRow.style.gridTemplateColumns = template;
    const { filter: said } = address();
    const sort = said.get('sort') ?? '';
    fill(headRow, columns.map(column => {
      if (!column.sort) return h('div', { role: 'columnheader', class: 'td' }, column.title);
      const by = sort.replace(/^-/, '') || 'question', down = sort.startsWith('-');
      const is = by === column.sort;
      return h('div', { role: 'columnheader', class: 'td' + (column.number ? ' number' : ''), 'aria-sort': is && (down ? 'descending' : 'ascending') },
        h('button', { type: 'button', onclick: () => sortBy(column.sort, is ? !down : column.sort !== 'question') }, column.title, is ? (down ? ' ↓' : ' ↑') : ''));
    }));
    for (const input of columnBox.querySelectorAll('input')) input.checked = columns.some(column => column.name === input.name);
    grid.setAttribute('aria-colcount', columns.length);
  }

  function sortBy(name, down) {
    const { filter: said } = address();
    said.delete('sort');
    if (name !== 'question' || down) said.set('sort', (down ? '-' : '') + name);
    go(said);
  }

  function drawColumns() {
    const box = h('div', { hidden: true }, COLUMNS.filter(column => !column.always).map(column => h('label', {},
      h('input', { type: 'checkbox', name: column.name, checked: columns.includes(column), onchange: event => {
        const now = columns.filter(one => !one.always && one !== column).map(one => one.name);
        const { said } = address();
        columnsSaid = [...now, ...(event.target.checked ? [column.name] : [])].join();
        said.set('columns', columnsSaid);
        go(said, { instead: true, show: false });
        layOut(); draw();
      } }), ' ', column.title)));
    const button = h('button', { type: 'button', 'aria-expanded': 'false', onclick: () => {
      box.hidden = !box.hidden;
      button.setAttribute('aria-expanded', String(!box.hidden));
    } }, 'Columns');
    columnBox.onkeydown = event => {
      if (event.key !== 'Escape' || box.hidden) return;
      event.stopPropagation();
      button.click();
      button.focus();
    };
    fill(columnBox, button, box);
  }

  function draw() {
    cancelAnimationFrame(drawn);
    drawn = requestAnimationFrame(drawNow);
  }

  function drawNow() {
    const view = height(), from = Math.max(0, Math.floor(top / ROW)), to = Math.min(total, Math.ceil((top + view) / ROW));
    spacer.style.height = Math.max(0, span() - view) + 'px';
    windowOf.style.height = view + 'px';
    const before = rows;
    rows = new Map();
    for (let at = from; at < to; at++) {
      const now = JSON.stringify([chunks.get(Math.floor(at / CHUNK))?.[at % CHUNK] ?? null, address().said.get('columns'), columns.map(column => column.name)]);
      const old = before.get(at);
      rows.set(at, old?.now === now ? old : { now, element: row(at) });
      if (old && old.now !== now) old.element.replaceWith(rows.get(at).element);
      const { element } = rows.get(at);
      if (!element.isConnected) windowOf.append(element);
      element.setAttribute('aria-selected', String(at === selected));
      element.style.transform = 'translateY(' + (at * ROW - top) + 'px)';
    }
    for (const [at, { element }] of before) if (!rows.has(at)) element.remove();
    grid.setAttribute('aria-rowcount', total + 1);
    grid.setAttribute('aria-activedescendant', 'row-' + selected);
    want(from, to);
  }

  function row(at) {
    const record = chunks.get(Math.floor(at / CHUNK))?.[at % CHUNK];
    const element = h('div', { class: 'tr', role: 'row', id: 'row-' + at, 'aria-rowindex': at + 2, onclick: () => { select(at); open(); } },
      record ? columns.map(column => { const cell = column.cell(record); cell.setAttribute('role', 'gridcell'); return cell; })
        : columns.map(column => h('div', { class: 'td waiting', role: 'gridcell' }, column.name === 'texts' ? '…' : '')));
    element.style.gridTemplateColumns = grid.style.getPropertyValue('--columns');
    return element;
  }

  function want(from, to) {
    const first = Math.floor(from / CHUNK), last = Math.floor(Math.max(from, to - 1) / CHUNK);
    for (const [chunk, control] of asked) if (chunk < first - 1 || chunk > last + 1) { control.abort(); asked.delete(chunk); }
    for (let chunk = first; chunk <= last; chunk++) if (!chunks.has(chunk) && !asked.has(chunk)) fetchChunk(chunk);
  }

  async function fetchChunk(chunk) {
    const control = new AbortController(), of = filter;
    asked.set(chunk, control);
    try {
      const page = await api.records(of, chunk * CHUNK, CHUNK, control.signal);
      await atRest();
      if (of !== filter) return;
      asked.delete(chunk);
      if (page.revision !== revision) { chunks = new Map(); revision = page.revision; }
      chunks.set(chunk, page.records);
      if (chunks.size > CHUNKS_KEPT) chunks.delete(chunks.keys().next().value);
      if (page.count !== total) { total = page.count; selected = Math.min(selected, Math.max(0, total - 1)); place(); }
      drawCount(page);
      draw();
    } catch (error) {
      asked.delete(chunk);
      if (error.name !== 'AbortError') failed(error);
    }
  }

  function failed(error) {
    empty.hidden = false;
    grid.hidden = true;
    fill(empty, h('p', {}, error.message));
  }

  function drawCount(page) {
    fill(countOf, h('b', {}, count(page.count)), page.count === page.of ? ' records' : ' of ' + plural(page.of, 'record'));
    grid.hidden = page.count === 0;
    empty.hidden = page.count > 0;
    if (page.count === 0) {
      fill(empty, h('h2', {}, page.of ? 'Nothing is like this' : 'There is nothing yet'),
        h('p', {}, page.of ? 'No record has what the filters and the search ask for. ' : 'Ask the questions with dset run; answers appear here as they come.'),
        page.of ? h('p', {}, h('a', { href: './' }, 'Show all records')) : null);
    }
  }

  function drawChips() {
    const { filter: said } = address();
    fill(chips, [...said].filter(([name]) => name !== 'sort').map(([name, value]) => {
      const to = new URLSearchParams([...said].filter(([n, v]) => n !== name || v !== value));
      return [h('button', { type: 'button', class: 'chip', title: 'Remove this filter', onclick: () => go(to) }, filterWords(name, value), h('span', { 'aria-hidden': 'true' }, ' ×')), ' '];
    }));
  }

  async function drawFacets() {
    facetsAsked?.abort();
    facetsAsked = new AbortController();
    const of = filter;
    try {
      const { facets: found } = await api.facets(filter, facetsAsked.signal);
      await atRest();
      if (of !== filter) return;
      const { filter: said } = address();
      const shown = found.filter(facet => facet.values.length > 1 || said.has(facet.name) || facet.name === 'state').map(facet => {
        const on = said.getAll(facet.name), values = facet.values.slice(0, VALUES_MAX);
        for (const value of on) if (!values.some(one => (one.value ?? '') === value)) values.push({ value, count: 0 });
        return { name: facet.name, more: facet.values.length - VALUES_MAX, values: values.map(one => ({ value: one.value ?? '', count: one.count, pressed: on.includes(one.value ?? '') })) };
      });
      const keyOf = (name, value) => name + '=' + value;
      const all = shown.flatMap(({ name, values }) => values.map(one => ({ ...one, key: keyOf(name, one.value) })));
      const buttons = new Map([...facets.querySelectorAll('[data-facet]')].map(button => [button.dataset.facet, button]));
      // The same values stay where they are, with other counts.
      if (all.length !== buttons.size || !all.every(one => buttons.has(one.key)) || facetsOf !== filter) {
        const focused = document.activeElement?.dataset?.facet;
        facetsOf = filter;
        fill(facets, shown.map(({ name, more, values }) => h('section', {}, h('h2', {}, FACET_NAMES[name] ?? name), values.map(({ value }) => {
          const words = name === 'state' ? stateWord(value) : value || NOTHING[name];
          const button = h('button', { type: 'button', 'data-facet': keyOf(name, value), onclick: () => toggle(name, value) },
            h('span', { class: name === 'state' ? 'state ' + value : '', title: words }, words), h('span', { class: 'number' }));
          buttons.set(button.dataset.facet, button);
          return button;
        }), more > 0 && h('p', { class: 'quiet' }, 'and ' + count(more) + ' more'))));
        if (focused) buttons.get(focused)?.focus();
      }
      for (const { key, count: n, pressed } of all) {
        buttons.get(key).setAttribute('aria-pressed', String(pressed));
        buttons.get(key).lastChild.textContent = count(n);
      }
    } catch (error) {
      if (error.name !== 'AbortError') fill(facets, h('p', { class: 'quiet' }, error.message));
    }
  }

  function toggle(name, value) {
    const { filter: said } = address(), pressed = said.getAll(name).includes(value);
    const rest = [...said].filter(([n, v]) => n !== name || v !== value);
    if (!pressed) rest.push([name, value]);
    go(new URLSearchParams(rest));
  }

  /** Puts the scrollbar where `top` is. */
  function place() {
    if (!total) return;
    const view = height(), most = Math.max(0, whole() - view);
    top = Math.max(0, Math.min(top, most));
    spacer.style.height = Math.max(0, span() - view) + 'px';
    windowOf.style.height = view + 'px';
    lastTop = Math.round(whole() <= HEIGHT_MAX ? top : most ? top / most * (span() - view) : 0);
    scroll.scrollTop = lastTop;
    lastTop = scroll.scrollTop;
    draw();
  }

  scroll.addEventListener('scroll', () => {
    const now = scroll.scrollTop, view = height(), most = Math.max(0, whole() - view), far = span() - view;
    if (Math.abs(now - lastTop) < 1) return;
    if (whole() <= HEIGHT_MAX) top = now;
    else if (now <= 0) top = 0;
    else if (now >= far - 1) top = most;
    // The wheel moves by pixels, a drag of the scrollbar to a place among all.
    else if (Math.abs(now - lastTop) < view * 1.5) top = Math.max(0, Math.min(most, top + now - lastTop));
    else top = now / far * most;
    lastTop = now;
    draw();
    clearTimeout(settle);
    if (whole() > HEIGHT_MAX) settle = setTimeout(place, 200);
  }, { passive: true });

  function select(at, keep = false) {
    if (!total) return;
    selected = Math.max(0, Math.min(at, total - 1));
    if (!keep) {
      const y = selected * ROW, view = height();
      if (y < top) { top = y; place(); } else if (y + ROW > top + view) { top = y + ROW - view; place(); }
    }
    const { said } = address();
    if (selected) said.set('at', selected); else said.delete('at');
    go(said, { instead: true, show: false });
    draw();
  }

  function open() {
    const record = chunks.get(Math.floor(selected / CHUNK))?.[selected % CHUNK];
    if (!record) return;
    const { filter: said } = address();
    said.set('n', record.question);
    said.set('at', selected);
    go(said);
  }

  async function nextFailure() {
    const { place: at } = await api.failure(filter, selected + 1);
    if (at === null) {
      const { place: first } = await api.failure(filter, 0);
      if (first === null) say('No record here has failed.'); else { select(first); say('From the beginning again.'); }
    } else select(at);
  }

  const resized = new ResizeObserver(() => { layOut(); place(); });
  resized.observe(grid);

  return {
    show({ said, filter: wanted }) {
      const query = wanted.toString();
      if (columnsSaid !== said.get('columns')) {
        columnsSaid = said.get('columns');
        layOut(); drawColumns();
      }
      selected = Math.max(0, parseInt(said.get('at') ?? '0', 10) || 0);
      if (query !== filter || !chunks.size) {
        filter = query;
        for (const control of asked.values()) control.abort();
        asked = new Map(); chunks = new Map();
        top = Math.max(0, selected * ROW - height() / 2);
        layOut(); drawChips(); drawFacets();
        fetchChunk(Math.floor(selected / CHUNK));
      } else { top = Math.max(0, Math.min(top, selected * ROW)); place(); }
      document.querySelector('.scroll')?.focus({ preventScroll: true });
    },
    known() { layOut(); draw(); },
    changed() { asked = new Map(); fetchChunk(Math.floor(Math.floor(top / ROW) / CHUNK)); drawFacets(); },
    leave() { resized.disconnect(); for (const control of asked.values()) control.abort(); facetsAsked?.abort(); },
    keys: {
      j: () => select(selected + 1), ArrowDown: () => select(selected + 1),
      k: () => select(selected - 1), ArrowUp: () => select(selected - 1),
      PageDown: () => select(selected + Math.floor(height() / ROW)), PageUp: () => select(selected - Math.floor(height() / ROW)),
      g: () => select(0), Home: () => select(0), G: () => select(total - 1), End: () => select(total - 1),
      Enter: open, f: nextFailure,
      Escape: () => { if (address().filter.toString()) go(new URLSearchParams()); },
    },
  };
}
