// The viewer in a real Chromium. Every check says what it proves; the first that fails ends it. `ONLY=live` runs
// one part.
import { browser } from './browser.mjs';

for (const part of process.env.ONLY?.split(',') ?? ['list', 'records', 'tabs', 'pages', 'sent', 'columns', 'hostile', 'guard', 'looks', 'files', 'live']) await import('./' + part + '.mjs');
await browser.close();
