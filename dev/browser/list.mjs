// The list, its keys, and the way to a record and back.
import assert from 'node:assert/strict';
import { eventually, numberOf, open, origin, passed, row, says } from './browser.mjs';

{
  const page = await open();
  await row(page).first().waitFor();
  assert.ok(!page.url().includes('token'), 'the token left the address');
  await page.keyboard.press('j'); await page.keyboard.press('j'); await page.keyboard.press('k');
  await page.waitForURL(/at=1/);
  await page.keyboard.press('f');
  await page.waitForFunction(() => document.querySelector('[aria-selected="true"] .state.rejected'), null, { polling: 200 });
  const failed = await numberOf(page);
  await page.keyboard.press('Enter');
  await page.locator('.record .question').waitFor();
  await says(page.locator('.record .question'), /refused-1/);
  await page.keyboard.press('Escape');
  await row(page).first().waitFor();
  await eventually(async () => assert.equal(await numberOf(page), failed, 'the place in the list is kept'));
  await page.goBack(); await page.locator('.record .question').waitFor();
  await page.goForward(); await row(page).first().waitFor();
  passed('keys move through the list, open and close, and back and forward follow');

  await page.keyboard.press('/');
  await page.keyboard.type('黑洞');
  await page.keyboard.press('Enter');
  await page.waitForURL(/q=/);
  await page.locator('.scroll mark').first().waitFor();
  await says(page.locator('.count'), /^2 of/);
  await page.reload();
  await page.locator('.scroll mark').first().waitFor();
  assert.equal(await page.locator('input[name=q]').inputValue(), '黑洞');
  passed('a word of two characters is found and marked, and a reload keeps it');

  await page.goto(origin + '/');
  await page.locator('[data-facet="state=rejected"]').click();
  await page.waitForURL(/state=rejected/);
  await page.waitForFunction(() => /^12 of/.test(document.querySelector('.count').innerText), null, { polling: 200 });
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
  const kept = page.waitForResponse(/review$/);
  await page.locator('.review textarea').first().fill('good tides');
  await page.locator('.review textarea').first().blur();
  await kept;
  await page.reload();
  await page.locator('.star.on').nth(3).waitFor();
  assert.equal(await page.locator('.review textarea').first().inputValue(), 'good tides');
  await page.keyboard.press('j');
  await page.waitForURL(/n=2/);
  passed('a record is read raw and rendered, rated and noted, and the next is one key away');
  await page.goto(origin + '/?n=49');
  await page.locator('math').first().waitFor();
  await says(page.locator('.card').first(), /costs \$5 and a drink \$7/);
  passed('formulas are formulas and prices are not');
  await page.done();
}
