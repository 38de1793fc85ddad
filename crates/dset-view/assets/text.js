// What models wrote, shown. It is hostile until shown otherwise, so there are three walls, each enough by
// itself: Markdown is read without HTML, in a worker that is ended when it takes too long; what comes of
// it passes DOMPurify with a short list of elements; and the server's policy lets no script but the
// page's own files run and nothing be fetched.

import { fill, h, visible } from './dom.js';

/** Characters that are rendered as Markdown; longer ones are shown as they are. */
const RENDERED_MAX = 200_000;
/** Characters of a raw text that are shown; the rest is in the file that can be saved. */
const SHOWN_MAX = 400_000;
const PATIENCE_MS = 2000;
const FORMULAS_MAX = 400;

const ALLOWED = {
  ALLOWED_TAGS: ['p', 'br', 'hr', 'em', 'strong', 's', 'code', 'pre', 'ul', 'ol', 'li', 'blockquote', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'table', 'thead', 'tbody', 'tr', 'th', 'td', 'a', 'span', 'sup', 'sub'],
  ALLOWED_ATTR: ['href', 'start', 'class'],
  ALLOWED_URI_REGEXP: /^(?:https?:|mailto:)/i,
  ALLOW_DATA_ATTR: false, ALLOW_ARIA_ATTR: false,
  RETURN_DOM_FRAGMENT: true,
};

let worker = null, waiting = new Map(), last = 0;

function restart() {
  worker?.terminate();
  worker = null;
  for (const done of waiting.values()) done(null);
  waiting = new Map();
}

/** HTML of a Markdown text, null where it takes too long, an object where it is nested too deep. */
function markdown(text) {
  if (!worker) {
    worker = new Worker('markdown.js');
    worker.onmessage = ({ data: [id, html] }) => { waiting.get(id)?.(html); waiting.delete(id); };
    worker.onerror = restart;
  }
  const id = ++last;
  return new Promise(done => {
    const timer = setTimeout(restart, PATIENCE_MS);
    waiting.set(id, html => { clearTimeout(timer); done(html); });
    worker.postMessage([id, text]);
  });
}

let katex = null;
/** Loads KaTeX, once, when there is a formula. */
function formulas() {
  katex ??= new Promise((done, failed) => {
    document.head.append(h('script', { src: 'vendor/katex.js', onload: () => done(globalThis.katex), onerror: failed }));
  });
  return katex;
}

/** A text as it came. */
export function raw(text) {
  const long = text.length > SHOWN_MAX;
  return [h('div', { class: 'text raw', dir: 'auto' }, visible(long ? text.slice(0, SHOWN_MAX) : text)),
    long && h('p', { class: 'quiet' }, 'The rest is in the file that can be saved.')];
}

/** A text rendered as Markdown, into an element that is there at once. */
export function rendered(text) {
  if (text.length > RENDERED_MAX) {
    return h('div', {}, h('p', { class: 'quiet' }, 'Too long to be rendered: shown as it is.'), raw(text));
  }
  const place = h('div', { class: 'text', dir: 'auto' });
  markdown(text).then(async html => {
    if (typeof html !== 'string') {
      const why = html?.isTooDeep ? 'Nested too deep to be rendered: shown as it is.' : 'This takes too long to render: shown as it is.';
      place.replaceChildren(h('p', { class: 'quiet' }, why), ...raw(text).filter(Boolean));
      return;
    }
    const fragment = globalThis.DOMPurify.sanitize(html, ALLOWED);
    for (const link of fragment.querySelectorAll('a')) {
      link.target = '_blank';
      link.rel = 'noopener noreferrer nofollow';
      link.title = link.getAttribute('href') ?? '';
    }
    markControls(fragment);
    place.replaceChildren(fragment);
    const found = [...place.querySelectorAll('span.math')].slice(0, FORMULAS_MAX);
    if (!found.length) return;
    const maths = await formulas();
    for (const span of found) {
      const tex = span.textContent;
      try {
        maths.render(tex, span, { output: 'mathml', displayMode: span.classList.contains('display'), throwOnError: false, trust: false, maxExpand: 200, maxSize: 20, strict: 'ignore' });
      } catch { span.textContent = tex; }
    }
  });
  return place;
}

/** Makes control characters in rendered text visible. */
function markControls(fragment) {
  const walker = document.createTreeWalker(fragment, NodeFilter.SHOW_TEXT), found = [];
  while (walker.nextNode()) found.push(walker.currentNode);
  for (const node of found) {
    const parts = visible(node.data);
    if (parts.length > 1) { const all = document.createDocumentFragment(); fill(all, parts); node.replaceWith(all); }
  }
}
