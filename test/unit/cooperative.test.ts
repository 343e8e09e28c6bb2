import assert from 'node:assert/strict';
import { runAtOnce, yieldToEventLoop } from '../../lib/cooperative.js';

describe('runAtOnce', () => {
  it('runs as many as the limit, and keeps the order of the items', async () => {
    let running = 0;
    let most = 0;
    const results = await runAtOnce([3, 1, 2, 0], 2, async (turns) => {
      most = Math.max(most, ++running);
      for (let i = 0; i < turns; i++) await yieldToEventLoop();
      running--;
      return turns * 10;
    });
    assert.deepEqual([results, most], [[30, 10, 20, 0], 2]);
    assert.deepEqual(await runAtOnce([], 2, () => Promise.resolve(1)), []);
  });

  it('after a failure, it waits for what runs, and begins nothing more', async () => {
    const ended: number[] = [];
    const work = async (item: number): Promise<void> => {
      if (item === 1) throw new Error('first');
      await yieldToEventLoop();
      ended.push(item);
      if (item === 0) throw new Error('second');
    };
    await assert.rejects(runAtOnce([0, 1, 2, 3], 2, work), { message: 'first' });
    assert.deepEqual(ended, [0]);
  });
});
