/** Which receivers get an alert. */
import assert from 'node:assert/strict';
import type { Alert } from '../../../lib/alerts/alert.js';
import { compileRoute } from '../../../lib/alerts/routing.js';
import { alertWith } from './support.js';

describe('the route of alerts', () => {
  const route = (settings: object, alert: Partial<Alert>): boolean =>
    compileRoute({ minSeverity: 'info', policies: [], tags: [], ...settings })(alertWith(alert));

  it('goes by the least severity', () => {
    const found = (['critical', 'high', 'medium', 'low', 'info'] as const).map((severity) =>
      route({ minSeverity: 'medium' }, { severity }),
    );
    assert.deepEqual(found, [true, true, true, false, false]);
  });

  for (const [pattern, text, isExpected] of [
    ['files', 'files', true],
    ['files', 'files2', false],
    ['file*', 'files', true],
    ['*', '', true],
    ['*escape', 'container-escape', true],
    ['con*es*pe', 'container-escape', true],
    ['con*es*pe', 'container-escap', false],
    ['a*a', 'a', false],
    ['a**b', 'ab', true],
    ['a.c', 'abc', false],
    ['*a*a*a*a*a*a*b', 'a'.repeat(5000), false],
  ] as const) {
    it(`${isExpected ? 'takes' : 'leaves'} ${text.slice(0, 20)} with ${pattern}`, () => {
      assert.equal(route({ policies: ['never', pattern] }, { policy: text }), isExpected);
      assert.equal(route({ tags: [pattern] }, { tags: [text] }), isExpected);
    });
  }

  it('needs all filters to match, and a tag where tags are wanted', () => {
    const wanted = { policies: ['files'], tags: ['mitre.*'], minSeverity: 'high' };
    assert.equal(route(wanted, {}), true);
    assert.equal(route(wanted, { tags: [] }), false);
    assert.equal(route(wanted, { policy: 'x' }), false);
    assert.equal(route(wanted, { severity: 'low' }), false);
  });
});
