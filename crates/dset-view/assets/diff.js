// Where two texts differ, by words.

import { h, visible } from './dom.js';

/** Words that are compared; the work is their square. */
const WORDS_MAX = 1500;

/** The two texts as parts, with what only the one or the other has marked. */
export function differences(one, other) {
  const a = one.split(/(\s+)/), b = other.split(/(\s+)/);
  if (a.length > WORDS_MAX || b.length > WORDS_MAX) return [visible(one), visible(other)];
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
  let i = 0, j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) { push(left, '', a[i++]); push(right, '', b[j++]); }
    else if (j >= b.length || (i < a.length && table[(i + 1) * width + j] >= table[i * width + j + 1])) push(left, 'del', a[i++]);
    else push(right, 'ins', b[j++]);
  }
  const parts = all => all.map(({ tag, text }) => tag ? h(tag, {}, visible(text)) : visible(text));
  return [parts(left), parts(right)];
}
