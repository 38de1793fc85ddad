// Who may look.
import assert from 'node:assert/strict';
import { api, origin, passed, token } from './browser.mjs';

{
  const status = (path, headers = {}, more = {}) => fetch(origin + path, { headers, redirect: 'manual', ...more }).then(r => r.status);
  assert.equal(await status('/'), 403);
  assert.equal(await status('/api/v1/records'), 403);
  assert.equal(await status('/api/v1/records?token=' + '0'.repeat(32)), 403);
  assert.equal(await status('/api/v1/records?token=' + token), 200);
  assert.equal(await status('/api/v1/records?token=' + token, { origin: 'http://evil.example' }), 403);
  assert.equal(await status('/api/v1/answers/1/review?token=' + token, {}, { method: 'POST', body: '{"rating":1}' }), 403);
  assert.equal(await status('/api/v1/records?token=' + token + '&min_nothing=1'), 400);
  passed('without the token, or from another page, nothing is told');
}
