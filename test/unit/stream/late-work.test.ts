/** Work that events wait for, with a limit. */
import assert from 'node:assert/strict';
import { CombinedWork, LateWork } from '../../../lib/stream/late-work.js';

const never = new Promise<void>(() => undefined);

describe('late work', () => {
  it('is waited for until all of it is done', async () => {
    const work = new LateWork();
    let finish = (): void => undefined;
    const done = new Promise<void>((resolve) => (work.onDone = resolve));
    work.add(Promise.resolve());
    work.add(new Promise((resolve) => (finish = resolve)));
    await Promise.resolve();
    assert.ok(work.isWaiting && work.remainingWaitMs() > 0);
    finish();
    await done;
    assert.deepEqual([work.isWaiting, work.remainingWaitMs()], [false, 0]);
  });

  it('that does not end is left out, and later work is waited for', async () => {
    const work = new LateWork();
    work.add(never);
    work.stopWaiting();
    assert.equal(work.isWaiting, false);
    const done = new Promise<void>((resolve) => (work.onDone = resolve));
    work.add(Promise.resolve());
    await done;
    work.add(never);
    await work.settle();
    assert.deepEqual([work.isWaiting, work.remainingWaitMs()], [false, 0]);
  });

  it('of several kinds is done when all kinds are', async () => {
    const [first, second] = [new LateWork(), new LateWork()];
    const both = new CombinedWork([first, second]);
    const done = new Promise<void>((resolve) => (both.onDone = resolve));
    first.add(Promise.resolve());
    let finish = (): void => undefined;
    second.add(new Promise((resolve) => (finish = resolve)));
    await new Promise((resolve) => setImmediate(resolve));
    assert.ok(!first.isWaiting && both.isWaiting && both.remainingWaitMs() > 0);
    finish();
    await done;
    second.add(never);
    both.stopWaiting();
    assert.equal(both.isWaiting, false);
  });
});
