/** Every matching call is an event or a counted loss; with the default buffer and a reader that keeps up, an event. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { openTracer } from '../../lib/index.js';
import type { Tracer } from '../../types/index.js';
import { compileWorkload, fileHook, MECHANISMS, onPath, policy, WORKLOAD } from './support.js';

const TIMES = 50_000;

/** Two processes at full speed; counts until both ended and the ring is empty. */
async function countReads(tracer: Tracer, pauseMs: number): Promise<{ hooks: number; lost: number; shown: number }> {
  const child = spawn(WORKLOAD, ['two', '/srv/loss', String(TIMES)], { stdio: 'inherit' });
  const ended = once(child, 'exit');
  let hooks = 0;
  let shown = 0;
  const counting = (async () => {
    for await (const event of tracer.events()) {
      if (event.type === 'process_kprobe') hooks++;
      if (event.type === 'lost' && event.hook === 'security_file_permission') shown += event.count;
      if (pauseMs > 0 && hooks % 1000 === 1) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  })();
  await ended;
  await tracer.close();
  await counting;
  const lost = tracer
    .stats()
    .lostByHook.filter((loss) => loss.hook === 'security_file_permission')
    .reduce((sum, loss) => sum + loss.count, 0);
  return { hooks, lost, shown };
}

for (const attach of MECHANISMS) {
  describe(`losses by ${attach}`, () => {
    const yaml = policy('loss', fileHook(onPath('Equal', '/srv/loss')));

    before(() => {
      compileWorkload();
      writeFileSync('/srv/loss', 'x');
    });

    it('100,000 reads with the default buffer: all of them', async () => {
      const tracer = await openTracer({ policies: [{ yaml }], attach });
      assert.deepEqual(await countReads(tracer, 0), { hooks: 2 * TIMES, lost: 0, shown: 0 });
    });

    it('100,000 reads with the smallest buffer and a slow reader: events and losses add up', async () => {
      const tracer = await openTracer({ policies: [{ yaml }], attach, bufferSize: 65536 });
      const { hooks, lost, shown } = await countReads(tracer, 20);
      assert.ok(lost > 0, 'nothing was lost: the test does not test');
      assert.equal(hooks + lost, 2 * TIMES);
      assert.equal(shown, lost);
    });
  });
}
