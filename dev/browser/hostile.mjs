// Nothing that a model wrote runs: as it is shipped, and with each of the walls alone.
import assert from 'node:assert/strict';
import { api, changed, open, origin, passed, token } from './browser.mjs';
import { HOSTILE } from './fixture.mjs';

const isHarmless = async (page, name) => {
  assert.equal(await page.evaluate(() => window.__hit), undefined, name + ' has run');
  assert.ok(await page.locator('#head').isVisible(), name + ' hides the page');
};
const withHtml = async page => page.route('**/markdown.js', changed(script => ({
  contentType: 'text/javascript', headers: { 'content-security-policy': "default-src 'none'; script-src 'self'" },
  body: script.replace('html: false', 'html: true').replace(".disable('image')", '').replace('const reader =', 'var reader =') + '\nreader.validateLink = () => true;',
})));
const WALLS = [
  ['as it is shipped', {}],
  ['with the policy alone', { quiet: true, tamper: async page => { await withHtml(page); await page.route('**/purify.js', route => route.fulfill({ contentType: 'text/javascript', body: 'window.DOMPurify = { sanitize(html) { const t = document.createElement("div"); t.innerHTML = html; const f = document.createDocumentFragment(); f.append(...t.childNodes); return f; } };' })); } }],
  ['with the sanitizer alone', { bypassCSP: true, tamper: withHtml }],
];
const { records: listed } = await (await fetch(api + 'records?limit=500&token=' + token)).json();
await Promise.all(WALLS.map(async ([wall, options]) => {
  const page = await open('n=1', options);
  const all = wall === 'as it is shipped' ? HOSTILE : HOSTILE.filter(([, text]) => text.length < 5000);
  for (const [name] of all) {
    const found = listed.find(one => one.question_text.text.replace(/\s/g, '').startsWith(name.replace(/\s/g, '').slice(0, 14)));
    const started = Date.now();
    await page.goto(origin + '/?n=' + found.question);
    await page.locator('.card .tools').first().waitFor({ timeout: 15000 });
    await page.waitForFunction(() => [...document.querySelectorAll('.card > .text')].every(text => text.childNodes.length), null, { timeout: 6000, polling: 100 }).catch(() => {});
    if (wall !== 'as it is shipped') await page.waitForTimeout(100);
    if (wall !== 'with the policy alone') await isHarmless(page, name);
    else assert.equal(await page.evaluate(() => window.__hit), undefined, name + ' has run');
    assert.ok(Date.now() - started < 15000, name + ' freezes the page');
  }
  if (wall === 'with the policy alone') page.asked = page.asked.filter(address => !address.startsWith('http://192.0.2.1') && !/^(data|javascript):/.test(address));
  // A formula may ask for a style: the policy says no, which is its work and no fault.
  page.problems = page.problems.filter(problem => !problem.startsWith('Applying inline style'));
  await page.done();
  passed(all.length + ' hostile answers do nothing ' + wall);
}));
