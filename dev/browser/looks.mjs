// Every page at every width, in both colours and at 200 %: axe-core, no sideways scrolling, a picture.
import assert from 'node:assert/strict';
import { axe, open, origin, passed } from './browser.mjs';

const PAGES = [['list', ''], ['record', 'n=1'], ['failed', 'n=' + 69], ['health', 'view=health'], ['compare', 'view=compare&diff=all'], ['export', 'view=export'], ['empty', 'q=nothinghasthis']];
/** Width, height, colours, and how much larger than usual everything is. */
const WINDOWS = [[360, 740, 'light', 1], [1024, 768, 'dark', 1], [1920, 1080, 'light', 1], [1280, 800, 'dark', 2]];

await Promise.all(WINDOWS.map(async ([width, height, colorScheme, zoom]) => {
  const page = await open('', { width: width / zoom, height: height / zoom, deviceScaleFactor: zoom, colorScheme, reducedMotion: 'reduce', bypassCSP: true });
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
    const moving = await page.evaluate(() => document.getAnimations().length);
    assert.equal(moving, 0, name + ' moves, though motion is not wanted');
  }
  await page.done();
  passed('all pages at ' + width + ', ' + colorScheme + (zoom > 1 ? ', at 200 %' : '') + ': no serious finding of axe-core, nothing wider than the window');
}));
