// What is filtered, as a file or as the command that makes a dataset.

import { api } from './api.js';
import { linkTo } from './app.js';
import { fill, h, keep, plural, say } from './dom.js';

const LAYOUTS = [['rows', 'Rows, with everything'], ['chat', 'Chats (TRL, axolotl)'], ['openai', 'OpenAI fine-tuning'], ['sharegpt', 'ShareGPT (LLaMA-Factory)'], ['alpaca', 'Alpaca'], ['preference', 'Preference pairs']];
const NAMES = { output_tokens: 'completion_tokens', input_tokens: 'prompt_tokens' };
const FORMATS = ['jsonl', 'json', 'parquet'];

const quoted = text => /^[\w./:=-]+$/.test(text) ? text : "'" + text.replaceAll("'", "'\\''") + "'";

/** The names by which the service answers for a model, by its first and its last answer: expressions know
 *  those, and the page the one that was asked. */
async function namesOf(model) {
  const names = new Set();
  for (const sort of ['answered_at', '-answered_at']) {
    const { records: [record] } = await api.records(new URLSearchParams({ model, state: 'answered', sort }).toString(), 0, 1);
    if (!record) continue;
    const { question } = await api.question(record.question, '');
    const name = question.answers.find(one => one.id === record.answer)?.metadata?.model;
    if (name) names.add(name);
  }
  return names.size ? [...names] : [model];
}

/** The part of a filter that `--where` can say; the rest, named. */
function where(filter) {
  const parts = [], left = [];
  for (const name of new Set(filter.keys())) {
    const values = filter.getAll(name), bound = /^(min|max)_(output_tokens|reasoning_tokens|input_tokens|seconds|rating)$/.exec(name);
    if (name === 'state' && values.join() === 'answered') continue;
    if (['model', 'finish_reason', 'sample', 'rating'].includes(name)) parts.push('(' + values.map(value => name + (name === 'rating' && value === '' ? ' is none' : ' == ' + (['sample', 'rating'].includes(name) ? value : JSON.stringify(value)))).join(' or ') + ')');
    else if (bound) parts.push((NAMES[bound[2]] ?? bound[2]) + (bound[1] === 'min' ? ' >= ' : ' <= ') + values[0]);
    else if (name !== 'sort') left.push(name);
  }
  return [parts.join(' and '), left];
}

export function exports(main) {
  const page = h('div', { class: 'panels' });
  main.append(page);
  let layout = 'rows', format = 'jsonl';

  let shown = 0;

  async function show({ filter }) {
    const own = ++shown;
    try {
      const [of, { count: found }] = await Promise.all([api.overview(), api.records(filter.toString(), 0, 1)]);
      const models = api.isStatic ? filter.getAll('model') : (await Promise.all(filter.getAll('model').map(namesOf))).flat();
      if (own === shown) draw(filter, of, found, [...new Set(models)]);
    } catch (error) {
      if (own === shown) fill(page, h('div', { class: 'empty wide' }, h('p', {}, error.message)));
    }
  }

  function draw(filter, overview, found, models) {
    const named = new URLSearchParams([...[...filter].filter(([name]) => name !== 'model'), ...models.map(model => ['model', model])]);
    // What failed is exported to be asked again; pairs are made of what is rated.
    const failed = (filter.has('state') && filter.getAll('state').every(state => ['rejected', 'gave_up', 'pending'].includes(state)))
      || (filter.has('cause') && !filter.getAll('cause').includes(''));
    // Of what failed all is written, whatever else is asked for.
    const [expression, left] = failed ? ['', [...new Set(filter.keys())].filter(name => !['state', 'cause', 'sort'].includes(name))] : where(named);
    const asOther = !failed && models.join() !== filter.getAll('model').join();
    const run = [quoted(overview.input), '-o', quoted(overview.output)];
    const command = () => failed ? ['dset export', ...run, '--failed', '--to', 'again.' + format].join(' ') : ['dset export', ...run, '--layout', layout, '--to', 'data.' + format, layout === 'preference' && '--rank rating', (expression || layout === 'preference') && '--where ' + quoted([expression, layout === 'preference' && 'rating'].filter(Boolean).join(' and ')), layout === 'rows' && '--reviews'].filter(Boolean).join(' ');
    const query = new URLSearchParams([...filter].filter(([name]) => name !== 'sort')).toString();
    const copied = words => h('button', { type: 'button', onclick: async () => { try { await navigator.clipboard.writeText(words()); say('Copied.'); } catch { say('The browser does not let this page copy.'); } } }, 'Copy');
    const line = words => h('div', { class: 'command' }, h('code', { tabindex: '0' }, words), copied(() => words));
    const code = h('code', { tabindex: '0' });
    const write = () => { code.textContent = command(); };
    const choose = (title, all, now, set) => h('label', { class: 'field' }, h('span', {}, title), h('select', { onchange: event => { set(event.target.value); write(); } }, all.map(([value, words]) => h('option', { value, selected: value === now }, words))));
    fill(page,
      h('section', { class: 'card wide' }, h('h2', {}, plural(found, 'record') + ([...filter].length ? ' filtered' : ', all that there are')),
        h('p', {}, 'As JSON lines, with question, reasoning, answer, model, rating, note and metadata. Records without an answer are left out.'),
        h('div', { class: 'tools' }, api.isStatic ? h('button', { type: 'button', onclick: async () => keep(await api.lines(filter.toString()), 'records.jsonl') }, 'Save records.jsonl')
            : h('a', { class: 'button', href: api.linesUrl(filter.toString()), download: 'records.jsonl' }, 'Save records.jsonl'), h('a', { class: 'button', href: linkTo(filter) }, 'See them in the list'))),
      !api.isStatic && h('section', { class: 'card wide' }, h('h2', {}, failed ? 'What failed, to be asked again' : 'A dataset for training'),
        h('p', {}, failed ? 'This command writes all questions of the run that lack an answer, with their columns:' : 'This command makes it, of the same store:'),
        h('div', { class: 'fields' }, !failed && choose('Layout', LAYOUTS, layout, value => { layout = value; }), choose('File', FORMATS.map(one => [one, one]), format, value => { format = value; })),
        h('p', {}), h('div', { class: 'command' }, code, copied(command)),
        asOther && h('p', { class: 'quiet' }, 'The service answers as ' + models.join(', ') + ': datasets have that name.'),
        left.length > 0 && h('p', { class: 'quiet' }, 'The command leaves out what only this page knows: ' + left.join(', ') + '.')),
      !api.isStatic && h('section', { class: 'card wide' }, h('h2', {}, 'To pass on'),
        h('p', {}, 'A report of the whole run, one file that needs nothing:'), line(['dset report', ...run, '--to report.html'].join(' ')),
        h('p', {}), h('p', {}, 'These pages with ' + (query ? 'what is filtered' : 'all records') + ', as plain files for any web server:'),
        line(['dset view', ...run, '--static site', query && '--filter ' + quoted(query)].filter(Boolean).join(' '))));
    write();
  }

  return { show, keys: {} };
}
