// The only place that asks the server, or reads files in its place.

import { files } from './files.js';

/** An answer that is no success, in words. */
export class Refused extends Error {
  constructor(words, status) { super(words); this.status = status; }
}

const GONE = '`dset view` no longer answers. Start it again, and open the address that it writes.';

/** Between two looks, while something changes and while nothing does. */
const SOON = 300, LATER = 1000;

async function get(path, signal) {
  let response;
  try {
    response = await fetch('api/v1/' + path, { signal, credentials: 'same-origin' });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Refused(GONE);
  }
  if (response.ok) return response.json();
  const body = await response.text();
  let words = body;
  try { words = JSON.parse(body).error; } catch { /* it is plain text */ }
  throw new Refused(words || 'the server says ' + response.status, response.status);
}

const server = {
  isStatic: false,
  overview: () => get('overview'),
  records: (filter, offset, limit, signal) => get('records?' + filter + '&offset=' + offset + '&limit=' + limit, signal),
  facets: (filter, signal) => get('facets?' + filter, signal),
  failure: (filter, from) => get('failure?' + filter + '&offset=' + from),
  question: (number, filter, signal) => get('questions/' + number + '?' + filter, signal),
  distributions: filter => get('distributions?' + filter),
  compare: (query, offset) => get('compare?' + query + '&limit=20&offset=' + offset),
  linesUrl: filter => 'api/v1/records.jsonl?' + filter,
  status: () => get('status'),
  stats: () => get('stats'),
  textUrl: (id, text) => 'api/v1/answers/' + id + '/' + text + '.txt',
  replyUrl: id => 'api/v1/attempts/' + id + '/reply',
  async review(id, review) {
    const response = await fetch('api/v1/answers/' + id + '/review', {
      method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(review),
      // What is typed last before the page is left arrives, too.
      keepalive: review.note === undefined || review.note.length < 10_000,
    }).catch(() => { throw new Refused(GONE); });
    if (!response.ok) throw new Refused((await response.json()).error);
  },
  /** Calls `changed` with the overview, now and whenever it changes, and `failed` with what is wrong while
   *  it cannot be had. Nothing is held open: a browser has six connections to a server, for all tabs. */
  watch(changed, failed) {
    let told = '', timer = 0, wait = LATER, isAsking = false;
    async function ask() {
      clearTimeout(timer);
      if (isAsking || document.hidden) return;
      isAsking = true;
      try {
        const seen = await get('overview'), now = JSON.stringify(seen);
        failed(null);
        wait = now === told ? LATER : SOON;
        if (now !== told) { told = now; changed(seen); }
      } catch (error) {
        wait = LATER;
        failed(error);
      }
      isAsking = false;
      timer = setTimeout(ask, wait);
    }
    document.addEventListener('visibilitychange', ask);
    ask();
  },
};

/** What answers: `dset view`, or the files that it has written. */
export const api = document.documentElement.hasAttribute('data-files') ? files : server;
