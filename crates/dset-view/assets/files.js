// What the server answers, worked out here from files: for a page that `dset view --static` has written.

const FACETS = ['state', 'cause', 'model', 'sample', 'finish_reason', 'check', 'attempts', 'rating'];
const SPREAD = ['seconds', 'output_tokens', 'reasoning_tokens', 'answer_bytes', 'reasoning_bytes', 'cost'];
const BINS = 24, STEPS = 60;

const load = async path => {
  const response = await fetch('data/' + path);
  if (!response.ok) throw new Error('data/' + path + ' is missing: copy the whole folder, and open it through a web server.');
  return response.json();
};
let all = null;
const run = () => (all ??= Promise.all([load('run.json'), load('records.json')]).then(([run, records]) => ({ ...run, records })));
const parts = new Map();
const part = number => { if (!parts.has(number)) parts.set(number, load('questions/' + number + '.json')); return parts.get(number); };

/** Returns a question as it was written, by its number. */
async function question(number) {
  const { parts: firsts, system } = await run();
  const at = firsts.findLastIndex(first => first <= number);
  const found = (at < 0 ? [] : await part(at)).find(one => one.question.question === Number(number));
  // The system prompt of all stands in the folder once.
  if (found?.request?.system === true) found.request.system = system;
  return found;
}

/** Letters without case and accents, one for each character. */
const fold = text => Array.from(text, one => Array.from(one.normalize('NFKD').toLowerCase())[0] ?? ' ').join('');
const SPACELESS = /[\p{scx=Han}\p{scx=Hiragana}\p{scx=Katakana}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Myanmar}]/u;
const escaped = text => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** Patterns of what is looked for: words, phrases in quotes, beginnings with a star. */
function terms(q) {
  return [...q.matchAll(/"([^"]*)"|(\S+)/g)].map(([, phrase, word]) => fold(phrase ?? word).match(/[\p{L}\p{N}]+\*?/gu) ?? []).filter(words => words.length)
    .map(words => words.map(word => {
      const stem = escaped(word.replace('*', ''));
      return SPACELESS.test(word) ? stem : '(?<![\\p{L}\\p{N}])' + stem + (word.endsWith('*') ? '' : '(?![\\p{L}\\p{N}])');
    }).join('[^\\p{L}\\p{N}]+')).map(pattern => new RegExp(pattern, 'gu'));
}
const has = (text, pattern) => { pattern.lastIndex = 0; return pattern.test(text); };

/** The part of a text where something is found, with what is found marked. */
function marked(text, patterns, most) {
  const folded = fold(text), hits = [];
  for (const pattern of patterns) {
    // `matchAll` goes on where the last search ended.
    pattern.lastIndex = 0;
    for (const found of folded.matchAll(pattern)) {
      const from = Array.from(folded.slice(0, found.index)).length;
      hits.push([from, from + Array.from(found[0]).length]);
      if (hits.length > 50) break;
    }
  }
  hits.sort((a, b) => a[0] - b[0]);
  const start = Math.max(0, (hits[0]?.[0] ?? 0) - 60), end = start + most;
  let last = 0;
  const kept = [];
  for (const [from, to] of hits) if (from >= last && to <= end) { kept.push([from - start + (start && 1), to - start + (start && 1)]); last = to; }
  return { text: (start ? '…' : '') + Array.from(text).slice(start, end).join(''), hits: kept };
}

/** The answer of a question that a record is. */
const answerOf = (detail, record) => detail.question.answers.find(one => one.id === record.answer) ?? {};
const found = new Map();

/** The records that have all of the words, with the places marked. */
async function search(q) {
  const patterns = terms(q), { records } = await run();
  if (!patterns.length) return q.trim() ? [] : records;
  if (found.has(q)) return found.get(q);
  const hits = [];
  for (const record of records) {
    const detail = await question(record.question), answer = answerOf(detail, record);
    const texts = [detail.question.text, answer.answer ?? '', answer.reasoning ?? ''], folded = texts.map(fold);
    if (!patterns.every(pattern => folded.some(text => has(text, pattern)))) continue;
    const [asked, said, thought] = texts.map((text, at) => patterns.some(pattern => has(folded[at], pattern)) ? marked(text, patterns, 300) : null);
    hits.push({ ...record, question_text: asked ?? record.question_text, answer_text: said ?? record.answer_text, ...(thought && { reasoning_text: thought }) });
  }
  found.set(q, hits);
  return hits;
}

const value = (record, name) => record[name];
const known = record => record.answer !== null && record.answer !== undefined;

/** What a filter lets through, but for one facet. */
function through(records, filter, but) {
  const facets = FACETS.filter(name => name !== but && filter.has(name)).map(name => [name, filter.getAll(name)]);
  const bounds = [...filter].flatMap(([name, said]) => { const bound = /^(min|max)_(.+)$/.exec(name); return bound && said !== '' ? [[bound[2], bound[1] === 'min' ? 1 : -1, Number(said)]] : []; });
  return records.filter(one => facets.every(([name, values]) => values.includes(String(value(one, name) ?? '')))
    && bounds.every(([name, sign, bound]) => typeof one[name] === 'number' && sign * (one[name] - bound) >= 0));
}

async function wanted(query) {
  const filter = new URLSearchParams(query), sort = filter.get('sort') ?? '', by = sort.replace(/^-/, ''), down = sort.startsWith('-');
  const records = through(await search(filter.get('q') ?? ''), filter);
  if (!by || by === 'question') return down ? records.toReversed() : records;
  const rank = one => typeof one[by] === 'number' ? (down ? -one[by] : one[by]) : Infinity;
  return records.toSorted((a, b) => (rank(a) === rank(b) ? 0 : rank(a) - rank(b)));
}

function distribution(name, records) {
  const numbers = records.map(one => one[name]).filter(number => typeof number === 'number').sort((a, b) => a - b), most = numbers.at(-1);
  if (!(most > 0)) return [];
  const at = share => numbers[Math.floor((numbers.length - 1) * share)], from = numbers.find(number => number > 0), ratio = Math.max(1, (most / from) ** (1 / BINS));
  const ends = Array.from({ length: BINS }, (_, bin) => from * ratio ** (bin + 1)), counts = Array(BINS).fill(0);
  for (const number of numbers) { const bin = ends.findIndex(end => end >= number); counts[bin < 0 ? BINS - 1 : bin]++; }
  return [{ name, count: numbers.length, least: numbers[0], median: at(.5), p95: at(.95), most, ends, counts }];
}

function overTime(records) {
  const times = records.map(one => one.answered_at / 1000).filter(Boolean);
  if (!times.length) return [0, []];
  const first = Math.min(...times), last = Math.max(...times), step = Math.floor((last - first) / STEPS) + 1;
  const steps = Array.from({ length: Math.floor((last - first) / step) + 1 }, (_, at) => ({ at: first + at * step, answers: 0 }));
  for (const time of times) steps[Math.floor((time - first) / step)].answers++;
  return [step, steps];
}

function side(model, records, alone, wins) {
  const mean = name => records.length ? records.reduce((sum, one) => sum + (one[name] ?? 0), 0) / records.length : null, costs = records.map(one => one.cost).filter(cost => typeof cost === 'number');
  return { model, alone, wins, output_tokens: mean('output_tokens'), seconds: mean('seconds'), answer_bytes: mean('answer_bytes'), cost: costs.length ? costs.reduce((sum, cost) => sum + cost, 0) : null };
}

async function compared(query, offset, limit) {
  const filter = new URLSearchParams(query), models = [filter.get('a'), filter.get('b')], { records } = await run();
  const numbers = new Set((await wanted(filter)).map(one => one.question)), rows = new Map();
  for (const one of records) if (known(one) && numbers.has(one.question)) { const at = models.indexOf(one.model); if (at >= 0) { const row = rows.get(one.question) ?? []; row[at] ??= one; rows.set(one.question, row); } }
  const both = [...rows.values()].filter(([a, b]) => a && b), rated = both.filter(([a, b]) => a.rating && b.rating), pairs = [];
  const alone = at => [...rows.values()].filter(row => row[at] && !row[1 - at]).length, wins = at => rated.filter(row => row[at].rating > row[1 - at].rating).length;
  let next = null;
  for (let at = offset; at < both.length; at++) {
    if (pairs.length === limit) { next = at; break; }
    const detail = await question(both[at][0].question), answers = both[at].map(one => answerOf(detail, one).answer);
    const same = answers[0] === answers[1];
    if (filter.get('only') === 'different' && same) continue;
    pairs.push({ question: both[at][0].question, text: detail.question.text.slice(0, 600), answers: answers.map(text => text.slice(0, 600)), ratings: both[at].map(one => one.rating), same });
  }
  return { sides: [0, 1].map(at => side(models[at], both.map(row => row[at]), alone(at), wins(at))), both: both.length, rated: rated.length, ties: rated.filter(([a, b]) => a.rating === b.rating).length, pairs, next };
}

export const files = {
  isStatic: true,
  async overview() {
    const { overview, records } = await run();
    return { ...overview, whole: overview.records, records: records.length, answered: records.filter(one => one.state === 'answered').length, failed: records.filter(one => ['rejected', 'gave_up'].includes(one.state)).length };
  },
  async records(filter, offset, limit) {
    const [seen, { records }] = [await wanted(filter), await run()];
    return { count: seen.length, of: records.length, offset, revision: 1, records: seen.slice(offset, offset + limit) };
  },
  async facets(query) {
    const filter = new URLSearchParams(query), records = await search(filter.get('q') ?? '');
    return { facets: FACETS.map(name => {
      const counts = new Map();
      for (const one of through(records, filter, name)) { const of = value(one, name) ?? null; counts.set(of, (counts.get(of) ?? 0) + 1); }
      return { name, values: [...counts].map(([of, count]) => ({ value: of === null ? null : String(of), count })).sort((a, b) => b.count - a.count) };
    }) };
  },
  async failure(filter, from) {
    const place = (await wanted(filter)).findIndex((one, at) => at >= from && ['rejected', 'gave_up'].includes(one.state));
    return { place: place < 0 ? null : place };
  },
  async question(number, filter) {
    const detail = await question(number);
    if (!detail) throw Object.assign(new Error('This folder does not have it.'), { status: 404 });
    // A question stands where the first of its records does.
    const order = (await wanted(filter)).map(one => one.question), place = order.indexOf(Number(number)), questions = [...new Set(order)], at = questions.indexOf(Number(number));
    return { ...detail, previous: questions[at - 1] ?? null, next: at < 0 ? null : questions[at + 1] ?? null, place: place < 0 ? null : place + 1, count: order.length };
  },
  async distributions(filter) {
    const records = (await wanted(filter)).filter(known), [step_seconds, steps] = overTime(records);
    return { numbers: SPREAD.flatMap(name => distribution(name, records)), step_seconds, steps };
  },
  compare: (query, offset) => compared(query, offset, 20),
  status: async () => (await run()).status,
  stats: async () => (await run()).stats,
  async lines(filter) {
    const lines = [];
    for (const one of (await wanted(filter)).filter(known)) {
      const detail = await question(one.question), answer = answerOf(detail, one);
      lines.push(JSON.stringify({ question: detail.question.text, reasoning: answer.reasoning, answer: answer.answer, model: one.model, rating: answer.rating, note: answer.note, metadata: answer.metadata }) + '\n');
    }
    return new Blob(lines, { type: 'application/x-ndjson' });
  },
  textUrl: (id, text) => 'data/answers/' + id + '-' + text + '.txt',
  replyUrl: () => '',
  watch(changed) { files.overview().then(changed, () => {}); },
};
