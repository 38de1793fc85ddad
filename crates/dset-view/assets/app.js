// The shell: which page is shown, the head, the keys. Everything that is seen is in the address, so that
// back, forward, reload and a copied address bring it again.

import { api } from './api.js';
import { count, fill, h, plural, say } from './dom.js';
import { compare } from './compare.js';
import { exports } from './export.js';
import { health } from './health.js';
import { list } from './list.js';
import { record } from './record.js';

const PAGES = [
  ['', 'Records', list], ['health', 'Health', health], ['compare', 'Compare', compare], ['export', 'Export', exports],
];

// The token is in a cookie now; an address that is copied or photographed need not have it.
const opened = new URL(location.href);
if (opened.searchParams.has('token')) {
  opened.searchParams.delete('token');
  history.replaceState(null, '', opened);
}

const NAMED = ['n', 'view', 'at', 'raw', 'a', 'b', 'diff', 'columns'];

/** What the address says. `filter` is that part of it which decides what is listed. */
export function address() {
  const said = new URLSearchParams(location.search);
  const filter = new URLSearchParams([...said].filter(([name]) => !NAMED.includes(name)));
  return { said, filter };
}

/** Goes to an address: by a step that `back` undoes, or in place of this one. */
export function go(said, { instead = false, show = true } = {}) {
  history[instead ? 'replaceState' : 'pushState'](null, '', linkTo(said));
  if (show) route();
}

/** An address within the page, wherever it leads with the columns that were chosen. */
export function linkTo(said) {
  const kept = new URLSearchParams(said), columns = address().said.get('columns');
  if (columns !== null && !kept.has('columns')) kept.set('columns', columns);
  const query = kept.toString();
  return query ? '?' + query : './';
}

const main = document.getElementById('main');
const head = document.getElementById('head');
let page = null;
export let overview = null;

function route() {
  const { said } = address();
  const [, name, of] = PAGES.find(([view]) => view === (said.get('view') ?? '')) ?? PAGES[0];
  const wanted = said.has('n') ? record : of;
  if (page?.of !== wanted) {
    page?.leave?.();
    main.replaceChildren();
    // The title of a record is its question.
    if (wanted !== record) main.append(h('h1', { class: 'unseen' }, name));
    page = { of: wanted, keys: {}, ...wanted(main) };
    main.focus({ preventScroll: true });
  }
  page.show(address());
  drawHead();
}

const search = h('input', {
  type: 'search', name: 'q', autocomplete: 'off', spellcheck: 'false', placeholder: 'Search questions, reasoning, answers',
  'aria-label': 'Search questions, reasoning and answers',
});
const parts = {
  run: h('span', { class: 'run' }),
  links: PAGES.map(([, name]) => h('a', {}, name)),
  stale: h('p', { class: 'stale', role: 'status', hidden: true }),
  progress: h('div', { class: 'progress' }),
};
head.append(
  h('a', { class: 'mark', href: './' }, h('img', { src: 'icon.svg', alt: '' }), 'dset'),
  parts.run, parts.progress, h('nav', { 'aria-label': 'Pages' }, parts.links),
  h('form', { class: 'search', role: 'search', onsubmit: searched }, search, h('kbd', { 'aria-hidden': 'true' }, '/')),
  parts.stale,
);

function searched(event) {
  event.preventDefault();
  const { filter } = address();
  filter.delete('q');
  if (search.value.trim()) filter.set('q', search.value.trim());
  go(filter);
  main.querySelector('.scroll')?.focus();
}

function drawHead() {
  const { said, filter } = address();
  if (document.activeElement !== search) search.value = filter.get('q') ?? '';
  parts.links.forEach((link, at) => {
    const to = new URLSearchParams(filter), [view] = PAGES[at];
    if (view) to.set('view', view);
    link.setAttribute('href', linkTo(to));
    if (!said.has('n') && (said.get('view') ?? '') === view) link.setAttribute('aria-current', 'page'); else link.removeAttribute('aria-current');
  });
  if (!overview) return;
  const { answered, failed, records, input } = overview;
  parts.run.textContent = input;
  parts.run.title = input + ' → ' + overview.output;
  const part = number => (records ? 100 * number / records : 0) + '%';
  const good = h('i'), bad = h('i', { class: 'bad' });
  good.style.width = part(answered);
  bad.style.width = part(failed);
  fill(parts.progress,
    h('span', { class: 'bar', 'aria-hidden': 'true' }, good, bad),
    h('span', {}, count(answered) + ' of ' + plural(records, 'answer') + (api.isStatic ? ' shown' : '') + (failed ? ', ' + count(failed) + ' failed' : '')));
  document.title = (said.has('n') ? said.get('n') + ' · ' : '') + input + ' · dset';
}

// Links within the page are steps of the history, not new pages.
document.addEventListener('click', event => {
  const link = event.target.closest?.('a');
  if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
  const to = new URL(link.href, location.href);
  if (link.target || link.hasAttribute('download') || to.origin !== location.origin || to.pathname !== location.pathname || to.hash) return;
  event.preventDefault();
  go(to.searchParams);
});
addEventListener('popstate', route);

const HELP = [
  ['j k', 'next and previous'], ['Enter', 'open'], ['Esc', 'back to the list'], ['/', 'search'],
  ['f', 'next one that failed'], ['g G', 'first and last'], ['r', 'raw or rendered'],
  ['o', 'open the reasoning'], ['d', 'mark differences'], ['1 … 5', 'rate the answer'], ['?', 'this'],
];
const help = h('dialog', { 'aria-labelledby': 'keys' },
  h('h2', { id: 'keys' }, 'Keys'),
  h('dl', {}, HELP.map(([keys, words]) => [h('dt', {}, keys.split(' ').map(key => [h('kbd', {}, key), ' '])), h('dd', {}, words)])),
  h('form', { method: 'dialog' }, h('button', { class: 'main' }, 'Close')));
document.body.append(help);

addEventListener('keydown', event => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const into = event.target.closest?.('input, textarea, select, [contenteditable]');
  // A group of radio buttons keeps its arrows.
  if (into?.type === 'radio' && event.key.startsWith('Arrow')) return;
  if (into && into.type !== 'radio' && into.type !== 'checkbox') {
    if (event.key === 'Escape') { into.blur(); main.querySelector('.scroll')?.focus(); }
    return;
  }
  if (help.open) return;
  if (event.key === '/') { event.preventDefault(); search.focus(); search.select(); return; }
  if (event.key === '?') { help.showModal(); return; }
  const key = page?.keys?.[event.key];
  // A button that has the focus keeps Enter.
  if (!key || (event.key === 'Enter' && event.target.closest?.('button, a, summary'))) return;
  event.preventDefault();
  key(event);
});

route();
api.watch(seen => {
  const before = overview;
  overview = seen;
  drawHead();
  if (!before) page?.known?.(); else if (before.revision !== seen.revision || before.running !== seen.running) page?.changed?.();
}, error => {
  const words = error && 'What is shown is no longer new: ' + error.message;
  parts.stale.hidden = !words;
  if (parts.stale.textContent !== (words ?? '')) parts.stale.textContent = words ?? '';
});
addEventListener('error', () => say('Something on this page failed. Reload it to go on.'));
addEventListener('unhandledrejection', event => { if (event.reason?.name !== 'AbortError') say(event.reason?.message ?? 'Something on this page failed. Reload it to go on.'); });
