// One question with all that came of it, beside each other.

import { api } from './api.js';
import { address, go, linkTo, overview } from './app.js';
import { atRest, bytes, count, dollars, fill, h, keep, plural, say, seconds, stateWord, time, visible } from './dom.js';
import { differences } from './diff.js';
import { raw, rendered } from './text.js';

const ROLES = { system: 'System', user: 'User', assistant: 'Assistant' };

export function record(main) {
  let seen = null, seenAt = null, asked = null, arrived = null, saving = Promise.resolve(), unsaved = 0, again = false, isReading = false, isStale = false;
  const page = h('article', { class: 'record' }, h('p', { class: 'quiet' }, 'Reading…'));
  main.append(page);

  const isRaw = () => address().said.has('raw');
  const toggled = name => { const { said } = address(); if (said.has(name)) said.delete(name); else said.set(name, '1'); return said; };

  /** The record of the address, and whether it is the one that is shown. */
  const wanted = () => { const { said, filter } = address(); return said.get('n') + '?' + filter; };
  const isShown = () => seen !== null && seenAt === wanted();

  function load() {
    asked?.abort();
    const control = asked = new AbortController();
    isReading = true;
    isStale = false;
    arrived = read(control, wanted()).finally(() => {
      if (control !== asked) return;
      isReading = false;
      if (isStale) load();
    });
  }

  async function read(control, at) {
    const { said, filter } = address();
    try {
      const found = await api.question(said.get('n'), filter.toString(), control.signal);
      await atRest();
      if (control === asked && !control.signal.aborted) take(found, at);
    } catch (error) {
      if (error.name === 'AbortError' || control !== asked) return;
      // What is shown stays, with what is typed in it.
      if (isShown()) { say(error.message); return; }
      seen = null;
      const title = error.status === 404 ? 'There is no such question' : 'The question cannot be shown';
      fill(page, h('div', { class: 'empty' }, h('h2', {}, title), h('p', {}, error.message), h('p', {}, h('a', { href: linkTo(filter) }, 'To the list'))));
    }
  }

  const texts = one => JSON.stringify([one.question, one.request, one.attempts]);

  /** Draws what differs from what is shown, but not under somebody who writes. */
  function take(found, at) {
    if (seen && seenAt === at) {
      if (texts(found) === texts(seen)) {
        seen = { ...found, question: seen.question, request: seen.request, attempts: seen.attempts };
        drawWays();
        return;
      }
      again = unsaved > 0 || (page.contains(document.activeElement) && document.activeElement.tagName === 'TEXTAREA');
      if (again) return;
    }
    [seen, seenAt] = [found, at];
    draw();
  }

  function way(to, words, key) {
    const { said } = address();
    said.delete('at');
    if (to === null) return h('button', { type: 'button', disabled: true }, words);
    said.set('n', to);
    return h('a', { class: 'button', href: linkTo(said), title: 'Key: ' + key }, words);
  }

  /** Where the list stood, or the place of this question in it. */
  function back() {
    const { said, filter } = address(), at = said.get('at') ?? (isShown() && seen.place > 1 ? seen.place - 1 : null);
    if (at !== null) filter.set('at', at);
    return filter;
  }

  const ways = h('nav', { class: 'ways', 'aria-label': 'Questions' });
  let waysDrawn = '';

  function drawWays() {
    const { question, previous, next, place, count: all } = seen, { said } = address();
    const now = JSON.stringify([question.question, previous, next, place, all, location.search]);
    if (now === waysDrawn && ways.isConnected) return;
    waysDrawn = now;
    const focused = ways.contains(document.activeElement) && document.activeElement.title;
    fill(ways,
      h('a', { class: 'button', href: linkTo(back()), title: 'Key: Esc' }, '‹ List'),
      way(previous, 'Previous', 'k'), way(next, 'Next', 'j'),
      h('span', {}, place ? count(place) + ' of ' + count(all) : 'not among what is filtered'),
      h('span', { class: 'spread' }, 'Question ' + count(question.question) + ', row ' + count(question.row)),
      question.answers.filter(one => one.state === 'answered').length > 1 && h('button', { type: 'button', 'aria-pressed': String(said.has('diff')), title: 'Key: d', onclick: () => go(toggled('diff'), { instead: true }) }, 'Differences'),
      h('button', { type: 'button', 'aria-pressed': String(isRaw()), title: 'Key: r', onclick: () => go(toggled('raw'), { instead: true }) }, 'Raw'));
    if (focused) ways.querySelector('[title="' + focused + '"]')?.focus();
  }

  let shownAt = null;

  /** Draws all; of the same record what was open stays open, and the focus where it was. */
  function draw() {
    const { question, request, attempts } = seen;
    const several = question.answers.length > 1, isSame = shownAt === seenAt;
    const way = ways.contains(document.activeElement) && document.activeElement.title, isWithin = page.contains(document.activeElement);
    const focusable = () => [...page.querySelectorAll('a, button, input, textarea, summary, h1, .answers > .card')];
    const named = one => one.closest('.card')?.getAttribute('aria-label') + ' ' + (one.name || one.title || one.tagName + one.textContent.trim()) + (one.value ?? '');
    const focused = isSame && page.contains(document.activeElement) && named(document.activeElement);
    const opened = new Map(isSame ? [...page.querySelectorAll('details')].map(one => [named(one.firstChild), one.open]) : []);
    shownAt = seenAt;
    drawWays();
    fill(page, ways,
      h('h1', { class: 'question', dir: 'auto', tabindex: '0' }, visible(question.text)),
      isMore(request) && sent(question.answers.some(one => 'request' in one) ? 'What the last run sends' : 'What was sent', request),
      request === null && h('p', { class: 'quiet' }, 'What was sent cannot be shown: the input is no longer what was asked.'),
      h('div', { class: 'answers' }, question.answers.map(answerCard)),
      attempts.length > 0 && h('section', { class: 'stack' }, h('div', { class: 'card' },
        h('h2', {}, 'Asks that failed'),
        h('div', { class: 'table-wrap', tabindex: '0', role: 'group', 'aria-label': 'Asks that failed' }, h('table', { class: 'plain' },
          h('thead', {}, h('tr', {}, ['When', ...(several ? ['Answer'] : []), 'Cause', 'Status', 'Seconds', 'What the service said', ''].map(title => h('th', { scope: 'col' }, title)))),
          h('tbody', {}, attempts.map(attempt => h('tr', {},
            h('td', { class: 'short' }, time(attempt.at)), several && h('td', {}, [attempt.model, attempt.sample ? 'sample ' + attempt.sample : null].filter(Boolean).join(' · ')), h('td', {}, attempt.cause), h('td', { class: 'short' }, attempt.status ?? 'no reply'),
            h('td', { class: 'number' }, seconds(attempt.seconds)), h('td', {}, visible(attempt.message)),
            h('td', {}, attempt.has_reply && h('a', { href: api.replyUrl(attempt.id), download: 'reply-' + attempt.id + '.txt' }, 'Reply'))))))))));
    for (const one of page.querySelectorAll('details')) one.open = opened.get(named(one.firstChild)) ?? one.open;
    if (focused) focusable().find(one => named(one) === focused)?.focus({ preventScroll: true });
    if (isSame) return;
    // Another question is read from its beginning; who goes on by keyboard stays where that goes on.
    scrollTo(0, 0);
    const on = way && ways.querySelector('a[title="' + way + '"]') || isWithin && page.querySelector('h1');
    if (on) on.focus({ preventScroll: true });
  }

  /** Whether more was sent than the question that is shown, or something else. */
  function isMore(request) {
    return request && (request.system || request.params || request.turns.length > 1 || request.turns[0].text.trim() !== seen.question.text);
  }

  /** What was sent, part by part; open where the question is the end of a chat. */
  function sent(title, { system, turns, params }) {
    const of = [system && 'a system prompt', turns.length > 1 ? plural(turns.length, 'turn') : 'a message', params && 'fields of its own'].filter(Boolean);
    const part = (words, text) => h('section', {}, h('h3', {}, words), raw(text));
    return h('details', { class: 'sent', open: turns.length > 1 }, h('summary', {}, title + ': ' + of.join(', ')),
      h('div', { class: 'inside' }, system && part('System prompt', system), turns.map(turn => part(ROLES[turn.role] ?? turn.role, turn.text)),
        params && part('Fields of the request that its row has', JSON.stringify(params, null, 1))));
  }

  /** What an answer is an answer to, where the last run sends something else. */
  function sentFor(answer) {
    if (!('request' in answer)) return null;
    return answer.request ? sent('Sent for this answer', answer.request)
      : h('p', { class: 'bad-words' }, 'This answers something else than the last run sends, which cannot be made of the input any more.');
  }

  function fact(words, value) {
    return value ? h('li', {}, h('b', {}, value), ' ' + words) : null;
  }

  function answerCard(answer, at) {
    const title = [answer.model ?? 'unknown model', answer.sample || (overview?.samples ?? 1) > 1 ? 'sample ' + answer.sample : null].filter(Boolean).join(' · ');
    const head = h('header', {}, h('h2', {}, title), h('span', { class: 'state ' + answer.state }, stateWord(answer.state), answer.cause ? ': ' + answer.cause : ''));
    if (answer.state !== 'answered') {
      return h('section', { class: 'card', 'aria-label': title, tabindex: '-1' }, head, answer.tries ? null : h('p', { class: 'quiet' }, nothingYet(answer)), tries(answer, true));
    }
    const { metadata: known } = answer;
    const asWritten = isRaw();
    return h('section', { class: 'card', 'aria-label': title, 'data-answer': answer.id, tabindex: '-1' },
      head,
      h('ul', { class: 'facts' },
        fact('tokens', count(known.output_tokens)), fact('of them reasoning', count(known.reasoning_tokens || null)), fact('sent', count(known.input_tokens)),
        fact('s', seconds(known.seconds)), fact('', dollars(answer.cost)), known.attempts > 1 ? fact('asks', count(known.attempts)) : null,
        fact('', known.finish_reason), fact('', time(answer.answered_at))),
      sentFor(answer),
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
    // An unknown verdict ends its question, unless a program is still to say it.
    const isUnjudged = one => answer.state === 'pending' && one.verdicts.some(verdict => verdict.outcome === 'unknown');
    return all.map(one => h('details', { open: open && one === all.at(-1) }, h('summary', {}, (one.accepted ? 'Accepted though a check fails' : 'Answer ' + one.try + (isUnjudged(one) ? ', not judged yet' : ', not accepted')) + ': ' + one.verdicts.filter(verdict => verdict.outcome !== 'passed').map(verdict => verdict.check).join(', ')),
      h('div', { class: 'inside' }, one.verdicts.flatMap(verdict => verdict.reasons ?? []).map(reason => h('p', { class: 'bad-words' }, visible(words(reason)))),
        !one.accepted && (isRaw() ? raw(one.answer) : rendered(one.answer)))));
  }

  const words = ({ place, sentence }) => (place ? place + ': ' : '') + sentence;

  /** A text as a file: the server's, or made of what is here where there is none. */
  function saved(answer, text, words) {
    const { question, answers } = seen.question;
    const name = [text, question, ...(answers.length > 1 ? [answer.model, answer.sample || null] : [])].filter(part => part !== null && part !== undefined).join('-').replace(/[^\w.-]+/g, '_') + '.txt';
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

  // Only what changed is sent: the page may have been read before an earlier change was kept. One goes
  // behind the other, so that the last one stays.
  function save(answer, change) {
    unsaved++;
    saving = saving.then(async () => {
      try {
        await api.review(answer.id, change);
        Object.assign(answer, change);
        say('Kept in review.db.');
      } catch (error) {
        say('Not kept: ' + error.message);
        return false;
      } finally { unsaved--; }
      // What is on its way may have been read before this change.
      changed();
      return true;
    });
    return saving;
  }

  function changed() {
    if (isReading) isStale = true; else if (unsaved === 0) load();
  }

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
    return h('div', { class: 'review' }, stars, noteOf(answer));
  }

  const notes = new Set();

  /** A field that keeps what is typed a moment later, and when it is left, however. */
  function noteOf(answer) {
    let kept = answer.note ?? '', timer = 0;
    const flush = async () => {
      clearTimeout(timer);
      const note = field.value, before = kept;
      if (note === kept) return;
      kept = note;
      if (!await save(answer, { note }) && kept === note) kept = before;
    };
    const field = h('textarea', {
      'aria-label': 'Note', placeholder: 'A note', rows: 1, value: answer.note, onchange: flush,
      oninput: () => { clearTimeout(timer); timer = setTimeout(flush, 700); },
      onblur: () => { if (again) { again = false; changed(); } },
    });
    notes.add({ field, flush });
    return field;
  }

  /** Sends what is typed. */
  function flushNotes() {
    for (const note of notes) { note.flush(); if (!note.field.isConnected) notes.delete(note); }
  }
  const hidden = () => { if (document.hidden) flushNotes(); };
  addEventListener('pagehide', flushNotes);
  document.addEventListener('visibilitychange', hidden);

  function step(to, at = null) {
    if (to === null) return;
    const { said } = address();
    said.set('n', to);
    if (at === null) said.delete('at'); else said.set('at', at);
    go(said);
  }

  // A key is for the record of the address: it waits until that is shown, behind the keys before it.
  let pressed = Promise.resolve(), waiting = 0;
  const here = act => event => {
    if (waiting && event.repeat) return;
    waiting++;
    pressed = pressed.then(() => arrived).then(() => { if (isShown()) return act(event); })
      .catch(error => say(error.message)).finally(() => { waiting--; });
  };

  async function nextFailure() {
    const { said, filter } = address(), at = said.get('at'), of = seenAt;
    for (let from = at === null ? seen.place ?? 0 : Number(at) + 1; ;) {
      const { place } = await api.failure(filter.toString(), from);
      if (place === null) { say('No further record here has failed.'); return; }
      const { records: [found] } = await api.records(filter.toString(), place, 1);
      if (wanted() !== of) return;
      if (found.question !== seen.question.question) { step(found.question, place); return; }
      from = place + 1;
    }
  }

  const next = here(() => step(seen.next)), previous = here(() => step(seen.previous));
  const keys = {
    j: next, k: previous, ArrowRight: next, ArrowLeft: previous, f: here(nextFailure),
    d: () => go(toggled('diff'), { instead: true }),
    r: () => go(toggled('raw'), { instead: true }),
    o: () => { const all = [...page.querySelectorAll('.answers details')]; const open = all.some(one => !one.open); all.forEach(one => { one.open = open; }); },
    Escape: () => go(back()),
  };
  // The answer that has the focus is rated, or else the first.
  for (let value = 1; value <= 5; value++) keys[value] = here(event => { (page.contains(event.target) && event.target.closest('.answers > .card') || page).querySelector('[data-rate]')?.rate(value); });

  return {
    show() {
      if (!isShown()) { load(); return; }
      asked?.abort();
      asked = null;
      isReading = false;
      draw();
    },
    changed,
    leave() {
      asked?.abort();
      flushNotes();
      removeEventListener('pagehide', flushNotes);
      document.removeEventListener('visibilitychange', hidden);
    },
    keys,
  };
}
