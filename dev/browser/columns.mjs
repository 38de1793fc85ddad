// The columns that somebody chose are in the address.
import assert from 'node:assert/strict';
import { eventually, open, origin, passed, row } from './browser.mjs';

const titles = page => page.locator('.th [role=columnheader]').allInnerTexts();

const page = await open();
await row(page).first().waitFor();
await page.locator('.columns button').click();
await page.locator('.columns label', { hasText: 'Tokens' }).click();
await page.locator('.columns label', { hasText: 'Answered' }).click();
await page.waitForURL(/columns=/);
const chosen = await eventually(async () => {
  const shown = await titles(page);
  assert.ok(shown.includes('Answered') && !shown.includes('Tokens'), shown.join());
  return shown;
});
await page.reload();
await row(page).first().waitFor();
await eventually(async () => assert.deepEqual(await titles(page), chosen, 'a reload keeps them'));
await page.locator('.columns button').click();
assert.equal(await page.locator('.columns label', { hasText: 'Answered' }).locator('input').isChecked(), true);
await page.locator('[data-facet="state=rejected"]').click();
await page.waitForURL(/state=rejected/);
await page.waitForFunction(() => /^12 of/.test(document.querySelector('.count').innerText), null, { polling: 200 });
await row(page).first().waitFor();
await eventually(async () => assert.deepEqual(await titles(page), chosen, 'a filter keeps them'));
await page.keyboard.press('Escape');
await page.locator('.scroll').focus();
await page.keyboard.press('Enter');
await page.locator('.record .question').waitFor();
await page.keyboard.press('Escape');
await row(page).first().waitFor();
await eventually(async () => assert.deepEqual(await titles(page), chosen, 'so does the way into a record and back'));
const address = new URL(page.url());
await page.done();

const other = await open(address.searchParams.toString(), { width: 700 });
await row(other).first().waitFor();
await eventually(async () => assert.deepEqual(await titles(other), chosen, 'whoever gets the address sees the same'));
await other.goto(origin + '/');
await row(other).first().waitFor();
assert.notDeepEqual(await titles(other), chosen, 'nothing of it is kept elsewhere');
await other.setViewportSize({ width: 1800, height: 900 });
await other.locator('.th', { hasText: 'Length' }).waitFor();
await eventually(async () => assert.equal(await other.locator('.columns input[name=answer_bytes]').isChecked(), true, 'the box says what a wider window shows'));
await other.done();
passed('the columns that were chosen are in the address: reloaded, passed on, through filters and records');
