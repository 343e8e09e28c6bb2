/** Aggregation for one client: its bounds, and what is counted when the client does not keep up. */
import assert from 'node:assert/strict';
import { fromBinary } from '@bufbuild/protobuf';
import type { PlainEvent, TracerEvent } from 'polytrace';
import { execOf, lostOf } from '../../../test/unit/output/events.js';
import { EventEncoder } from '../../lib/encode/events.js';
import { Aggregator } from '../../lib/streams/aggregator.js';
import { GetEventsResponseSchema } from '../../lib/proto/tetragon/events.gen.js';
import { EventStream } from '../../lib/streams/event-stream.js';
import { HEADER } from '../../lib/streams/frames.js';
import { EventHub } from '../../lib/streams/hub.js';
import type { WindowOptions } from '../../lib/streams/window.js';

const DAY = 24 * 3_600_000;

describe('aggregation for a client', () => {
  /** The numbers of events that messages stand for. */
  const sent: number[] = [];

  function aggregator(more: Partial<WindowOptions<Uint8Array>> = {}): Aggregator {
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

  it('a report of a loss that finds the queue full is told later, with all its events', () => {
    const told: string[] = [];
    let sent = (): void => undefined;
    const hub = new EventHub({ nodeName: 'node', queueBytes: 1000 });
    hub.subscribe({
      send: (frames, done) => {
        const bytes = Buffer.alloc(frames.byteLength + HEADER);
        frames.copy(bytes, HEADER);
        for (let at = 0; at < bytes.length;) {
          const end = at + HEADER + bytes.readUInt32BE(at + 1);
          const { event } = fromBinary(GetEventsResponseSchema, bytes.subarray(at + HEADER, end));
          if (event.case === 'rateLimitInfo') {
            const { hook, policyName, reason, numberOfDroppedProcessEvents: count } = event.value;
            told.push(`${hook} ${policyName} ${reason} ${count}`);
          }
          at = end;
        }
        sent = done;
      },
    });
    const give = (...events: readonly PlainEvent[]): void => hub.give(events as unknown as TracerEvent[]);
    const loss = (count: number, policyName: string): PlainEvent => lostOf({ hook: 'f', policyName, count });
    // the first write takes what is there; then the queue fills
    give(execOf());
    give(...Array.from({ length: 20 }, () => execOf()), loss(1000, 'a'), loss(10, 'b'), loss(1, 'a'));
    const [stream] = hub.streams;
    const lost = stream?.lost ?? 0;
    assert.ok(lost > 0 && lost < 20);
    for (let i = 0; i < 10; i++) sent();
    assert.deepEqual(told, [`f a ring_full 1001`, `f b ring_full 10`, `GetEvents  slow_consumer ${lost}`]);
  });

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
