/** Tests each filter, action, scope and kind of marks and counts on each kind of hook: the rows of matrix-memory.ts. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { openTracer } from '../../lib/index.js';
import type { ContainerSource, Metric, Tracer } from '../../types/index.js';
import {
  CGROUP,
  COUNTED,
  FOLDER,
  FUNCTION_COUNT_ROWS,
  FUNCTION_COUNTS,
  FUNCTION_MARKS,
  KIND_COUNT_ROWS,
  KIND_COUNTS,
  KIND_MARKS,
  KIND_ROWS,
  MARK_ROWS,
  OTHER_KINDS,
  OTHER_MARKS,
  PROGRAM,
  type CountRow,
  type MarkRow,
} from './matrix-memory.js';
import { copyProgram, kernel, type Mechanism } from './support.js';

/** The container of CGROUP, in a pod. */
const SOURCE: ContainerSource = {
  name: 'test',
  start: async (sink) => {
    sink.state(true);
    const id = /[0-9a-f]{64}/.exec(CGROUP)?.[0] ?? '';
    const cgroupPath = `/${basename(CGROUP)}`;
    await sink.add({ id, runtime: 'docker', name: 'main', cgroupPath, pod: { namespace: 'shop', name: 'web', labels: {} } }); // prettier-ignore
  },
  stop: () => Promise.resolve(),
};

const run = (commands: string): void =>
  void execFileSync(PROGRAM, commands.split(' '), { env: { ...process.env, CGROUP }, stdio: 'ignore' });

describe('marks and counts: the matrix', function () {
  this.timeout(480_000);
  before(() => {
    mkdirSync(FOLDER, { recursive: true });
    copyProgram('memory', PROGRAM);
    for (let number = 0; number < 8; number++) writeFileSync(join(FOLDER, String(number)), '');
    mkdirSync(CGROUP);
  });
  after(() => rmdirSync(CGROUP));

  // one mechanism on each kernel, as the programs that mark and count are the same
  const attach = kernel === '6.12' ? 'fentry' : 'kprobe';
  describe(`functions by ${attach}`, () => testMechanism(attach));
});

function testMechanism(attach: Mechanism): void {
  let tracer: Tracer;
  let counted: ReadonlyMap<string, Metric>;
  /** The last reading. Nothing else runs the program. */
  let latest: readonly Metric[];

  const read = async (): Promise<readonly Metric[]> => (await tracer.metrics()).metrics;
  /** What the commands add to the metrics, by their names. */
  const countDuring = async (commands: string): Promise<ReadonlyMap<string, Metric>> => {
    const earlier = latest;
    run(commands);
    latest = await read();
    return new Map(latest.map((metric) => [metric.name, subtractCalls(metric, earlier)]));
  };

  before(async () => {
    const texts = [FUNCTION_MARKS, OTHER_MARKS, FUNCTION_COUNTS, KIND_MARKS, KIND_COUNTS];
    const policies = texts.map((yaml) => ({ yaml }));
    tracer = await openTracer({ attach, containers: { sources: [SOURCE] }, policies });
    run(COUNTED);
    latest = await read();
    counted = new Map(latest.map((metric) => [metric.name, metric]));
  });
  after(() => tracer?.close());

  const checkMarks = (metrics: ReadonlyMap<string, Metric>, name: string, label: string, row: MarkRow): void => {
    const calls = (operator: string): bigint =>
      metrics.get(`${name}_${operator}`)?.series.find(({ labels }) => labels[0] === label)?.calls ?? 0n;
    assert.deepEqual([calls('In'), calls('NotIn')], [BigInt(row.marked), BigInt(row.unmarked)], name);
  };

  for (const row of MARK_ROWS) {
    it(`marks, ${row.title}`, async () => {
      checkMarks(await countDuring(row.commands), row.byOther ? 'other' : 'function', String(row.number), row);
    });
  }
  for (const row of FUNCTION_COUNT_ROWS) it(`counts, ${row.title}`, () => checkCount(counted, row));
  for (const row of KIND_ROWS) {
    it(`marks of ${OTHER_KINDS.join(', ')}: ${row.title}`, async () => {
      const metrics = await countDuring(row.commands);
      for (const name of OTHER_KINDS) checkMarks(metrics, name, LABELS[name] ?? '3', row);
    });
  }
  for (const row of KIND_COUNT_ROWS) it(`counts, ${row.title}`, () => checkCount(counted, row));
}

/** The metric with the calls since an earlier reading. */
function subtractCalls(metric: Metric, earlier: readonly Metric[]): Metric {
  const before = earlier.find(({ name }) => name === metric.name)?.series ?? [];
  const callsBefore = (labels: readonly string[]): bigint =>
    before.find((each) => each.labels.join() === labels.join())?.calls ?? 0n;
  const series = metric.series.map((each) => ({ ...each, calls: each.calls - callsBefore(each.labels) }));
  return { ...metric, series };
}

/** The label of a call with the number 3. */
const LABELS: Readonly<Record<string, string>> = { raw: 'getppid', lsm: `${FOLDER}/3` };

function checkCount(metrics: ReadonlyMap<string, Metric>, { metric, series, total, other, buckets }: CountRow): void {
  const found = metrics.get(metric);
  assert.ok(found !== undefined, `there is no metric ${metric}`);
  const wanted = (series ?? []).map(([labels, calls, sum = 0n]) => ({ labels, calls, sum }));
  const own = wanted.map(({ labels }) => {
    const same = found.series.find((each) => each.labels.join() === labels.join());
    return { labels, calls: same?.calls ?? 0n, sum: same?.sum ?? 0n };
  });
  assert.deepEqual(own, wanted);
  if (total > 0n) {
    assert.equal(found.total.calls, total);
    if (series !== undefined) assert.equal(found.series.filter(({ calls }) => calls > 0n).length, series.length);
  }
  assert.deepEqual(found.other && [found.other.calls, found.other.sum], other);
  const inBuckets = found.total.buckets?.map(({ from, calls }) => [from, calls]);
  if (buckets !== undefined) assert.deepEqual(inBuckets, buckets);
}
