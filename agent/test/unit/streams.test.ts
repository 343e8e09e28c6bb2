/** Aggregation for one client: its bounds, and what is counted when the client does not keep up. */
import assert from 'node:assert/strict';
import { EventEncoder } from '../../lib/encode/events.js';
import { Aggregator, type WindowOptions } from '../../lib/streams/aggregator.js';
import { EventStream } from '../../lib/streams/event-stream.js';

const DAY = 24 * 3_600_000;

describe('aggregation for a client', () => {
  /** The numbers of events that messages stand for. */
  const sent: number[] = [];

  function aggregator(more: Partial<WindowOptions> = {}): Aggregator {
    sent.length = 0;
    return new Aggregator({
      windowMs: DAY,
      most: 100,
      mostBytes: () => 10_000,
      send: (_message, events) => void sent.push(events),
      flush: () => undefined,
      ...more,
    });
  }

  const message = (i: number): Buffer => Buffer.alloc(100, i);

  for (const limits of [{ most: 3 }, { mostBytes: () => 600 }]) {
    it(`a window with more than ${'most' in limits ? 'its events' : 'its bytes'} ends early`, () => {
      const window = aggregator(limits);
      for (const i of [1, 2, 3, 3]) window.add(message(i), 0);
      assert.deepEqual(sent, []);
      window.add(message(4), 0);
      assert.deepEqual(sent, [1, 1, 2]);
      window.stop();
      assert.equal(sent.length, 4);
    });
  }

  it('a message that finds the queue full is lost with all its events', () => {
    const stream = new EventStream({
      // the first write never ends
      send: () => undefined,
      queueBytes: () => 150,
      encoder: new EventEncoder({}),
      nodeName: 'node',
    });
    const window = aggregator({ send: (bytes, events) => stream.addMessage(bytes, events) });
    for (const i of [1, 2, 2, 2, 3, 3]) window.add(message(i), 0);
    window.stop();
    assert.equal(stream.lost, 5);
  });
});
