// Elements, numbers and words. Text becomes text nodes alone: nothing that a model wrote is ever markup
// here (text.js renders Markdown, and says how).

/** Makes an element; `on…` are listeners, the rest attributes. Children are nodes or text. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name === 'value') element.value = value;
    else element.setAttribute(name, value === true ? '' : value);
  }
  add(element, children);
  return element;
}

/** Appends one by one: a call takes only so many arguments. */
function add(element, children) {
  for (const child of children.flat(9)) if (child !== null && child !== undefined && child !== false) element.append(child);
}

/** Puts these in the place of what an element holds. */
export function fill(element, ...children) {
  const all = document.createDocumentFragment();
  add(all, children);
  element.replaceChildren(all);
}

const whole = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
export const count = number => number === null || number === undefined ? '' : whole.format(number);
export const seconds = number => {
  if (number === null || number === undefined) return '';
  if (number < 10) return number.toFixed(1);
  return whole.format(number);
};
export const dollars = number => {
  if (number === null || number === undefined) return '';
  if (number === 0) return '$0';
  return '$' + (number >= 100 ? whole.format(number) : number >= 0.1 ? number.toFixed(2) : number.toPrecision(2).replace(/(\.\d*?)0+$/, '$1'));
};
export const bytes = number => {
  if (number === null || number === undefined) return '';
  if (number < 1000) return whole.format(number) + ' B';
  return number < 999500 ? (number / 1000).toFixed(number < 9950 ? 1 : 0) + ' kB' : (number / 1e6).toFixed(1) + ' MB';
};
export const time = ms => new Date(ms).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
export const plural = (number, word) => count(number) + ' ' + word + (number === 1 ? '' : 's');

const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/;

/** A foreign text with its control characters as signs: an escape sequence or a change of direction is
 *  seen and does nothing. */
export function visible(text) {
  if (!CONTROLS.test(text)) return [text];
  return text.replaceAll('\r', '').split(new RegExp('((?:' + CONTROLS.source + ')+)')).map((part, at) =>
    at % 2 ? h('span', { class: 'control' }, Array.from(part, sign).join('')) : part);
}

function sign(control) {
  const code = control.charCodeAt(0);
  return code < 32 ? String.fromCharCode(0x2400 + code) : 'U+' + code.toString(16).toUpperCase().padStart(4, '0');
}

/** A snippet with what was looked for marked. */
export function snippet({ text, hits }) {
  if (!hits.length) return visible(text);
  const characters = Array.from(text);
  const parts = [];
  let at = 0;
  for (const [from, to] of hits) {
    parts.push(visible(characters.slice(at, from).join('')), h('mark', {}, visible(characters.slice(from, to).join(''))));
    at = to;
  }
  parts.push(visible(characters.slice(at).join('')));
  return parts;
}

/** Lets the browser keep something as a file. */
export function keep(blob, name) {
  const address = URL.createObjectURL(blob);
  h('a', { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60000);
}

const STATES = { answered: 'answered', rejected: 'rejected', gave_up: 'gave up', pending: 'pending', left_out: 'left out', presumed: 'taken as answered', marked: 'marked ERROR' };
export const stateWord = state => STATES[state] ?? state;

let silence;
/** Says something in a few words, for eyes and for screen readers. */
export function say(words) {
  const place = document.getElementById('said');
  place.textContent = words;
  clearTimeout(silence);
  silence = setTimeout(() => { place.textContent = ''; }, 4000);
}

let held = false, released = [];
addEventListener('pointerdown', () => { held = true; });
for (const name of ['pointerup', 'pointercancel', 'blur']) addEventListener(name, () => setTimeout(() => {
  held = false;
  for (const done of released.splice(0)) done();
}));

/** Waits until no button of the mouse is held: a click needs the same element from its beginning to its end. */
export const atRest = () => held && new Promise(done => released.push(done));
