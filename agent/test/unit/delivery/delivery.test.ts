/** The end of a delivery: what is not sent by then stays in the spool, and nothing is sent later. */
import assert from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { AlertSender, type Channel } from '../../../lib/alerts/channel.js';
import { Delivery, type SendOutcome } from '../../../lib/delivery/delivery.js';
import type { LineStore } from '../../../lib/delivery/spool.js';
import { alertWith, TestLog, waitUntil } from '../alerts/support.js';

/** Returns a promise, and the function that resolves it. */
function createGate(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

describe('the end of a delivery', () => {
  it('sends nothing that the disk returns later', async () => {
    const gate = createGate();
    let reads = 0;
    const sent: string[] = [];
    const spool: LineStore = {
      missing: 0,
      bytes: 4096,
      isEmpty: false,
      append: () => Promise.resolve(true),
      readOldest: async () => {
        reads += 1;
        await gate.opened;
        return { lines: ['a'], lost: 0, reason: '' };
      },
      removeOldest: () => Promise.resolve(),
    };
    const send = (lines: readonly string[]): Promise<SendOutcome> => {
      sent.push(...lines);
      return Promise.resolve({ kind: 'sent', unreadable: 0 });
    };
    const delivery = new Delivery({
      sender: { send, close: () => Promise.resolve() },
      spool,
      maxBytes: 1000,
      countEvents: () => 1,
      reportedLoss: () => undefined,
      formatLoss: () => '',
      log: new TestLog().log,
      speedup: 50,
    });
    await waitUntil(() => reads === 1);
    await delivery.close(1);
    gate.open();
    await nextTurn();
    assert.deepEqual(sent, []);
  });

  it('ends a request for an alert, and sends no further one', async () => {
    const lines = [1, 2].map((id) => JSON.stringify(alertWith({ id })));
    const requested: number[] = [];
    const channel: Channel = {
      send: ({ id }, signal) => {
        requested.push(id);
        return new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))));
      },
      close: () => undefined,
    };
    const sender = new AlertSender(channel, 60_000);
    const outcome = sender.send(lines);
    await waitUntil(() => requested.length === 1);
    await sender.close();
    assert.deepEqual(await outcome, { kind: 'failed', reason: 'aborted' });
    assert.deepEqual(await sender.send(lines), { kind: 'failed', reason: 'the agent ends' });
    assert.deepEqual(requested, [1]);
  });
});
