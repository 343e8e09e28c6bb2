/** Count on this machine's kernel: tracepoints, functions and static probes of programs, exact on two processors. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Metric, Tracer } from '../../types/index.js';
import { needsOwnSpeed, needsRoot, openTracer } from './support.js';

let folder: string;
let program: string;
let tracer: Tracer;

/** `hook` begins with the kind of hook and its fields; the actions follow in their selector. */
function policy(hook: string, ...actions: readonly string[]): { yaml: string } {
  const [kind = '', fields = ''] = hook.split(': ', 2);
  return {
    yaml: `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: counts }
spec: { ${kind}: [{ ${fields}${hook.slice(kind.length + 2 + fields.length)}, selectors: [{ matchActions: [${actions.join(', ')}] }] }] }`,
  };
}

const touch = (more = ''): string =>
  `uprobes: path: ${program}, symbols: [touch], args: [{ index: 0, type: uint32 }, { index: 1, type: string }]${more}`;
const RETURNS = ', return: true, returnArg: { index: 0, type: int64 }';

const callProgram = (...args: readonly (string | number)[]): void => {
  assert.equal(spawnSync(program, args.map(String)).status, 0);
};

async function readMetric(name: string): Promise<Metric> {
  const found = (await tracer.metrics()).metrics.find((metric) => metric.name === name);
  assert.ok(found, `there is no metric ${name}`);
  return found;
}

const sorted = ({ series }: Metric): Metric['series'] =>
  [...series].sort((a, b) => (a.labels.join() < b.labels.join() ? -1 : 1));

async function withPolicy<T>(source: { yaml: string }, run: () => Promise<T>): Promise<T> {
  await tracer.addPolicy(source);
  try {
    return await run();
  } finally {
    await tracer.removePolicy('counts');
  }
}

for (const optimize of [true, false]) {
  describe(`counts, ${optimize ? 'rewritten' : 'generic'} programs`, function () {
    this.timeout(120_000);
    before(needsRoot);
    before(async () => {
      folder = mkdtempSync(join(tmpdir(), 'polytrace-counts-'));
      program = join(folder, 'counted');
      execFileSync('cc', ['-O1', '-o', program, join(__dirname, 'programs', 'counted.c')]);
      tracer = await openTracer({ optimize });
    });
    after(async () => {
      await tracer?.close();
      if (folder) rmSync(folder, { recursive: true });
    });

    it('a counter, a sum and a histogram by different labels', async () => {
      const actions = [
        '{ action: Count, metric: calls, by: [binary, parentBinary, uid] }',
        '{ action: Count, metric: returned, kind: sum, value: return, by: [arg0] }',
        '{ action: Count, metric: numbers, kind: histogram, value: arg0 }',
        '{ action: Count, metric: names, by: [arg1, errno], folders: 2 }',
      ];
      await withPolicy(policy(touch(RETURNS), ...actions), async () => {
        callProgram(40, 4);
        callProgram(1, 4, 'short');
        assert.deepEqual((await readMetric('calls')).series, [
          { labels: [program, process.execPath, '0'], calls: 41n, sum: 0n },
        ]);
        // a negative value adds 0
        assert.deepEqual(sorted(await readMetric('returned')), [
          { labels: ['0'], calls: 11n, sum: 0n },
          { labels: ['1'], calls: 10n, sum: 0n },
          { labels: ['2'], calls: 10n, sum: 20n },
          { labels: ['3'], calls: 10n, sum: 0n },
        ]);
        const numbers = await readMetric('numbers');
        assert.deepEqual(numbers.series, [
          {
            labels: [],
            calls: 41n,
            sum: 60n,
            buckets: [
              { from: 0n, to: 0n, calls: 11n },
              { from: 1n, to: 1n, calls: 10n },
              { from: 2n, to: 3n, calls: 20n },
            ],
          },
        ]);
        assert.deepEqual(sorted(await readMetric('names')), [
          { labels: ['/srv/a', 'EPERM'], calls: 10n, sum: 0n },
          { labels: ['/srv/a', 'ESRCH'], calls: 10n, sum: 0n },
          { labels: ['/srv/a', 'OK'], calls: 20n, sum: 0n },
          { labels: ['short', 'OK'], calls: 1n, sum: 0n },
        ]);
      });
    });

    it('what finds no room is in other, and the total is exact', async () => {
      const action = '{ action: Count, metric: few, kind: sum, value: arg0, by: [arg0], maxKeys: 3 }';
      await withPolicy(policy(touch(), action), async () => {
        callProgram(100, 10);
        const { series, other, total } = await readMetric('few');
        assert.deepEqual(sorted({ series } as Metric), [
          { labels: ['0'], calls: 10n, sum: 0n },
          { labels: ['1'], calls: 10n, sum: 10n },
          { labels: ['2'], calls: 10n, sum: 20n },
        ]);
        assert.deepEqual(other, { calls: 70n, sum: 420n });
        assert.deepEqual(total, { calls: 100n, sum: 450n });
      });
    });

    it('durations of a function, and a filter on them', async () => {
      const yaml = policy(touch(RETURNS), '{ action: Count, metric: times, kind: histogram, value: duration }').yaml;
      await withPolicy({ yaml }, async () => {
        callProgram(20, 4);
        const { total, isDuration } = await readMetric('times');
        assert.equal(total.calls, 20n);
        assert.ok(isDuration && total.sum > 0n && total.sum < 10_000_000_000n, String(total.sum));
      });
      for (const [operator, calls] of [['GT', 0n], ['LT', 20n]] as const) {
        const filtered = yaml.replace('matchActions', `matchDuration: { operator: ${operator}, values: [10s] }, matchActions`);
        await withPolicy({ yaml: filtered }, async () => {
          callProgram(20, 4);
          assert.equal((await readMetric('times')).total.calls, calls, operator);
        });
      }
    });

    it('a static probe, and a raw tracepoint', async () => {
      const probe = `usdts: path: ${program}, provider: counted, name: touched, args: [{ index: 0, type: uint32, label: number }]`;
      await withPolicy(policy(probe, '{ action: Count, metric: touched, by: [number] }'), async () => {
        callProgram(6, 3);
        assert.deepEqual(
          sorted(await readMetric('touched')).map(({ labels, calls }) => [...labels, calls]),
          [['0', 2n], ['1', 2n], ['2', 2n]],
        );
      });
      const exec = 'tracepoints: subsystem: sched, event: sched_process_exec, raw: true, args: [{ index: 2, type: linux_binprm }]';
      await withPolicy(policy(exec, '{ action: Count, metric: execs, by: [arg0, parentBinary, container] }'), async () => {
        callProgram(1, 1);
        const own = (await readMetric('execs')).series.find(({ labels }) => labels[0] === program);
        assert.deepEqual(own, { labels: [program, process.execPath, ''], calls: 1n, sum: 0n });
      });
    });

    it('Post with Count writes events as well', async () => {
      const events = tracer.events({ policyNames: ['counts'], types: ['process_uprobe'] });
      await withPolicy(policy(touch(), '{ action: Count, metric: both }', '{ action: Post }'), async () => {
        const first = events.next();
        callProgram(1, 1);
        const { value } = await first;
        assert.deepEqual(value?.type === 'process_uprobe' && value.actions, [{ action: 'post' }]);
        assert.equal((await readMetric('both')).total.calls, 1n);
      });
      await events.return?.();
    });
  });
}

describe('counts of a tracer', function () {
  this.timeout(120_000);
  before(needsRoot);
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'polytrace-counts-'));
    program = join(folder, 'counted');
    execFileSync('cc', ['-O1', '-o', program, join(__dirname, 'programs', 'counted.c')]);
    tracer = await openTracer();
  });
  after(async () => {
    await tracer?.close();
    if (folder) rmSync(folder, { recursive: true });
  });

  it('one million calls of two processes on two processors are counted to the last', async function () {
    needsOwnSpeed.call(this);
    const calls = 500_000;
    const source = policy(
      'tracepoints: subsystem: raw_syscalls, event: sys_enter, raw: true, args: [{ index: 1, type: syscall64 }]',
      '{ action: Count, metric: syscalls, by: [arg0, binary] }',
      '{ action: Count, metric: all }',
    );
    const filtered = source.yaml.replace(
      'selectors: [{ ',
      `selectors: [{ matchBinaries: [{ operator: In, values: [${program}] }], matchArgs: [{ index: 1, operator: Equal, values: [getppid] }], `,
    );
    await withPolicy({ yaml: filtered }, async () => {
      const processors = availableParallelism() > 1 ? ['0', '1'] : ['0', '0'];
      const both = processors.map((cpu) => spawn('taskset', ['-c', cpu, program, String(calls), '0']));
      // metrics are read while calls are counted
      const exits = Promise.all(both.map((child) => once(child, 'exit')));
      let before = 0n;
      for (let i = 0; i < 5; i++) {
        const now = (await readMetric('all')).total.calls;
        assert.ok(now >= before);
        before = now;
      }
      await exits;
      assert.deepEqual((await readMetric('syscalls')).series, [
        { labels: ['getppid', program], calls: BigInt(2 * calls), sum: 0n },
      ]);
      assert.equal((await readMetric('all')).total.calls, BigInt(2 * calls));
    });
  });

  it('replacing a policy begins at 0, and a removed one has no metrics', async () => {
    const source = policy(touch(), '{ action: Count, metric: replaced }');
    await withPolicy(source, async () => {
      callProgram(3, 1);
      assert.equal((await readMetric('replaced')).total.calls, 3n);
      await tracer.replacePolicy(source);
      callProgram(2, 1);
      assert.equal((await readMetric('replaced')).total.calls, 2n);
      await tracer.disablePolicy('counts');
      assert.deepEqual((await tracer.metrics()).metrics, []);
      await tracer.enablePolicy('counts');
      assert.equal((await readMetric('replaced')).total.calls, 0n);
    });
    assert.deepEqual((await tracer.metrics()).metrics, []);
  });

  it('samples come until the iterator or the tracer ends', async () => {
    const iterator = tracer.metricsEvery(10);
    assert.equal((await iterator.next()).done, false);
    assert.equal((await iterator.next()).done, false);
    const waiting = tracer.metricsEvery(86_400_000);
    await waiting.next();
    const last = waiting.next();
    assert.deepEqual(await waiting.return?.(), { done: true, value: undefined });
    assert.equal((await last).done, true);
    assert.throws(() => tracer.metricsEvery(9), { code: 'BAD_OPTION' });
    assert.throws(() => tracer.metricsEvery(0.5), { code: 'BAD_OPTION' });
    await tracer.close();
    assert.equal((await iterator.next()).done, true);
    await assert.rejects(tracer.metrics(), { code: 'CLOSED' });
    assert.throws(() => tracer.metricsEvery(1000), { code: 'CLOSED' });
  });
});
