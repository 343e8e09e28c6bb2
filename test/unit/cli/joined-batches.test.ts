/** Batches that are available at the same time are printed together. */
import assert from 'node:assert/strict';
import { joinBatches } from '../../../lib/cli/joined-batches.js';

describe('joinBatches', () => {
  it('joins what is there, in its order, and does not wait for more', async () => {
    let arrive = (): void => undefined;
    async function* read(): AsyncGenerator<readonly number[], undefined> {
      yield [1, 2];
      yield [3];
      await new Promise<void>((resolve) => (arrive = resolve));
      yield [4];
    }
    const joined = joinBatches(read());
    assert.deepEqual((await joined.next()).value, [1, 2, 3]);
    const next = joined.next();
    arrive();
    assert.deepEqual((await next).value, [4]);
    assert.equal((await joined.next()).done, true);
  });

  it('joins no more than some hundred events', async () => {
    const batch = Array.from({ length: 200 }, (_, i) => i);
    async function* read(): AsyncGenerator<readonly number[], undefined> {
      for (let i = 0; i < 5; i++) yield await Promise.resolve(batch);
    }
    const lengths: number[] = [];
    for await (const joined of joinBatches(read())) lengths.push(joined.length);
    assert.deepEqual(lengths, [400, 400, 200]);
  });

  it('ends the iterator with the loop, and throws its error in its place', async () => {
    let isEnded = false;
    async function* read(): AsyncGenerator<readonly number[], undefined> {
      try {
        yield [1];
        await Promise.reject(new Error('broken'));
      } finally {
        isEnded = true;
      }
    }
    const seen: number[] = [];
    await assert.rejects(async () => {
      for await (const joined of joinBatches(read())) seen.push(...joined);
    }, /broken/);
    assert.deepEqual(seen, [1]);
    isEnded = false;
    for await (const _ of joinBatches(read())) break;
    assert.equal(isEnded, true);
  });
});
