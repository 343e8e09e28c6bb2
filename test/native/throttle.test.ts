/** The rate of cgroups: exec and exit events above it are counted. Other cgroups and the events of hooks are not affected. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, realpathSync, rmdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { LostEvent, ProcessThrottleEvent, Tracer, TracerEvent } from '../../types/index.js';
import { isLost, leaveMark, needsRoot, openTracer, polytrace, readUntil, unifiedMount, Workshop } from './support.js';

const RUNS = 200;
/** The interval is not longer than the time below the rate: a cgroup that is reported again begins a new one. */
const RATE = { events: 20, intervalMs: 5000 };

type ProcessEvent = Exclude<TracerEvent, LostEvent>;

const isThrottle = (event: TracerEvent): event is ProcessThrottleEvent => event.type === 'process_throttle';

describe('the rate of cgroups', function () {
  this.timeout(120_000);
  before(needsRoot);
  const name = `polytrace-throttle-${process.pid}`;
  let shop: Workshop;
  let folder: string;
  let tracer: Tracer;
  let events: AsyncIterator<TracerEvent> & AsyncIterable<TracerEvent>;
  before(async () => {
    shop = new Workshop();
    folder = join(unifiedMount(), name);
    mkdirSync(folder);
    tracer = await openTracer({ cgroupRate: RATE });
    events = tracer.events();
  });
  after(async () => {
    await tracer?.close();
    shop?.remove();
    rmdirSync(folder);
  });

  /** Runs the helper in the cgroup. */
  const runInCgroup = (runs: number): void => {
    const script = 'echo $$ > "$0" && exec "$1" loop "$2" /bin/true';
    execFileSync('sh', ['-c', script, join(folder, 'cgroup.procs'), shop.helper, String(runs)]);
  };
  const ofCgroup = (event: TracerEvent, id: bigint): event is ProcessEvent =>
    !isLost(event) && event.process.cgroupId === id;
  const countLost = (all: readonly TracerEvent[], hook: string): number =>
    all
      .filter(isLost)
      .filter((event) => event.hook === hook && event.reason === 'throttled')
      .reduce((sum, { count }) => sum + count, 0);

  it('events above it are counted, and the start is an event', async () => {
    const id = statSync(folder, { bigint: true }).ino;
    runInCgroup(RUNS);
    const others = execFileSync('sh', ['-c', 'for i in 1 2 3; do /bin/true; done; echo $$'], { encoding: 'utf8' });
    const all = await readUntil(leaveMark(), events);
    const countAll = (type: TracerEvent['type']): number =>
      all.filter((event) => event.type === type && ofCgroup(event, id)).length + countLost(all, type);
    // The losses of a read follow its records. The helper itself is one more.
    while (countAll('process_exec') < RUNS + 1 || countAll('process_exit') < RUNS + 1) {
      const next = await events.next();
      if (next.done !== true) all.push(next.value);
    }
    const execs = all.filter((event) => event.type === 'process_exec' && ofCgroup(event, id));
    const exits = all.filter((event) => event.type === 'process_exit' && ofCgroup(event, id));
    const starts = all.filter(isThrottle);
    assert.deepEqual(starts.map(({ throttle, cgroup, cgroupId }) => [throttle, cgroup, cgroupId]), [['start', name, id]]);
    assert.ok(execs.length + exits.length <= RATE.events + 1, `${execs.length} execs, ${exits.length} exits`);
    assert.deepEqual([countAll('process_exec'), countAll('process_exit')], [RUNS + 1, RUNS + 1]);
    const shell = all.filter((event) => !isLost(event) && event.parent?.pid === Number(others));
    assert.equal(shell.filter(({ type }) => type === 'process_exec').length, 3, 'other cgroups are not affected');
    const line = JSON.parse(polytrace.toJson(starts[0] as ProcessThrottleEvent)) as Record<string, unknown>;
    assert.deepEqual(line['process_throttle'], { type: 'THROTTLE_START', cgroup: name });
    assert.match(polytrace.formatCompact(starts[0] as ProcessThrottleEvent), new RegExp(`^🧬 throttle .* START ${name}$`));
  });

  it('they are reported again when the cgroup has been below for a while', async () => {
    const id = statSync(folder, { bigint: true }).ino;
    let stop: ProcessThrottleEvent | undefined;
    for await (const event of events) {
      if (isThrottle(event)) {
        stop = event;
        break;
      }
    }
    assert.deepEqual([stop?.throttle, stop?.cgroup, stop?.cgroupId], ['stop', name, id]);
    assert.ok((stop?.timeNs ?? 0n) > 0n);
    events = tracer.events();
    runInCgroup(1);
    const all = await readUntil(leaveMark(), events);
    assert.equal(all.filter((event) => event.type === 'process_exec' && ofCgroup(event, id)).length, 2);
    assert.deepEqual(all.filter((event) => isThrottle(event) || isLost(event)), []);
  });

  it('a policy reports throttled processes, which are known', async () => {
    const sleep = realpathSync('/bin/sleep');
    const yaml = `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: ends }
spec:
  tracepoints:
    - { subsystem: sched, event: sched_process_exit, raw: true, args: [{ index: 0, type: nop }], selectors: [{ matchBinaries: [{ operator: In, values: ['${sleep}'] }] }] }
`;
    const other = join(unifiedMount(), `${name}-hooks`);
    mkdirSync(other);
    const own = await openTracer({ cgroupRate: { events: 10, intervalMs: 60_000 }, policies: [{ yaml }] });
    try {
      const id = statSync(other, { bigint: true }).ino;
      const stream = own.events();
      const script = 'echo $$ > "$0"; for i in $(seq 30); do /bin/sleep 0; done';
      execFileSync('sh', ['-c', script, join(other, 'cgroup.procs')]);
      const all = await readUntil(leaveMark(), stream);
      const hooks = all.filter((event) => event.type === 'process_tracepoint');
      const describeProcess = ({ process }: ProcessEvent): unknown => [process.binary, process.arguments, process.cgroupId];
      assert.deepEqual(hooks.map(describeProcess), Array(30).fill(['/bin/sleep', '0', id]));
      assert.equal(new Set(hooks.map(({ process }) => process.execId)).size, 30);
      const start = all.find(isThrottle);
      assert.deepEqual(start && describeProcess(start), ['/bin/sleep', '0', id]);
      const execs = all.filter((event) => event.type === 'process_exec' && ofCgroup(event, id));
      assert.ok(execs.length < 12, `${execs.length} execs`);
    } finally {
      await own.close();
      rmdirSync(other);
    }
  });
});
