// What is passed on: a report, opened from the disk, and a folder of plain files, behind any web server.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { axe, browser, passed, row, says, work } from './browser.mjs';

const dset = (...words) => execFileSync(process.env.DSET, words, { cwd: work, stdio: 'pipe' });
const serious = async page => {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ['violations'] }));
  return violations.filter(found => ['serious', 'critical'].includes(found.impact)).map(found => found.id + ': ' + found.nodes[0].html.slice(0, 200));
};

/** A page of its own that notes what goes wrong and who else is asked. */
async function plain(address, options) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.problems = [];
  page.on('console', message => { if (message.type() === 'error') page.problems.push(message.text()); });
  page.on('pageerror', error => page.problems.push(String(error)));
  page.on('request', request => { if (!request.url().startsWith(new URL(address).origin === 'null' ? address : new URL(address).origin)) page.problems.push('asked ' + request.url()); });
  await page.goto(address);
  page.done = async () => { assert.deepEqual(page.problems, []); await context.close(); };
  return page;
}

// The report.
{
  dset('report', '--to', 'report.html');
  assert.ok(statSync(work + '/report.html').size < 2_000_000, 'the report is under 2 MB');
  assert.ok(!/<script/i.test(readFileSync(work + '/report.html', 'utf8')), 'nothing of it is a script');
  for (const [javaScriptEnabled, width, colorScheme] of [[true, 360, 'light'], [true, 1024, 'dark'], [true, 1920, 'light'], [false, 1024, 'light']]) {
    const page = await plain('file://' + work + '/report.html', { javaScriptEnabled, viewport: { width, height: 800 }, colorScheme, bypassCSP: javaScriptEnabled });
    await says(page.locator('main'), /Where every question stands[\s\S]*answered[\s\S]*Why questions failed[\s\S]*refused: 8[\s\S]*20 records by chance/);
    if (javaScriptEnabled) {
      assert.equal(await page.evaluate(() => window.__hit), undefined, 'an answer has run');
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'the report scrolls sideways at ' + width);
      assert.deepEqual(await serious(page), [], 'the report at ' + width);
      await page.screenshot({ path: process.env.PICTURES + '/report-' + width + '-' + colorScheme + '.png' });
    }
    if (width === 1920) {
      await page.emulateMedia({ media: 'print' });
      assert.ok((await page.pdf({ format: 'A4' })).length > 10_000, 'it prints');
    }
    await page.done();
  }
  passed('the report reads from the disk, without scripts, and in print');
}

// The folder.
{
  dset('view', '--static', 'site');
  dset('view', '--static', 'site', '--filter', 'state=rejected');
  dset('view', '--static', 'site');
  writeFileSync(work + '/site/notes.txt', 'mine');
  assert.throws(() => dset('view', '--static', 'site'), /notes\.txt/, 'what is not ours is left alone');
  assert.equal(readFileSync(work + '/site/notes.txt', 'utf8'), 'mine');
  assert.ok(existsSync(work + '/site/index.html'));
  {
    const page = await browser.newPage();
    await page.goto('file://' + work + '/site/index.html');
    await page.locator('main', { hasText: 'through a web server alone' }).waitFor();
    await page.close();
  }
  const server = spawn('python3', ['-u', '-m', 'http.server', '0', '--bind', '127.0.0.1', '--directory', 'site'], { cwd: work, stdio: ['ignore', 'pipe', 'ignore'] });
  const address = await new Promise(found => server.stdout.on('data', said => { const port = /port (\d+)/.exec(said); if (port) found('http://127.0.0.1:' + port[1] + '/'); }));
  server.stdout.resume();
  const page = await plain(address, { viewport: { width: 1280, height: 800 } });
  await row(page).first().waitFor();
  assert.equal(await page.locator('.late').count(), 0);
  await says(page.locator('.progress'), /^136 of 148 answers shown, 12 failed/);
  await page.keyboard.press('/');
  await page.keyboard.type('黑洞');
  await page.keyboard.press('Enter');
  await page.locator('.scroll mark').first().waitFor();
  await says(page.locator('.count'), /^2 of/);
  await page.goto(address + '?q=tides+measured');
  await page.waitForFunction(() => /^8 of/.test(document.querySelector('.count')?.innerText), null, { polling: 200 });
  await page.goto(address + '?q=gcd');
  await page.locator('.scroll mark').first().waitFor();
  // The first occurrence is marked, and shown.
  await says(row(page).first(), /fn gcd/);
  await page.goto(address + '?state=rejected&sort=-question');
  await page.waitForFunction(() => /^12 of/.test(document.querySelector('.count')?.innerText), null, { polling: 200 });
  await says(row(page).first(), /cut-2/);
  await page.keyboard.press('Enter');
  await says(page.locator('.record .question'), /cut-2/);
  await page.goto(address + '?n=1');
  await page.locator('.text table').first().waitFor();
  for (const [query, there] of [['view=health', '.ledger'], ['view=compare&diff=all', 'table.plain'], ['view=export', '.card']]) {
    await page.goto(address + '?' + query);
    await page.locator(there).first().waitFor();
  }
  const saving = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Save records.jsonl' }).click();
  const lines = readFileSync(await (await saving).path(), 'utf8').trim().split('\n');
  assert.equal(lines.length, 136);
  assert.equal(await page.evaluate(() => window.__hit), undefined, 'an answer has run');
  await page.done();
  server.kill();
  passed('a folder of plain files shows, filters and searches the same, and leaves alone what is not ours');
}
