/** The rate of cgroups: exec and exit events above it are counted, and others are not affected. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmdirSync, statSync } from 'node:fs';
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
});
