// Where two texts differ, by words.

import { h, visible } from './dom.js';

/** Words that are compared; the work is their square. */
const WORDS_MAX = 1500;

/** The two texts as parts, with what only the one or the other has marked. Of texts that differ too much all
 *  between the beginning and the end that they share is marked. */
export function differences(one, other) {
  let a = one.split(/(\s+)/), b = other.split(/(\s+)/), begin = 0, end = 0;
  const least = Math.min(a.length, b.length);
  while (begin < least && a[begin] === b[begin]) begin++;
  while (end < least - begin && a.at(-1 - end) === b.at(-1 - end)) end++;
  const before = a.slice(0, begin), behind = end ? a.slice(-end) : [];
  [a, b] = [a, b].map(words => words.slice(begin, words.length - end));
  if (a.length > WORDS_MAX || b.length > WORDS_MAX) [a, b] = [a, b].map(words => [words.join('')]);
  const width = b.length + 1, table = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      table[i * width + j] = a[i] === b[j] ? table[(i + 1) * width + j + 1] + 1 : Math.max(table[(i + 1) * width + j], table[i * width + j + 1]);
    }
  }
  const left = [], right = [];
  const push = (to, tag, word) => {
    const last = to.at(-1);
    if (last?.tag === tag) last.text += word; else to.push({ tag, text: word });
  };
  for (const word of before) { push(left, '', word); push(right, '', word); }
  let i = 0, j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) { push(left, '', a[i++]); push(right, '', b[j++]); }
    else if (j >= b.length || (i < a.length && table[(i + 1) * width + j] >= table[i * width + j + 1])) push(left, 'del', a[i++]);
    else push(right, 'ins', b[j++]);
  }
  for (const word of behind) { push(left, '', word); push(right, '', word); }
  const parts = all => all.map(({ tag, text }) => tag ? h(tag, {}, visible(text)) : visible(text));
  return [parts(left), parts(right)];
}
