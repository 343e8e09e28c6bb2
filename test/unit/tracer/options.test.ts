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

describe('groupPolicies', () => {
  it('is on by default, and not possible with persist', () => {
    assert.equal(resolveOptions({}).groupPolicies, true);
    assert.equal(resolveOptions({ groupPolicies: false }).groupPolicies, false);
    assert.equal(resolveOptions({ persist: '/sys/fs/bpf/x' }).groupPolicies, false);
    assert.throws(() => resolveOptions({ groupPolicies: 1 as never }), { code: 'BAD_OPTION' });
    assert.throws(() => resolveOptions({ groupPolicies: true, persist: '/sys/fs/bpf/x' }), { code: 'BAD_OPTION' });
  });
});

describe('the environment of processes', () => {
  it('is off by default; true or names turn it on', () => {
    assert.equal(resolveOptions({}).environment, undefined);
    assert.equal(resolveOptions({ environment: false }).environment, undefined);
    assert.deepEqual(resolveOptions({ environment: true }).environment, new Set());
    assert.deepEqual(resolveOptions({ environment: ['PATH', 'HOME'] }).environment, new Set(['PATH', 'HOME']));
  });

  for (const value of ['PATH', [], [''], ['A=B'], [1], null]) {
    it(`${JSON.stringify(value)} is refused`, () => {
      assert.throws(() => resolveOptions({ environment: value as never }), {
        code: 'BAD_OPTION',
        hint: 'use true, false or an array of names of variables',
      });
    });
  }
});

describe('the rate of cgroups', () => {
  it('has no limit by default', () => {
    assert.equal(resolveOptions({}).cgroupRate, undefined);
    assert.deepEqual(resolveOptions({ cgroupRate: { events: 1, intervalMs: 86_400_000 } }).cgroupRate, {
      events: 1,
      intervalMs: 86_400_000,
    });
  });

  for (const value of [
    null,
    5,
    {},
    { events: 0, intervalMs: 1 },
    { events: 1, intervalMs: 86_400_001 },
    { events: 1.5, intervalMs: 1 },
  ]) {
    it(`${JSON.stringify(value)} is refused`, () => {
      assert.throws(() => resolveOptions({ cgroupRate: value as never }), {
        code: 'BAD_OPTION',
        message: /cgroupRate/,
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
