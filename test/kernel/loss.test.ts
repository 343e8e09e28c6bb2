/**
 * Every matching call is an event or counted as lost. With the default buffer and a fast reader, every call is an
 * event.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { openTracer } from '../../lib/index.js';
import type { Tracer } from '../../types/index.js';
import { prepareWorkload, fileHook, MECHANISMS, onPath, kprobePolicy, WORKLOAD } from './support.js';

const TIMES = 50_000;
const HOOK = 'security_file_permission';

/** The workload: two processes at full speed. */
const READS = ['two', '/srv/loss', String(TIMES)];

/** Counts events until the workload has ended and the ring buffer is empty. */
async function countCalls(
  tracer: Tracer,
  command: readonly string[],
  hook: string,
  pauseMs = 0,
): Promise<{ hooks: number; lost: number; shown: number }> {
  const child = spawn(WORKLOAD, command, { stdio: 'inherit' });
  const ended = once(child, 'exit');
  let hooks = 0;
  let shown = 0;
  const counting = (async () => {
    for await (const event of tracer.events()) {
      if (event.type === 'process_kprobe') hooks++;
      if (event.type === 'lost' && event.hook === hook) shown += event.count;
      if (pauseMs > 0 && hooks % 1000 === 1) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  })();
  await ended;
  await tracer.close();
  await counting;
  const lost = tracer
    .stats()
    .lostByHook.filter((loss) => loss.hook === hook)
    .reduce((sum, loss) => sum + loss.count, 0);
  return { hooks, lost, shown };
}

for (const attach of MECHANISMS) {
  describe(`losses by ${attach}`, () => {
    const yaml = kprobePolicy('loss', fileHook(onPath('Equal', '/srv/loss')));

    before(() => {
      prepareWorkload();
      writeFileSync('/srv/loss', 'x');
    });

    it('100,000 reads with the default buffer: all of them are reported', async () => {
      const tracer = await openTracer({ policies: [{ yaml }], attach });
      assert.deepEqual(await countCalls(tracer, READS, HOOK), { hooks: 2 * TIMES, lost: 0, shown: 0 });
    });

    it('100,000 reads with the smallest buffer and a slow reader: events and losses add up', async () => {
      const tracer = await openTracer({ policies: [{ yaml }], attach, bufferSize: 131072 });
      const { hooks, lost, shown } = await countCalls(tracer, READS, HOOK, 20);
      assert.ok(lost > 0, 'nothing was lost: the test does not test');
      assert.equal(hooks + lost, 2 * TIMES);
      assert.equal(shown, lost);
    });
  });
}

describe('returns that the kernel could not follow', () => {
  before(prepareWorkload);

  const yaml = kprobePolicy(
    'halves',
    `call: sys_read
return: true
args:
- index: 2
  type: size_t
returnArg:
  index: 0
  type: int
selectors:
- matchArgs:
  - index: 2
    operator: Equal
    values: ["1"]
  matchBinaries:
  - operator: In
    values: ["${WORKLOAD}"]`,
  );

  // Without later calls, a missed return is seen only when the tracer closes.
  for (const more of [0, 1000]) {
    it(`are reported as missed: ${more} later calls of each process`, async () => {
      const waiting = 30;
      const tracer = await openTracer({ policies: [{ yaml }], attach: 'kprobe' });
      const command = ['waiting', String(waiting), String(more)];
      const { hooks, lost, shown } = await countCalls(tracer, command, '__x64_sys_read');
      // The kernel keeps at most ten returns of a kprobe on one processor.
      assert.ok(lost > 0, 'all returns were seen, so the test tests nothing');
      assert.equal(hooks + lost, waiting * (more + 1));
      assert.equal(shown, lost);
    });
  }

  it('are reported as missed when the policy is removed', async () => {
    const waiting = 30;
    const tracer = await openTracer({ policies: [{ yaml }], attach: 'kprobe' });
    let hooks = 0;
    let lost = 0;
    const counting = (async () => {
      for await (const event of tracer.events()) {
        if (event.type === 'process_kprobe') hooks++;
        if (event.type === 'lost' && event.policyName === 'halves') lost += event.count;
      }
    })();
    await once(spawn(WORKLOAD, ['waiting', String(waiting), '0'], { stdio: 'inherit' }), 'exit');
    await tracer.removePolicy('halves');
    await tracer.close();
    await counting;
    assert.ok(lost > 0, 'all returns were seen, so the test tests nothing');
    assert.equal(hooks + lost, waiting);
  });
});
