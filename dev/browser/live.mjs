// A run that goes on meanwhile. It is looked at by the clock: a page that is not painted has no animation frames.
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { open, passed, row, work } from './browser.mjs';

{
  writeFileSync(work + '/q.csv', readFileSync(work + '/q.csv', 'utf8') + Array.from({ length: 40 }, (_, i) => '"added later ' + i + '"\n').join(''));
  const page = await open();
  await row(page).first().waitFor();
  const run = spawn(process.env.DSET, ['run', '--base-url', process.env.BASE, '-m', 'deepseek-flash', '-m', 'deepseek-v4-pro', '-c', '4', '--backoff', '1s'], { cwd: work, stdio: 'ignore' });
  const ended = new Promise(done => run.on('exit', done));
  await page.waitForFunction(() => /^216 of 228/.test(document.querySelector('.progress').innerText), null, { timeout: 40000, polling: 200 });
  await ended;
  await page.waitForFunction(() => /^228 /.test(document.querySelector('.count').innerText), null, { polling: 200 });
  passed('a run that goes on meanwhile is followed to its end');
  await page.done();
}
