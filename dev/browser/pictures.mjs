// The pictures of docs/view.md.
import { open, passed, row } from './browser.mjs';

for (const [name, query, colorScheme] of [['list', '', 'light'], ['record', 'n=49', 'light'], ['health', 'view=health', 'dark']]) {
  const page = await open(query, { width: 1180, height: 720, colorScheme, reducedMotion: 'reduce' });
  if (name === 'list') await row(page).first().waitFor();
  if (name === 'record') await page.locator('math').first().waitFor();
  if (name === 'health') await page.locator('.ledger').waitFor();
  await page.screenshot({ path: process.env.PICTURES + '/view-' + name + '.png' });
  await page.done();
  passed('a picture of ' + name);
}
