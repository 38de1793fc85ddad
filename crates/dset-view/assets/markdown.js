// Reads Markdown where it cannot hold up the page. Without HTML and without images, which would be
// fetched; formulas are kept apart as they are.
importScripts('vendor/markdown-it.js');

const NESTING_MAX = 40;
const reader = markdownit({ html: false, linkify: false, maxNesting: NESTING_MAX }).disable('image');

const OPENERS = { '$$': '$$', '\\[': '\\]', '\\(': '\\)', '$': '$' };
const FORMULA_MAX = 4000;

reader.inline.ruler.before('escape', 'math', (state, silent) => {
  const { src, pos } = state;
  const open = ['$$', '\\[', '\\(', '$'].find(sign => src.startsWith(sign, pos));
  if (!open) return false;
  const from = pos + open.length, near = src.slice(from, from + FORMULA_MAX), end = near.indexOf(OPENERS[open]);
  if (end <= 0) return false;
  const tex = near.slice(0, end);
  // "$5 and $7" are no formula.
  if (open === '$' && (/^\s|\s$|\n\n/.test(tex) || /\d/.test(near[end + 1] ?? ''))) return false;
  if (!silent) {
    const token = state.push('math', 'span', 0);
    token.content = tex;
    token.meta = open === '$$' || open === '\\[';
  }
  state.pos = from + end + OPENERS[open].length;
  return true;
});
// A character at which inline rules are tried: `$` is none of its own.
const escape = reader.utils.escapeHtml;
reader.renderer.rules.math = (tokens, at) => '<span class="math' + (tokens[at].meta ? ' display' : '') + '">' + escape(tokens[at].content) + '</span>';

// Columns say where they stand by a class: the page takes no styles from texts.
for (const cell of ['th_open', 'td_open']) {
  reader.renderer.rules[cell] = (tokens, at) => {
    const where = /right|center/.exec(tokens[at].attrGet('style') ?? '');
    return '<' + tokens[at].tag + (where ? ' class="' + where[0] + '">' : '>');
  };
}

// What lies deeper than that in quotes and lists would be left out.
const isTooDeep = token => token.nesting === 1 && token.level >= NESTING_MAX - 1;

onmessage = ({ data: [id, text] }) => {
  const env = {}, tokens = reader.parse(text, env);
  postMessage([id, tokens.some(isTooDeep) ? { isTooDeep: true } : reader.renderer.render(tokens, reader.options, env)]);
};
