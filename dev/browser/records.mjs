// Records by keyboard: what is rated, what is typed, where one goes from there.
import assert from 'node:assert/strict';
import { eventually, numberOf, open, origin, passed, row, says } from './browser.mjs';

const ratings = page => page.evaluate(() => [...document.querySelectorAll('.review')].map(one => one.querySelectorAll('.star.on').length));
const note = page => page.locator('.review textarea').first();
/** Holds back the answers of the server to a question. */
const slow = (page, ms) => page.route(/api\/v1\/questions/, async way => { await new Promise(done => setTimeout(done, ms)); await way.continue().catch(() => {}); });
const to = async (page, n) => { await page.goto(origin + '/?n=' + n); await page.locator('.review').nth(1).waitFor(); };

{
  const page = await open('n=20');
  await note(page).pressSequentially('typed before a reload');
  // What is sent as a page goes may arrive behind what the next one asks for first.
  await eventually(async () => {
    await page.reload();
    assert.equal(await note(page).inputValue(), 'typed before a reload');
  });
  await note(page).fill('typed, and left alone');
  await page.locator('#said', { hasText: 'Kept' }).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.tagName), 'TEXTAREA', 'the field keeps the focus');
  passed('a note is kept when it is typed, and when the page is left');

  await to(page, 21);
  await page.locator('[data-rate="1"] input').first().focus();
  await page.keyboard.press('4');
  await page.waitForFunction(() => document.querySelectorAll('[data-rate="1"] .on').length === 4, null, { polling: 100 });
  assert.deepEqual(await ratings(page), [0, 4], 'a digit rates the answer that has the focus');
  await page.keyboard.press('ArrowRight');
  await page.waitForFunction(() => document.querySelectorAll('[data-rate="1"] .on').length === 2, null, { polling: 100 });
  assert.match(page.url(), /n=21$/, 'the stars keep their arrows');
  assert.equal(await page.evaluate(() => document.activeElement.name), 'rating-1', 'and the focus');
  passed('the second answer is rated by keyboard');

  await to(page, 22);
  await slow(page, 400);
  await page.keyboard.press('j');
  await page.keyboard.press('3');
  await page.waitForFunction(() => document.querySelector('.star.on'), null, { polling: 100 });
  await says(page.locator('.ways'), /Question 23/);
  assert.deepEqual(await ratings(page), [3, 0], 'a key behind `j` is for the next record');
  await page.keyboard.press('j'); await page.keyboard.press('j');
  await page.locator('.ways', { hasText: 'Question 25' }).waitFor();
  await page.keyboard.press('j');
  await page.waitForURL(/n=26/);
  await page.goBack();
  await page.waitForURL(/n=25/);
  await page.waitForTimeout(600);
  assert.match(await page.locator('.ways').innerText(), /Question 25/, 'back while the next is read');
  await page.unroute(/api\/v1\/questions/);
  await to(page, 22);
  assert.deepEqual(await ratings(page), [0, 0]);
  passed('keys are for the record of the address, one behind the other');

  await page.goto(origin + '/?n=30');
  await note(page).waitFor();
  await page.route(/review$/, way => way.abort());
  await note(page).fill('what is not kept');
  await page.locator('#said', { hasText: 'Not kept' }).waitFor();
  assert.equal(await note(page).inputValue(), 'what is not kept', 'a failure leaves the field as it is');
  await page.unroute(/review$/);
  passed('a note that cannot be kept stays in its field');
  page.problems = [];

  await page.goto(origin + '/?at=10');
  await row(page).first().waitFor();
  await page.keyboard.press('Enter');
  await page.locator('.record .question').waitFor();
  await page.keyboard.press('j');
  await page.waitForURL(/n=7/);
  await page.locator('.ways', { hasText: 'Question 7' }).waitFor();
  await page.keyboard.press('Escape');
  await row(page).first().waitFor();
  await eventually(async () => assert.equal(await numberOf(page), '7', 'Esc goes to the place of what was read'));
  passed('Esc goes back to where one has read to');

  await page.goto(origin + '/?n=68');
  await note(page).waitFor();
  const seen = [];
  for (let step = 0; step < 4; step++) {
    const before = (await page.locator('.ways .spread').innerText()).split(',')[0] + ',';
    await page.keyboard.press('f');
    await page.waitForFunction(before => !document.querySelector('.ways').innerText.includes(before), before, { polling: 100 });
    seen.push(new URL(page.url()).searchParams.get('n'));
  }
  assert.equal(new Set(seen).size, 4, 'each failure is another question: ' + seen);
  passed('f goes from one question that failed to the next');

  await to(page, 12);
  await page.setViewportSize({ width: 700, height: 400 });
  await page.waitForFunction(() => { scrollTo(0, 600); return scrollY > 0; }, null, { polling: 100 });
  await page.keyboard.press('j');
  await page.locator('.ways', { hasText: 'Question 13' }).waitFor();
  await page.waitForFunction(() => scrollY === 0, null, { polling: 100 });
  await page.locator('.ways a', { hasText: 'Next' }).focus();
  await page.keyboard.press('Enter');
  await page.locator('.ways', { hasText: 'Question 14' }).waitFor();
  await eventually(async () => assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Next', 'the way on keeps the focus'));
  await page.setViewportSize({ width: 1280, height: 900 });
  passed('the next record is read from its beginning, and the focus is kept');

  await to(page, 12);
  const saved = await page.locator('.card').first().locator('a', { hasText: 'Save' }).first().getAttribute('download');
  assert.match(saved, /^answer-12-deepseek/);
  passed('a saved answer has the name of its question and model');
  await page.done();
}
