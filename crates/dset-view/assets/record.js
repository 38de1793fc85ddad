// One question with all that came of it, beside each other.

import { api } from './api.js';
import { address, go, linkTo, overview } from './app.js';
import { bytes, count, dollars, fill, h, keep, plural, say, seconds, stateWord, time, visible } from './dom.js';
import { differences } from './diff.js';
import { raw, rendered } from './text.js';

export function record(main) {
  let seen = null, asked = null, number = null;
  const page = h('article', { class: 'record' }, h('p', { class: 'quiet' }, 'Reading…'));
  main.append(page);

  const isRaw = () => address().said.has('raw');
  const toggled = name => { const { said } = address(); if (said.has(name)) said.delete(name); else said.set(name, '1'); return said; };

  async function load() {
    const { said, filter } = address();
    asked?.abort();
    asked = new AbortController();
    try {
      seen = await api.question(said.get('n'), filter.toString(), asked.signal);
      draw();
    } catch (error) {
      if (error.name === 'AbortError') return;
      fill(page, h('div', { class: 'empty' }, h('h2', {}, 'There is no such question'), h('p', {}, error.message), h('p', {}, h('a', { href: linkTo(filter) }, 'To the list'))));
    }
  }

  function way(to, words, key) {
    const { said } = address();
    said.delete('at');
    if (to === null) return h('button', { type: 'button', disabled: true }, words);
    said.set('n', to);
    return h('a', { class: 'button', href: linkTo(said), title: 'Key: ' + key }, words);
  }

  function draw() {
    const { question, attempts, previous, next, place, count: all } = seen;
    const { said, filter } = address(), several = question.answers.length > 1;
    if (said.has('at')) filter.set('at', said.get('at'));
    fill(page,
      h('nav', { class: 'ways', 'aria-label': 'Questions' },
        h('a', { class: 'button', href: linkTo(filter), title: 'Key: Esc' }, '‹ List'),
        way(previous, 'Previous', 'k'), way(next, 'Next', 'j'),
        h('span', {}, place ? count(place) + ' of ' + count(all) : 'not among what is filtered'),
        h('span', { class: 'spread' }, 'Question ' + count(question.question) + ', row ' + count(question.row)),
        question.answers.filter(one => one.state === 'answered').length > 1 && h('button', { type: 'button', 'aria-pressed': String(said.has('diff')), title: 'Key: d', onclick: () => go(toggled('diff'), { instead: true }) }, 'Differences'),
        h('button', { type: 'button', 'aria-pressed': String(isRaw()), title: 'Key: r', onclick: () => go(toggled('raw'), { instead: true }) }, 'Raw')),
      h('h1', { class: 'question', dir: 'auto', tabindex: '0' }, visible(question.text)),
      h('div', { class: 'answers' }, question.answers.map(answerCard)),
      attempts.length > 0 && h('section', { class: 'stack' }, h('div', { class: 'card' },
        h('h2', {}, 'Asks that failed'),
        h('div', { class: 'table-wrap' }, h('table', { class: 'plain' },
          h('thead', {}, h('tr', {}, ['When', ...(several ? ['Answer'] : []), 'Cause', 'Status', 'Seconds', 'What the service said', ''].map(title => h('th', { scope: 'col' }, title)))),
          h('tbody', {}, attempts.map(attempt => h('tr', {},
            h('td', {}, time(attempt.at)), several && h('td', {}, [attempt.model, attempt.sample ? 'sample ' + attempt.sample : null].filter(Boolean).join(' · ')), h('td', {}, attempt.cause), h('td', {}, attempt.status ?? 'no reply'),
            h('td', { class: 'number' }, seconds(attempt.seconds)), h('td', {}, visible(attempt.message)),
            h('td', {}, attempt.has_reply && h('a', { href: api.replyUrl(attempt.id), download: 'reply-' + attempt.id + '.txt' }, 'Reply'))))))))));
    number = question.question;
  }

  function fact(words, value) {
    return value ? h('li', {}, h('b', {}, value), ' ' + words) : null;
  }

  function answerCard(answer, at) {
    const title = [answer.model ?? 'unknown model', answer.sample || (overview?.samples ?? 1) > 1 ? 'sample ' + answer.sample : null].filter(Boolean).join(' · ');
    const head = h('header', {}, h('h2', {}, title), h('span', { class: 'state ' + answer.state }, stateWord(answer.state), answer.cause ? ': ' + answer.cause : ''));
    if (answer.state !== 'answered') {
      return h('section', { class: 'card', 'aria-label': title }, head, answer.tries ? null : h('p', { class: 'quiet' }, nothingYet(answer)), tries(answer, true));
    }
    const { metadata: known } = answer;
    const asWritten = isRaw();
    return h('section', { class: 'card', 'aria-label': title, 'data-answer': answer.id },
      head,
      h('ul', { class: 'facts' },
        fact('tokens', count(known.output_tokens)), fact('of them thinking', count(known.reasoning_tokens || null)), fact('sent', count(known.input_tokens)),
        fact('s', seconds(known.seconds)), fact('', dollars(answer.cost)), known.attempts > 1 ? fact('asks', count(known.attempts)) : null,
        fact('', known.finish_reason), fact('', time(answer.answered_at))),
      known.at_token_limit && h('p', { class: 'bad-words' }, 'Exactly as long as the token limit: perhaps cut.'),
      answer.reasoning.trim() && h('details', {}, h('summary', {}, 'Reasoning, ' + plural(answer.reasoning_length ?? Array.from(answer.reasoning).length, 'character')),
        h('div', { class: 'inside' }, raw(answer.reasoning))),
      beside(answer) ?? (asWritten ? raw(answer.answer) : rendered(answer.answer)),
      h('div', { class: 'tools' },
        h('button', { type: 'button', onclick: () => copy(answer.answer) }, 'Copy'),
        saved(answer, 'answer', 'Save ' + bytes(new Blob([answer.answer]).size)),
        answer.reasoning.trim() && saved(answer, 'reasoning', 'Save reasoning')),
      tries(answer, false),
      review(answer, at));
  }

  /** The answers that checks say something of: those that are not accepted, and why. */
  function tries(answer, open) {
    const all = (answer.tries ?? []).filter(one => !one.accepted || one.verdicts.some(verdict => verdict.outcome !== 'passed'));
    return all.map(one => h('details', { open: open && one === all.at(-1) }, h('summary', {}, (one.accepted ? 'Accepted though a check fails' : 'Answer ' + one.try + ', not accepted') + ': ' + one.verdicts.filter(verdict => verdict.outcome !== 'passed').map(verdict => verdict.check).join(', ')),
      h('div', { class: 'inside' }, one.verdicts.flatMap(verdict => verdict.reasons ?? []).map(reason => h('p', { class: 'bad-words' }, visible(words(reason)))),
        !one.accepted && (isRaw() ? raw(one.answer) : rendered(one.answer)))));
  }

  const words = ({ place, sentence }) => (place ? place + ': ' : '') + sentence;

  /** A text as a file: the server's, or made of what is here where there is none. */
  function saved(answer, text, words) {
    const name = text + '-' + number + '.txt';
    if (api.isStatic && !answer.answer_length && !answer.reasoning_length) {
      return h('button', { type: 'button', onclick: () => keep(new Blob([answer[text]], { type: 'text/plain' }), name) }, words);
    }
    return h('a', { class: 'button', href: api.textUrl(answer.id, text), download: name }, words);
  }

  /** The answer with what differs from the first one marked, where that is wanted. */
  function beside(answer) {
    const [first, second] = seen.question.answers.filter(one => one.state === 'answered');
    if (!address().said.has('diff') || !second) return null;
    const parts = answer === first ? differences(first.answer, second.answer)[0] : differences(first.answer, answer.answer)[1];
    return h('div', { class: 'text raw', dir: 'auto' }, parts);
  }

  function nothingYet(answer) {
    const last = answer.last_ask;
    if (answer.state === 'left_out') return 'It is not among the rows that the last run chose.';
    if (answer.state === 'presumed') return 'The original script is taken to have answered it; there is no text.';
    if (!last) return answer.state === 'pending' ? 'Not answered yet. dset run asks it.' : 'There is no answer.';
    return plural(last.asks, 'ask') + ' failed; the last said: ' + (last.message || last.cause);
  }

  async function copy(text) {
    try { await navigator.clipboard.writeText(text); say('Copied.'); } catch { say('The browser does not let this page copy.'); }
  }

  // Only what changed is sent: the page may have been read before an earlier change was kept.
  async function save(answer, change) {
    try {
      await api.review(answer.id, change);
      Object.assign(answer, change);
      say('Kept in review.db.');
    } catch (error) {
      say('Not kept: ' + error.message);
    }
    // What is on its way may have been read before this change.
    changed();
  }

  function changed() { if (!page.contains(document.activeElement) || document.activeElement.tagName !== 'TEXTAREA') load(); }

  function review(answer, at) {
    if (api.isStatic) {
      const said = answer.rating || answer.note;
      return said && h('div', { class: 'review' }, answer.rating && h('span', { class: 'stars', title: answer.rating + ' of 5' }, '★'.repeat(answer.rating)), answer.note && h('span', {}, visible(answer.note)));
    }
    const stars = h('fieldset', {}, h('legend', {}, 'Rating'));
    const draw = () => stars.querySelectorAll('label').forEach((label, i) => label.classList.toggle('on', i < (answer.rating ?? 0)));
    const rate = async value => { await save(answer, { rating: answer.rating === value ? null : value }); stars.querySelectorAll('input').forEach(input => { input.checked = Number(input.value) === answer.rating; }); draw(); };
    for (let value = 1; value <= 5; value++) {
      stars.append(h('label', { class: 'star', title: value + ' of 5' },
        h('input', { type: 'radio', name: 'rating-' + at, value, 'aria-label': value + ' of 5', checked: answer.rating === value, onclick: () => rate(value) }), '★'));
    }
    stars.dataset.rate = at;
    stars.rate = rate;
    draw();
    return h('div', { class: 'review' }, stars,
      h('textarea', { 'aria-label': 'Note', placeholder: 'A note', rows: 1, value: answer.note, onchange: event => save(answer, { note: event.target.value }) }));
  }

  const step = to => { if (to === null || to === undefined) return; const { said } = address(); said.set('n', to); said.delete('at'); go(said); };
  const keys = {
    j: () => step(seen?.next), k: () => step(seen?.previous), ArrowRight: () => step(seen?.next), ArrowLeft: () => step(seen?.previous),
    d: () => go(toggled('diff'), { instead: true }),
    r: () => go(toggled('raw'), { instead: true }),
    o: () => { const all = [...page.querySelectorAll('.answers details')]; const open = all.some(one => !one.open); all.forEach(one => { one.open = open; }); },
    Escape: () => { const { said, filter } = address(); if (said.has('at')) filter.set('at', said.get('at')); go(filter); },
    async f() {
      const { filter } = address();
      const { place } = await api.failure(filter.toString(), seen?.place ?? 0);
      if (place === null) { say('No further record here has failed.'); return; }
      const { records: [found] } = await api.records(filter.toString(), place, 1);
      step(found.question);
    },
  };
  for (let value = 1; value <= 5; value++) keys[value] = () => page.querySelector('[data-rate="0"], [data-rate]')?.rate(value);

  return {
    show({ said }) {
      if (seen && String(seen.question.question) === said.get('n')) draw(); else load();
    },
    changed,
    leave() { asked?.abort(); },
    keys,
  };
}
