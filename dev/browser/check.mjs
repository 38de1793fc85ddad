// The viewer in a real Chromium. Every check says what it proves; the first that fails ends it.
import { createRequire } from 'node:module';
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import assert from 'node:assert/strict';
import { HOSTILE } from './fixture.mjs';

const require = createRequire(process.env.TOOLS + '/');
const { chromium } = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const [root, work] = process.argv.slice(2);
const { url, api, token } = JSON.parse(readFileSync(work + '/view.out', 'utf8'));
const origin = new URL(url).origin;
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] });
const began = Date.now();
const passed = words => console.log(((Date.now() - began) / 1000).toFixed(1) + ' s  ' + words);

/** A page that fails the test when anything is wrong with it, or when it asks anybody else. */
async function open(query = '', { width = 1280, height = 900, quiet = false, tamper, ...more } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, bypassCSP: false, ...more });
  const page = await context.newPage();
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
const row = page => page.locator('.scroll .tr').filter({ hasNot: page.locator('.waiting') });
const numberOf = page => page.locator('[aria-selected="true"] .place').innerText();

// The list, its keys, and the way to a record and back.
{
  const page = await open();
  await row(page).first().waitFor();
  assert.ok(!page.url().includes('token'), 'the token left the address');
  await page.keyboard.press('j'); await page.keyboard.press('j'); await page.keyboard.press('k');
  await page.waitForURL(/at=1/);
  await page.keyboard.press('f');
  await page.waitForFunction(() => document.querySelector('[aria-selected="true"] .state.rejected'));
  const failed = await numberOf(page);
  await page.keyboard.press('Enter');
  await page.locator('.record .question').waitFor();
  assert.match(await page.locator('.record .question').innerText(), /refused-1/);
  await page.keyboard.press('Escape');
  await row(page).first().waitFor();
  assert.equal(await numberOf(page), failed, 'the place in the list is kept');
  await page.goBack(); await page.locator('.record .question').waitFor();
  await page.goForward(); await row(page).first().waitFor();
  passed('keys move through the list, open and close, and back and forward follow');

  await page.keyboard.press('/');
  await page.keyboard.type('黑洞');
  await page.keyboard.press('Enter');
  await page.waitForURL(/q=/);
  await page.locator('.scroll mark').first().waitFor();
  assert.match(await page.locator('.count').innerText(), /^2 of/);
  await page.reload();
  await page.locator('.scroll mark').first().waitFor();
  assert.equal(await page.locator('input[name=q]').inputValue(), '黑洞');
  passed('a word of two characters is found and marked, and a reload keeps it');

  await page.goto(origin + '/');
  await page.locator('[data-facet="state=rejected"]').click();
  await page.waitForURL(/state=rejected/);
  await page.waitForFunction(() => /^12 of/.test(document.querySelector('.count').innerText));
  await page.locator('.th button', { hasText: 'Seconds' }).click();
  await page.waitForURL(/sort=-seconds/);
  await page.keyboard.press('?');
  await page.locator('dialog[open]').waitFor();
  await page.keyboard.press('Escape');
  passed('filters count, columns sort, and ? says the keys');
  await page.done();
}

// A record: raw, reasoning, differences, rating and note.
{
  const page = await open('n=1');
  await page.locator('.text table').first().waitFor();
  await page.keyboard.press('r'); await page.locator('.card > .text.raw').first().waitFor();
  await page.keyboard.press('r'); await page.locator('.text table').first().waitFor();
  await page.keyboard.press('o'); await page.locator('details[open]').first().waitFor();
  await page.keyboard.press('4');
  await page.locator('#said', { hasText: 'Kept' }).waitFor();
  await page.locator('.review textarea').first().fill('good tides');
  await page.locator('.review textarea').first().blur();
  await page.locator('#said', { hasText: 'Kept' }).waitFor();
  await page.reload();
  await page.locator('.star.on').nth(3).waitFor();
  assert.equal(await page.locator('.review textarea').first().inputValue(), 'good tides');
  await page.keyboard.press('j');
  await page.waitForURL(/n=2/);
  passed('a record is read raw and rendered, rated and noted, and the next is one key away');
  await page.goto(origin + '/?n=49');
  await page.locator('math').first().waitFor();
  assert.match(await page.locator('.card').first().innerText(), /costs \$5 and a drink \$7/);
  passed('formulas are formulas and prices are not');
  await page.done();
}

// Nothing that a model wrote runs: as it is shipped, with each of the walls alone.
const isHarmless = async (page, name) => {
  assert.equal(await page.evaluate(() => window.__hit), undefined, name + ' has run');
  assert.ok(await page.locator('#head').isVisible(), name + ' hides the page');
};
const withHtml = async page => page.route('**/markdown.js', async route => {
  const body = (await (await route.fetch()).text()).replace('html: false', 'html: true').replace(".disable('image')", '').replace('const reader =', 'var reader =') + '\nreader.validateLink = () => true;';
  await route.fulfill({ body, contentType: 'text/javascript', headers: { 'content-security-policy': "default-src 'none'; script-src 'self'" } });
});
const WALLS = [
  ['as it is shipped', {}],
  ['with the policy alone', { quiet: true, tamper: async page => { await withHtml(page); await page.route('**/purify.js', route => route.fulfill({ contentType: 'text/javascript', body: 'window.DOMPurify = { sanitize(html) { const t = document.createElement("div"); t.innerHTML = html; const f = document.createDocumentFragment(); f.append(...t.childNodes); return f; } };' })); } }],
  ['with the sanitizer alone', { bypassCSP: true, tamper: withHtml }],
];
const { records: listed } = await (await fetch(api + 'records?limit=500&token=' + token)).json();
for (const [wall, options] of WALLS) {
  const page = await open('n=1', options);
  const all = wall === 'as it is shipped' ? HOSTILE : HOSTILE.filter(([, text]) => text.length < 5000);
  for (const [name] of all) {
    const found = listed.find(one => one.question_text.text.replace(/\s/g, '').startsWith(name.replace(/\s/g, '').slice(0, 14)));
    const started = Date.now();
    await page.goto(origin + '/?n=' + found.question);
    await page.locator('.card .tools').first().waitFor({ timeout: 15000 });
    await page.waitForFunction(() => [...document.querySelectorAll('.card > .text')].every(text => text.childNodes.length), null, { timeout: 6000 }).catch(() => {});
    if (wall !== 'as it is shipped') await page.waitForTimeout(100);
    if (wall !== 'with the policy alone') await isHarmless(page, name);
    else assert.equal(await page.evaluate(() => window.__hit), undefined, name + ' has run');
    assert.ok(Date.now() - started < 15000, name + ' freezes the page');
  }
  if (wall === 'with the policy alone') page.asked = page.asked.filter(address => !address.startsWith('http://192.0.2.1') && !/^(data|javascript):/.test(address));
  // A formula may ask for a style: the policy says no, which is its work and no fault.
  page.problems = page.problems.filter(problem => !problem.startsWith('Applying inline style'));
  await page.done();
  passed(all_of(all.length) + ' do nothing ' + wall);
}
function all_of(n) { return n + ' hostile answers'; }

// Who may look.
{
  const status = (path, headers = {}, more = {}) => fetch(origin + path, { headers, redirect: 'manual', ...more }).then(r => r.status);
  assert.equal(await status('/'), 403);
  assert.equal(await status('/api/v1/records'), 403);
  assert.equal(await status('/api/v1/records?token=' + '0'.repeat(32)), 403);
  assert.equal(await status('/api/v1/records?token=' + token), 200);
  assert.equal(await status('/api/v1/records?token=' + token, { origin: 'http://evil.example' }), 403);
  assert.equal(await status('/api/v1/answers/1/review?token=' + token, {}, { method: 'POST', body: '{"rating":1}' }), 403);
  assert.equal(await status('/api/v1/records?token=' + token + '&min_nothing=1'), 400);
  passed('without the token, or from another page, nothing is told');
}

// Every page at every width, in both colours: axe-core, no sideways scrolling, a picture.
const PAGES = [['list', ''], ['record', 'n=1'], ['failed', 'n=' + 69], ['health', 'view=health'], ['compare', 'view=compare&diff=all'], ['export', 'view=export'], ['empty', 'q=nothinghasthis']];
for (const [width, height, colorScheme] of [[360, 740, 'light'], [1024, 768, 'dark'], [1920, 1080, 'light'], [1280, 800, 'dark']]) {
  const page = await open('', { width, height, colorScheme, reducedMotion: 'reduce', bypassCSP: true });
  for (const [name, query] of PAGES) {
    await page.goto(origin + '/?' + query);
    await page.locator('.tr:not(.th) .place, .card, .empty:not([hidden])').first().waitFor();
    await page.waitForTimeout(250);
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), name + ' scrolls sideways at ' + width);
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ['violations'] }));
    const serious = violations.filter(found => ['serious', 'critical'].includes(found.impact)).map(found => found.id + ': ' + found.nodes[0].html.slice(0, 200));
    assert.deepEqual(serious, [], name + ' at ' + width + ' ' + colorScheme);
    await page.screenshot({ path: process.env.PICTURES + '/' + name + '-' + width + '-' + colorScheme + '.png' });
    if (width === 1280 && ['list', 'record', 'health'].includes(name)) await page.screenshot({ path: process.env.PICTURES + '/docs-' + name + '.png' });
  }
  await page.done();
  passed('all pages at ' + width + ', ' + colorScheme + ': no serious finding of axe-core, nothing wider than the window');
}

// A run that goes on meanwhile.
{
  writeFileSync(work + '/q.csv', readFileSync(work + '/q.csv', 'utf8') + Array.from({ length: 40 }, (_, i) => '"added later ' + i + '"\n').join(''));
  const page = await open();
  await row(page).first().waitFor();
  const run = spawn(process.env.DSET, ['run', '--base-url', process.env.BASE, '-m', 'deepseek-flash', '-m', 'deepseek-v4-pro', '-c', '4'], { cwd: work, stdio: 'ignore' });
  const ended = new Promise(done => run.on('exit', done));
  await page.waitForFunction(() => /^216 of 228/.test(document.querySelector('.progress').innerText), null, { timeout: 40000 });
  await ended;
  await page.waitForFunction(() => /^228 /.test(document.querySelector('.count').innerText));
  passed('a run that goes on meanwhile is followed to its end');
  await page.done();
}
await browser.close();
