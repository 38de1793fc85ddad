// Two models beside each other.

import { api } from './api.js';
import { address, go, linkTo, overview } from './app.js';
import { bytes, count, dollars, fill, h, plural, seconds, visible } from './dom.js';
import { differences } from './diff.js';

/** Characters of an answer that are sent, at most. */
const SENT = 600;

/** The beginning of an answer, cut between words. */
const beginning = text => Array.from(text).length < SENT ? text : text.replace(/\S*$/, '') + '…';

export function compare(main) {
  const page = h('div', { class: 'panels' });
  main.append(page);
  let seen = null;

  async function show() {
    const { said, filter } = address();
    const models = (overview ?? await api.overview()).all_models;
    const a = said.get('a') ?? models.find(model => model !== said.get('b')) ?? models[0], other = said.get('b');
    // Nothing is compared with itself.
    const b = other !== null && other !== a ? other : models.find(model => model !== a) ?? a;
    if (models.length < 2 && !said.has('b')) {
      fill(page, h('div', { class: 'empty wide' }, h('h2', {}, 'One model alone'), h('p', {}, 'There is nothing to compare yet. Ask another one the same questions: the command of this run, with -m ' + models[0] + ' -m OTHER')));
      return;
    }
    const query = new URLSearchParams(filter);
    query.set('a', a); query.set('b', b);
    if (said.get('diff') !== 'all') query.set('only', 'different');
    try {
      seen = await api.compare(query.toString(), 0);
      draw(models, a, b, query);
    } catch (error) { fill(page, h('div', { class: 'empty wide' }, h('p', {}, error.message))); }
  }

  function draw(models, a, b, query) {
    const { said } = address();
    // The model of the other side changes sides.
    const choose = (name, value) => {
      const [left, right] = name === 'a' ? [value, value === b ? a : b] : [value === a ? b : a, value];
      said.set('a', left); said.set('b', right);
      go(said);
    };
    const pick = (name, value) => h('label', { class: 'field' }, h('span', {}, name === 'a' ? 'One' : 'Other'),
      h('select', { onchange: event => choose(name, event.target.value) }, models.map(model => h('option', { value: model, selected: model === value }, model))));
    const all = said.get('diff') === 'all';
    const [one, other] = seen.sides;
    const rows = [
      ['Rated better', count(one.wins), count(other.wins)], ['Answered alone', count(one.alone), count(other.alone)],
      ['Tokens, on average', count(one.output_tokens), count(other.output_tokens)], ['Seconds, on average', seconds(one.seconds), seconds(other.seconds)],
      ['Length, on average', bytes(one.answer_bytes), bytes(other.answer_bytes)], ['Cost in all', one.cost === null ? 'unknown' : dollars(one.cost), other.cost === null ? 'unknown' : dollars(other.cost)],
    ];
    const list = h('div', { class: 'stack' });
    const more = h('div', { class: 'tools' });
    fill(page,
      h('section', { class: 'card wide' }, h('div', { class: 'fields' }, pick('a', a), pick('b', b),
        h('button', { type: 'button', 'aria-pressed': String(!all), onclick: () => { if (all) said.delete('diff'); else said.set('diff', 'all'); go(said); } }, 'Only where they differ'))),
      h('section', { class: 'card wide' }, h('h2', {}, plural(seen.both, 'question') + ' answered by both'),
        (overview?.samples ?? 1) > 1 && h('p', { class: 'quiet' }, 'Of several samples the first, number 0, is compared.'),
        h('div', { class: 'table-wrap', tabindex: '0', role: 'group', 'aria-label': 'Both models' }, h('table', { class: 'plain' }, h('thead', {}, h('tr', {}, h('td', {}), h('th', { scope: 'col', class: 'number' }, one.model), h('th', { scope: 'col', class: 'number' }, other.model))),
          h('tbody', {}, rows.map(([words, x, y]) => h('tr', {}, h('th', { scope: 'row' }, words), h('td', { class: 'number' }, x), h('td', { class: 'number' }, y)))))),
        h('p', { class: 'quiet' }, seen.rated ? plural(seen.rated, 'question') + ' rated on both sides, ' + plural(seen.ties, 'tie') + '.' : 'Nothing is rated on both sides yet: rate answers with 1 to 5 on their pages.')),
      h('section', { class: 'wide' }, list, more));
    add(list, more, query, seen);
  }

  function add(list, more, query, { pairs, next }) {
    for (const pair of pairs) {
      const to = new URLSearchParams(address().filter);
      to.set('n', pair.question);
      const [one, other] = pair.answers.map(beginning), isFurther = !pair.same && one === other;
      const [left, right] = pair.same ? [visible(one), ['the same answer']] : differences(one, other);
      const side = (parts, rating) => h('div', {}, h('div', { class: 'text raw', dir: 'auto' }, parts), rating && h('p', { class: 'stars', title: rating + ' of 5' }, '★'.repeat(rating)));
      list.append(h('article', { class: 'card' }, h('h2', {}, h('a', { href: linkTo(to) }, count(pair.question) + '. ', visible(pair.text))),
        isFurther && h('p', { class: 'quiet' }, 'They differ further on: open the question.'),
        h('div', { class: 'answers pair' }, side(left, pair.ratings[0]), side(right, pair.ratings[1]))));
    }
    if (!pairs.length && next === null && !list.children.length) list.append(h('div', { class: 'empty' }, h('p', {}, 'They do not differ anywhere.')));
    fill(more, next !== null && h('button', { type: 'button', onclick: async () => add(list, more, query, await api.compare(query.toString(), next)) }, 'More'));
  }

  return { show, keys: {} };
}
