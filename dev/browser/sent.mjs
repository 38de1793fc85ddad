// What was sent for answers: chats whole, prompts of an earlier run, rows that were left out.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { browser, passed, says, work } from './browser.mjs';

const folder = work + '/chats';
mkdirSync(folder);
const chat = (...turns) => JSON.stringify({ messages: turns.map((content, at) => ({ role: at % 2 ? 'assistant' : 'user', content })) }) + '\n';
const picture = JSON.stringify({ messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'x' } }] }] }) + '\n';
const run = system => execFileSync(process.env.DSET, ['run', 'q.jsonl', '--on-bad-row', 'skip', '--base-url', process.env.BASE, '-m', 'deepseek-flash', '--system', system, '--continue'], { cwd: folder, stdio: 'pipe' });
writeFileSync(folder + '/q.jsonl', chat('What is a tide?', 'A rise of the sea.', 'Why?') + picture);
run('Answer in Latin.');
writeFileSync(folder + '/q.jsonl', chat('What is a tide?', 'A rise of the sea.', 'Why?') + picture + chat('What is a wave?'));
run('Answer in Greek.');

const viewer = spawn(process.env.DSET, ['view', '--json'], { cwd: folder, stdio: ['ignore', 'pipe', 'ignore'] });
try {
  const { url } = JSON.parse(await new Promise(said => viewer.stdout.once('data', said)));
  const page = await (await browser.newContext()).newPage();
  await page.goto(url + '&n=1');
  await page.locator('.record > .sent').waitFor();
  await says(page.locator('.record > .sent'), /last run sends: a system prompt, 3 turns[\s\S]*Greek[\s\S]*What is a tide\?[\s\S]*A rise of the sea\.[\s\S]*Why\?/);
  const own = page.locator('.card .sent');
  await says(own, /Sent for this answer[\s\S]*Latin[\s\S]*A rise of the sea/);
  await own.locator('summary').click();
  await page.keyboard.press('r');
  await page.locator('.card > .text.raw').first().waitFor();
  assert.equal(await own.evaluate(one => one.open), false, 'what was shut stays shut');
  await page.keyboard.press('j');
  await page.locator('.record .question', { hasText: 'wave' }).waitFor();
  await page.waitForFunction(() => document.querySelectorAll('.sent').length === 1, null, { polling: 100 });
  await page.goto(new URL('/?view=health', url).href);
  await page.locator('.ledger + p', { hasText: '1 row is left out that cannot be asked; the first, line 2: turn 1' }).waitFor();
  await page.context().close();
  execFileSync(process.env.DSET, ['view', '--static', 'site'], { cwd: folder, stdio: 'pipe' });
  const files = readdirSync(folder + '/site/data', { recursive: true }).filter(name => name.endsWith('.json')).map(name => readFileSync(folder + '/site/data/' + name, 'utf8'));
  assert.equal(files.join('').split('Greek').length, 2, 'the prompt of all is in a folder once');
  passed('a record shows what was sent for it, and Health the rows that cannot be asked');
} finally {
  viewer.kill();
}
