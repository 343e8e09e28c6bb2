/** Equal events are one alert, and none of them is lost from the counts. */
import assert from 'node:assert/strict';
import type { Alert } from '../../../lib/alerts/alert.js';
import { Deduplicator, OTHERS } from '../../../lib/alerts/deduplicator.js';
import { alertWith } from './support.js';

describe('equal events', () => {
  let now: number;
  let emitted: Alert[];
  const open = (windowMs = 1000): Deduplicator =>
    new Deduplicator({
      windowMs,
      now: () => now,
      emit: (alert) => emitted.push(alert),
      repeat: (alert, count, firstEventTime, lastEventTime) => ({ ...alert, count, firstEventTime, lastEventTime }),
    });
  const add = (deduplicator: Deduplicator, key: string, time = 't', group = 'hook'): void =>
    deduplicator.add(group, key, time, () => alertWith({ binary: key, policy: group }));
  const summary = (): unknown[] => emitted.map(({ binary, count }) => [binary, count]);

  beforeEach(() => {
    now = 0;
    emitted = [];
  });

  it('are one alert at once, and one more with their number at the end of each window', () => {
    const deduplicator = open();
    add(deduplicator, 'a', 't0');
    now = 500;
    add(deduplicator, 'b');
    for (let i = 1; i <= 5; i++) add(deduplicator, 'a', `t${i}`);
    deduplicator.tick();
    assert.deepEqual(summary(), [
      ['a', 1],
      ['b', 1],
    ]);
    now = 1000;
    deduplicator.tick();
    assert.deepEqual(summary(), [
      ['a', 1],
      ['b', 1],
      ['a', 5],
    ]);
    assert.deepEqual([emitted[2]?.firstEventTime, emitted[2]?.lastEventTime], ['t1', 't5']);
    now = 1600;
    add(deduplicator, 'a', 't6');
    deduplicator.tick();
    now = 2100;
    deduplicator.tick();
    // the second window of `a` had one, and the first of `b` none
    assert.deepEqual(summary().slice(3), [['a', 1]]);
    now = 5000;
    deduplicator.tick();
    add(deduplicator, 'a', 't7');
    assert.deepEqual(summary().slice(3), [
      ['a', 1],
      ['a', 1],
    ]);
  });

  it('are each an alert without a window', () => {
    const deduplicator = open(0);
    for (let i = 0; i < 3; i++) add(deduplicator, 'a');
    assert.equal(emitted.length, 3);
  });

  it('of many different programs are few alerts of a hook, and others of another hook', () => {
    const deduplicator = open();
    for (let i = 0; i < 10_000; i++) add(deduplicator, `p${i}`);
    add(deduplicator, 'x', 't', 'other');
    assert.equal(emitted.length, 34);
    assert.deepEqual(summary().slice(-2), [
      [OTHERS, 1],
      ['x', 1],
    ]);
    now = 1000;
    deduplicator.tick();
    assert.equal(
      emitted.reduce((sum, { count }) => sum + count, 0),
      10_001,
    );
    now = 2000;
    deduplicator.tick();
    // there is room again
    add(deduplicator, 'p0');
    assert.deepEqual(summary().at(-1), ['p0', 1]);
  });

  it('of many hooks take limited memory: the oldest window ends, and its count is not lost', () => {
    const deduplicator = open();
    for (let i = 0; i < 2; i++) add(deduplicator, 'a', 't', 'first');
    for (let i = 0; i < 5000; i++) add(deduplicator, 'a', 't', `hook ${i}`);
    assert.equal(
      emitted.filter(({ policy }) => policy === 'first').reduce((sum, { count }) => sum + count, 0),
      2,
    );
  });

  it('that were only counted are an alert before the end', () => {
    const deduplicator = open();
    for (let i = 0; i < 4; i++) add(deduplicator, 'a');
    deduplicator.close();
    assert.deepEqual(summary(), [
      ['a', 1],
      ['a', 3],
    ]);
  });
});
