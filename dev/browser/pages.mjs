// Pages that are drawn again and again while a run goes on, and what they say.
import assert from 'node:assert/strict';
import { changed, eventually, open, origin, passed, row, says } from './browser.mjs';

{
  const page = await open();
  await row(page).first().waitFor();
  // Each look finds something new.
  let revision = 1000;
  await page.route(/api\/v1\/overview/, changed(seen => ({ json: { ...JSON.parse(seen), revision: revision++ } })));
  await page.waitForTimeout(1500);
  const slowly = async place => {
    await place.hover();
    await page.mouse.down();
    await page.waitForTimeout(1200);
    await page.mouse.up();
  };
  await slowly(page.locator('[data-facet="state=rejected"]'));
  await page.waitForURL(/state=rejected/);
  await slowly(page.locator('#head nav a', { hasText: 'Health' }));
  await page.waitForURL(/view=health/);
  await slowly(page.locator('#head nav a', { hasText: 'Records' }));
  await row(page).first().waitFor();
  await slowly(row(page).nth(2));
  await page.waitForURL(/n=/);
  passed('a click is a click while the page is drawn anew');

  await page.goto(origin + '/');
  await page.locator('[data-facet="state=rejected"]').focus();
  await page.waitForTimeout(1200);
  assert.equal(await page.evaluate(() => document.activeElement.dataset.facet), 'state=rejected');
  await page.locator('#head nav a', { hasText: 'Health' }).focus();
  await page.waitForTimeout(1200);
  assert.equal(await page.evaluate(() => document.activeElement.innerText), 'Health');
  await page.goto(origin + '/?n=3');
  await page.locator('.record summary').first().click();
  await page.waitForTimeout(1200);
  assert.ok(await page.locator('details[open]').count(), 'what is open stays open');
  assert.equal(await page.evaluate(() => document.activeElement.tagName), 'SUMMARY');
  await page.unroute(/api\/v1\/overview/);
  passed('the focus stays, and what was opened stays open');

  await page.goto(origin + '/?view=export&model=deepseek-flash');
  await says(page.locator('.command code').first(), /^dset export q\.csv -o dset_generator .*--where '\(model == "deepseek-flash"\)'/);
  assert.equal(await page.locator('h1').count(), 1);
  await page.goto(origin + '/?q=black&columns=model,seconds,cost,rating');
  await row(page).first().waitFor();
  await page.locator('.columns button').click();
  await page.locator('.columns input').first().focus();
  await page.keyboard.press('Escape');
  await page.locator('.columns > div').waitFor({ state: 'hidden' });
  assert.match(page.url(), /q=black/, 'Esc closes the box and leaves the filter');
  await page.setViewportSize({ width: 380, height: 800 });
  await page.waitForFunction(() => document.querySelector('.scroll .texts').clientWidth > 150, null, { polling: 100 });
  passed('the command of the page is that of the run, and chosen columns leave room for texts');
  await page.done();
}

// Health of a part of the answers.
{
  const page = await open('view=health&state=rejected&sort=-seconds');
  const said = page.locator('.filtered');
  await says(said, /^The charts are of State: rejected alone; .* is of the whole run/);
  await said.locator('a').click();
  await page.waitForURL(address => !address.search.includes('state'));
  await said.waitFor({ state: 'detached' });
  assert.match(page.url(), /view=health/);
  passed('Health says what it is of, and takes the filter away');
  await page.done();
}

// Two models, of which one changes sides.
{
  const page = await open('view=compare&a=deepseek-v4-pro');
  const sides = () => page.locator('select').evaluateAll(all => all.map(one => one.value));
  await eventually(async () => assert.deepEqual(await sides(), ['deepseek-v4-pro', 'deepseek-flash']));
  await page.locator('select').first().selectOption('deepseek-flash');
  await page.waitForURL(/a=deepseek-flash&b=deepseek-v4-pro/);
  await eventually(async () => assert.deepEqual(await sides(), ['deepseek-flash', 'deepseek-v4-pro']));
  passed('no model is compared with itself');
  await page.done();
}

// The command names a model as its answers do.
{
  const page = await open('n=1', { tamper: page => page.route(/api\/v1\/questions/, changed(text => {
    const json = JSON.parse(text);
    json.question.answers.forEach(one => { one.metadata.model += '-2026-11-01'; });
    return { json };
  })) });
  await page.goto(origin + '/?view=export&model=deepseek-flash');
  await page.locator('.command code', { hasText: 'deepseek-flash-2026-11-01' }).waitFor();
  await page.goto(origin + '/?view=export&q=%3F%3F');
  await page.locator('.empty p').waitFor();
  passed('a dated name of a model is in the command, and a search that is none is said');
  page.problems = [];
  await page.done();
}

// Texts that differ.
{
  const page = await open();
  const marks = await page.evaluate(async () => {
    const { differences } = await import('./diff.js');
    const { visible } = await import('./dom.js');
    const words = Array.from({ length: 3000 }, (_, i) => 'w' + i).join(' ');
    const texts = (one, other) => differences(one, other).map(parts => parts.flat(9).filter(part => part instanceof Element).map(part => part.textContent));
    const escapes = visible('\u001b'.repeat(300000) + 'a\r\nb');
    return { far: texts(words + ' a z', words + ' b z'), all: texts('x' + words, words + 'y').map(one => one.length), near: texts('a b c', 'a c'), parts: escapes.length, lines: escapes.at(-1) };
  });
  assert.deepEqual(marks, { far: [['a'], ['b']], all: [1, 1], near: [['b '], []], parts: 3, lines: 'a\nb' });
  passed('differences of long texts are marked, and control characters are few parts');
  await page.done();
}
