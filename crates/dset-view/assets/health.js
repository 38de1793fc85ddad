// Where the run stands: counts that balance, what it took, what failed and why; live while it goes on.

import { api } from './api.js';
import { address, linkTo, overview } from './app.js';
import { filterWords } from './list.js';
import { atRest, bytes, count, dollars, fill, h, plural, seconds, time } from './dom.js';

const SVG = 'http://www.w3.org/2000/svg';
const s = (tag, attributes) => { const element = document.createElementNS(SVG, tag); for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value); return element; };

const WORDS = { seconds: ['Seconds an answer took', seconds], output_tokens: ['Tokens received', count], reasoning_tokens: ['Reasoning tokens', count], answer_bytes: ['Length of answers', bytes], reasoning_bytes: ['Length of reasoning', bytes], cost: ['Cost of an answer', dollars] };

/** Bars of counts, with a title each. */
function bars(counts, label, titles) {
  const most = Math.max(1, ...counts), width = 600, height = 110, step = width / counts.length;
  const chart = s('svg', { viewBox: '0 0 ' + width + ' ' + height, role: 'img', 'aria-label': label, preserveAspectRatio: 'none', class: 'bars' });
  counts.forEach((n, at) => {
    const tall = n ? Math.max(2, n / most * height) : 0;
    const bar = s('rect', { x: at * step + 1, y: height - tall, width: Math.max(1, step - 2), height: tall, rx: 1.5 });
    const title = s('title', {});
    title.textContent = titles[at];
    bar.append(title);
    chart.append(bar);
  });
  return chart;
}

function distribution(one) {
  const [words, write] = WORDS[one.name];
  const titles = one.counts.map((n, at) => plural(n, 'answer') + ' up to ' + write(one.ends[at]));
  return h('figure', { class: 'card' }, h('h2', {}, words),
    bars(one.counts, words + ': median ' + write(one.median), titles),
    h('figcaption', {}, h('span', {}, write(one.least)), h('span', {}, 'median ', h('b', {}, write(one.median)), ', 95 of 100 below ', h('b', {}, write(one.p95))), h('span', {}, write(one.most))));
}

const money = total => {
  if (!total) return 'unknown';
  const [least, most] = [Number(total.at_least), Number(total.at_most)];
  if (total.calls && total.no_price + total.no_counts >= total.calls) return 'unknown';
  return least === most ? dollars(least) : dollars(least) + ' to ' + dollars(most);
};

export function health(main) {
  const page = h('div', { class: 'panels' }, h('p', { class: 'quiet wide' }, 'Counting…'));
  main.append(page);
  let busy = false, again = false;

  async function load() {
    if (busy) { again = true; return; }
    busy = true;
    try {
      const [status, stats, spread] = await Promise.all([api.status(), api.stats(), api.distributions(address().filter.toString())]);
      await atRest();
      draw(status, stats, spread);
    } catch (error) {
      fill(page, h('div', { class: 'empty wide' }, h('p', {}, error.message)));
    }
    busy = false;
    if (again) { again = false; setTimeout(load, 1000); }
  }

  function draw({ ledger, balances, running, recent }, stats, spread) {
    const term = (name, value, kind = '') => h('div', { class: kind }, h('dt', {}, name), h('dd', {}, count(value)));
    const { spent } = stats;
    const focused = page.contains(document.activeElement) && document.activeElement.getAttribute('href');
    const failed = Object.entries(stats.failed ?? {}).sort((a, b) => b[1] - a[1]);
    const asks = Object.entries(stats.failed_asks?.causes ?? {}).sort((a, b) => b[1] - a[1]);
    const tokens = stats.all.tokens;
    const filters = [...address().filter].filter(([name]) => name !== 'sort');
    const all = new URLSearchParams(address().said);
    for (const [name] of filters) all.delete(name);
    const isPart = api.isStatic && overview && overview.whole > overview.records;
    fill(page,
      (filters.length > 0 || isPart) && h('p', { class: 'wide filtered' }, 'The charts are of ',
        filters.length > 0 ? [filters.map(([name, value]) => [h('b', {}, filterWords(name, value)), ' ']), 'alone' + (isPart ? ', among the answers of this folder' : '')] : 'the answers of this folder alone',
        '; what is counted, spent and failed is of the whole run. ', filters.length > 0 && h('a', { href: linkTo(all) }, 'Take the filter away')),
      h('section', { class: 'card wide' },
        h('h2', {}, running ? 'A run is going on' : 'No run is going on'),
        h('dl', { class: 'ledger' },
          term((overview?.models.length ?? 1) * (overview?.samples ?? 1) > 1 ? 'answers wanted' : 'questions', ledger.questions), term('answered', ledger.answered, 'good'),
          ledger.presumed ? term('taken as answered', ledger.presumed) : null,
          term('rejected', ledger.rejected, ledger.rejected ? 'bad' : ''), term('gave up', ledger.gave_up, ledger.gave_up ? 'bad' : ''), term('pending', ledger.pending)),
        overview?.bad_rows > 0 && h('p', { class: 'bad-words' }, plural(overview.bad_rows, 'row') + (overview.bad_rows === 1 ? ' is' : ' are') + ' left out that cannot be asked' + (overview.first_bad_row ? '; the first, ' + overview.first_bad_row : '') + '.'),
        h('p', { class: 'quiet' }, balances ? 'The first is the sum of the others: it balances.' : 'The first is NOT the sum of the others.')),
      h('section', { class: 'card' }, h('h2', {}, 'Money and tokens'),
        h('table', { class: 'plain' }, h('tbody', {}, [
          ['Spent', money(spent?.total)], ['of it for answers', money(spent?.answers)],
          spent && Number(spent.may_have_been_billed) ? ['May have been billed', dollars(Number(spent.may_have_been_billed))] : null,
          ['Saved by the cache', spent ? dollars(Number(spent.saved_by_cache)) : ''],
          ['Tokens sent', count(tokens.input)], ['of them cached', tokens.input ? Math.round(100 * tokens.cached / tokens.input) + ' %' : ''],
          ['Tokens received', count(tokens.output)], ['of them reasoning', tokens.output ? Math.round(100 * tokens.reasoning / tokens.output) + ' %' : ''],
          ['Asked more than once', count(stats.all.retried)],
        ].filter(Boolean).map(([words, value]) => h('tr', {}, h('th', { scope: 'row' }, words), h('td', { class: 'number' }, value)))))),
      h('section', { class: 'card' }, h('h2', {}, 'Why questions failed'),
        failed.length === 0 ? h('p', { class: 'quiet' }, 'None failed.') : h('table', { class: 'plain' }, h('tbody', {}, failed.map(([cause, n]) =>
          h('tr', {}, h('td', {}, h('a', { href: linkTo(new URLSearchParams({ cause })) }, cause)), h('td', { class: 'number' }, count(n)))))),
        asks.length > 0 && [h('h2', { class: 'below' }, 'Asks that failed'), h('table', { class: 'plain' }, h('tbody', {}, asks.map(([cause, n]) => h('tr', {}, h('td', {}, cause), h('td', { class: 'number' }, count(n))))))]),
      spread.steps.length > 1 && h('figure', { class: 'card wide' }, h('h2', {}, 'Answers over time'),
        bars(spread.steps.map(step => step.answers), 'Answers over time', spread.steps.map(step => plural(step.answers, 'answer') + ' from ' + time(step.at * 1000))),
        h('figcaption', {}, h('span', {}, time(spread.steps[0].at * 1000)), h('span', {}, 'a bar is ' + plural(spread.step_seconds, 'second') + (running && recent ? ', ' + count(recent.answers) + ' in the last minute' : '')), h('span', {}, time(spread.steps.at(-1).at * 1000)))),
      spread.numbers.filter(one => WORDS[one.name]).map(distribution));
    if (focused) page.querySelector('a[href="' + CSS.escape(focused) + '"]')?.focus({ preventScroll: true });
  }

  return { show: load, known: load, changed: load, keys: {} };
}
