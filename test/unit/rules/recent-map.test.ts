import assert from 'node:assert/strict';
import fc from 'fast-check';
import { RecentMap } from '../../../lib/rules/recent-map.js';

describe('RecentMap', () => {
  it('agrees with a plain map whose first entry is the oldest', () => {
    const step = fc.record({
      key: fc.integer({ min: 0, max: 6 }).map(String),
      what: fc.constantFrom('set', 'delete', 'over'),
    });
    const property = fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const map = new RecentMap<string, number>(4);
      const model = new Map<string, number>();
      steps.forEach(({ key, what }, i) => {
        if (what === 'set') {
          map.set(key, i);
          model.delete(key);
          model.set(key, i);
          const [oldest] = model.keys();
          if (model.size > 4) model.delete(oldest ?? '');
        } else if (what === 'delete') {
          map.delete(key);
          model.delete(key);
        } else {
          map.removeOver((value) => value < i - 5);
          for (const [each, value] of model) if (value < i - 5) model.delete(each);
        }
        assert.equal(map.size, model.size);
        for (let k = 0; k <= 6; k++) assert.equal(map.get(String(k)), model.get(String(k)));
      });
    });
    fc.assert(property, { numRuns: 500 });
  });
});
