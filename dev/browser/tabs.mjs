// Many tabs of one browser, and a viewer that is gone.
import assert from 'node:assert/strict';
import { open, origin, passed, row } from './browser.mjs';

{
  const page = await open('n=5', { quiet: true });
  await page.locator('.review').first().waitFor();
  for (let tab = 0; tab < 7; tab++) {
    const other = await page.context().newPage();
    await other.goto(origin + '/?n=' + (6 + tab));
    await other.locator('.review').first().waitFor();
  }
  await page.bringToFront();
  await page.keyboard.press('2');
  await page.locator('#said', { hasText: 'Kept' }).waitFor();
  passed('eight tabs are open, and each is answered');

  await page.goto(origin + '/');
  await row(page).first().waitFor();
  assert.ok(await page.locator('.stale').isHidden());
  await page.context().route(/api\/v1\/overview/, way => way.abort());
  await page.locator('.stale', { hasText: 'no longer answers' }).waitFor();
  await page.context().unroute(/api\/v1\/overview/);
  await page.locator('.stale').waitFor({ state: 'hidden' });
  passed('a page says when what it shows is no longer new, and no longer than that');
  await page.done();
}
