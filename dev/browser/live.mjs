// A run that goes on meanwhile. It is looked at by the clock: a page that is not painted has no animation frames.
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { open, passed, row, work } from './browser.mjs';

{
  writeFileSync(work + '/q.csv', readFileSync(work + '/q.csv', 'utf8') + Array.from({ length: 40 }, (_, i) => '"added later ' + i + '"\n').join(''));
  const page = await open();
  await row(page).first().waitFor();
  const run = spawn(process.env.DSET, ['run', '--base-url', process.env.BASE, '-m', 'deepseek-flash', '-m', 'deepseek-v4-pro', '-c', '4', '--backoff', '1s'], { cwd: work });
  let said = '';
  for (const stream of [run.stdout, run.stderr]) stream.on('data', words => { said += words; });
  const ended = new Promise(done => run.on('exit', done));
  const until = async (selector, wanted, timeout) => {
    const there = page.waitForFunction(([selector, wanted]) => document.querySelector(selector).innerText.startsWith(wanted), [selector, wanted], { timeout, polling: 200 });
    await there.catch(async error => { throw new Error(selector + ' says ' + await page.locator(selector).innerText() + ' and not ' + wanted + '; the run: ' + said.slice(-2000), { cause: error }); });
  };
  await until('.progress', '216 of 228', 40000);
  await ended;
  await until('.count', '228 ', 30000);
  passed('a run that goes on meanwhile is followed to its end');
  await page.done();
}
