// A Chromium, and pages in it that fail the test when anything is wrong with them.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import assert from 'node:assert/strict';

const require = createRequire(process.env.TOOLS + '/');
const { chromium } = require('playwright-core');
export const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
export const work = process.argv[2];
export const { url, api, token } = JSON.parse(readFileSync(work + '/view.out', 'utf8'));
export const origin = new URL(url).origin;
export const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] });
const began = Date.now();
/** Tries again until what is looked at is so: a page is drawn when its answers have come. */
export async function eventually(holds) {
  for (const until = Date.now() + 30000; ;) {
    try { return await holds(); } catch (error) { if (Date.now() > until) throw error; }
    await new Promise(done => setTimeout(done, 100));
  }
}
/** What a place says in the end. */
export const says = (place, words) => eventually(async () => assert.match(await place.innerText(), words));
/** Gives a page another answer than the server's, made of its text. One that the page no longer waits for comes to nothing. */
export const changed = change => async route => {
  try { await route.fulfill(change(await (await route.fetch()).text())); } catch { await route.abort().catch(() => {}); }
};
export const passed = words => console.log(((Date.now() - began) / 1000).toFixed(1) + ' s  ' + words);

/** A page that fails the test when anything is wrong with it, or when it asks anybody else. */
export async function open(query = '', { width = 1280, height = 900, quiet = false, tamper, ...more } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, bypassCSP: false, ...more });
  const page = await context.newPage();
  page.setDefaultTimeout(90000);
  page.problems = [];
  page.asked = [];
  page.on('console', message => { if (message.type() === 'error') page.problems.push(message.text()); });
  page.on('pageerror', error => page.problems.push(String(error)));
  page.on('request', request => { if (!request.url().startsWith(origin)) page.asked.push(request.url()); });
  page.on('response', response => { if (response.status() >= 400) page.problems.push(response.status() + ' ' + response.url()); });
  if (tamper) await tamper(page);
  await page.goto(url + (query ? '&' + query : ''));
  await page.locator('main > *').first().waitFor();
  page.done = async () => {
    assert.deepEqual(page.asked, [], 'somebody else was asked');
    if (!quiet) assert.deepEqual(page.problems, []);
    await context.close();
  };
  return page;
}
export const row = page => page.locator('.scroll .tr').filter({ hasNot: page.locator('.waiting') });
export const numberOf = page => page.locator('[aria-selected="true"] .place').innerText();

