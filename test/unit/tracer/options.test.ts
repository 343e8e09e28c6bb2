/** Options of an iteration. */
import assert from 'node:assert/strict';
import { checkEventsOptions, resolveOptions } from '../../../lib/tracer/options.js';
import { EVENT_TYPES } from '../../../lib/names/event-types.js';
import type { EventType } from '../../../types/events.js';

describe('switches of a tracer', () => {
  it('the optimizer and the path cache are on by default', () => {
    const { optimize, cachePaths } = resolveOptions({});
    assert.deepEqual([optimize, cachePaths], [true, true]);
  });

  for (const name of ['optimize', 'cachePaths'] as const) {
    it(`${name} is true or false`, () => {
      assert.equal(resolveOptions({ [name]: false })[name], false);
      assert.throws(() => resolveOptions({ [name]: 'no' as never }), {
        code: 'BAD_OPTION',
        hint: 'use true or false',
      });
    });
  }
});

describe('options of events()', () => {
  it('each type of event can be selected', () => {
    assert.ok(EVENT_TYPES.includes('process_loader'));
    for (const type of EVENT_TYPES) checkEventsOptions({ types: [type] });
  });

  it('an unknown type is refused, and the error lists all types', () => {
    assert.throws(() => checkEventsOptions({ types: ['process_load' as EventType] }), {
      code: 'BAD_OPTION',
      hint: `use an array of ${EVENT_TYPES.join(', ')}`,
    });
  });
});
