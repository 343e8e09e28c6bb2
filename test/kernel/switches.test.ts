/** The switches `optimize` and `cachePaths`: the programs differ, the events do not. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { openTracer, toJson } from '../../lib/index.js';
import type { ProcessKprobeEvent, TracerOptions } from '../../types/index.js';
import { NIGHTLY } from '../nightly.js';
import { isUnsupported, planSubject } from './matrix-policy.js';
import { prepareMatrix, runActions } from './matrix-setup.js';
import { SUBJECTS } from './matrix.js';
import { prepareWorkload, fileHook, kernel, kprobePolicy, MECHANISMS, Recording, runWorkload } from './support.js';

const OFF: TracerOptions = { optimize: false, cachePaths: false };

const policy = kprobePolicy(
  'switches',
  fileHook(`- matchArgs:
  - index: 0
    operator: Prefix
    values: ["/srv/switches/watched"]
  matchBinaries:
  - operator: In
    values: ["/tmp/workload"]`),
);

interface ProcessJson {
  readonly pid: number;
  readonly binary: string;
  readonly arguments?: string;
}

interface Loaded {
  /** Bytes of the hook's programs before the JIT compiler. */
  readonly bytes: number;
  /** Bytes of the maps of negative caches. */
  readonly cacheBytes: number;
}

function bpftool<Row>(...args: readonly string[]): Row[] {
  return JSON.parse(execFileSync('bpftool', [...args, '-j'], { encoding: 'utf8' })) as Row[];
}

function readLoaded(): Loaded {
  const programs = bpftool<{ name?: string; bytes_xlated: number }>('prog', 'show');
  const maps = bpftool<{ name?: string; bytes_value: number }>('map', 'show');
  const hooks = programs.filter(({ name }) => name?.startsWith('hook_'));
  const caches = maps.filter(({ name }) => name?.startsWith('.data.negative'));
  return {
    bytes: hooks.reduce((sum, { bytes_xlated: bytes }) => sum + bytes, 0),
    cacheBytes: caches.reduce((sum, { bytes_value: bytes }) => sum + bytes, 0),
  };
}

/** Loads the policy with these options. */
async function load(options: TracerOptions): Promise<Loaded> {
  const recording = await Recording.open(policy, options);
  const { optimize, cachePaths } = recording.tracer.stats();
  assert.deepEqual({ optimize, cachePaths }, { optimize: true, cachePaths: true, ...options });
  const loaded = readLoaded();
  await recording.close();
  await Recording.closeCached();
  return loaded;
}

/** The parts of an event that do not depend on the time at which a program ran. The exec id has such a time. */
function describeEvent(event: ProcessKprobeEvent): string {
  const { process_kprobe: fields } = JSON.parse(toJson(event)) as { process_kprobe: Record<string, unknown> };
  const { process, parent, ...rest } = fields as { process: ProcessJson; parent?: ProcessJson };
  const identify = ({ pid, binary, arguments: args }: ProcessJson): unknown => [pid, binary, args];
  return JSON.stringify({
    ...rest,
    selector: event.selector,
    process: identify(process),
    parent: parent && identify(parent),
  });
}

/** Two tracers with the same policies see the same calls: one as it is by default, one with other switches. */
async function compareEvents(
  attach: 'fentry' | 'kprobe',
  switches: TracerOptions,
  policies: readonly string[],
  run: () => void,
): Promise<number> {
  const on = new Recording(await openTracer({ attach }));
  const off = new Recording(await openTracer({ attach, ...switches }));
  try {
    for (const yaml of policies) {
      for (const { tracer } of [on, off]) await tracer.addPolicy({ yaml });
    }
    let other: readonly ProcessKprobeEvent[] = [];
    const own = await on.hooksDuring(async () => {
      other = await off.hooksDuring(run);
    });
    for (const { tracer } of [on, off]) assert.equal(tracer.stats().lost, 0);
    assert.deepEqual(other.map(describeEvent).sort(), own.map(describeEvent).sort());
    return own.length;
  } finally {
    await on.close();
    await off.close();
  }
}

/**
 * Two tracers load as many policies at a time. All are on the same function, to which the kernel attaches at most 38
 * trampoline programs.
 */
const POLICIES_AT_ONCE = 12;

interface MatrixGroup {
  readonly policies: readonly string[];
  readonly run: () => void;
}

/** The policies of the matrix that this kernel can load, in groups with their actions. */
function planMatrix(attach: 'fentry' | 'kprobe'): MatrixGroup[] {
  prepareMatrix();
  const subjects = SUBJECTS.filter((subject) => !isUnsupported(subject, kernel, attach));
  const plans = subjects.map((subject, number) => planSubject(subject, number, kernel));
  return Array.from({ length: Math.ceil(plans.length / POLICIES_AT_ONCE) }, (_, i) => {
    const group = plans.slice(i * POLICIES_AT_ONCE, (i + 1) * POLICIES_AT_ONCE);
    return {
      policies: group.map(({ yaml }) => yaml),
      run: () => runActions(group.flatMap(({ actions }) => actions)),
    };
  });
}

describe('switches of the optimizer and the path cache', function () {
  this.timeout(NIGHTLY ? 1_800_000 : 480_000);

  it('without the optimizer, programs have more instructions; without the cache, there are no entries', async () => {
    const both = await load({});
    const generic = await load({ optimize: false });
    const uncached = await load({ cachePaths: false });
    const neither = await load(OFF);
    const report = JSON.stringify({ both, generic, uncached, neither });
    assert.ok(generic.bytes > 1.2 * both.bytes && neither.bytes > 1.2 * uncached.bytes, report);
    assert.deepEqual([uncached.cacheBytes, neither.cacheBytes], [0, 0], report);
    // Linux 6.1 never has the cache
    if (kernel !== '6.12') return;
    assert.ok(uncached.bytes < both.bytes, report);
    assert.ok(both.cacheBytes > 0 && generic.cacheBytes === both.cacheBytes, report);
  });

  for (const attach of MECHANISMS) {
    it(`the events of reads are the same, by ${attach}`, async () => {
      prepareWorkload();
      mkdirSync('/srv/switches', { recursive: true });
      const files = ['watched', 'watched-too', 'other'].map((name) => `/srv/switches/${name}`);
      for (const file of files) writeFileSync(file, 'x');
      const readAll = (): void => files.forEach((file) => runWorkload('read', file, 5));
      assert.equal(await compareEvents(attach, OFF, [policy], readAll), 10);
    });

    // the matrix takes minutes
    if (!NIGHTLY) continue;
    it(`the events of the whole matrix are the same, by ${attach}`, async () => {
      let total = 0;
      for (const { policies, run } of planMatrix(attach)) {
        const count = await compareEvents(attach, OFF, policies, run);
        assert.ok(count > 0, policies[0]);
        total += count;
        // a guest that prints nothing for minutes counts as hung
        console.log(`      ${policies.length} policies, ${count} events`);
      }
      assert.ok(total > 1000, `only ${total} events`);
    });
  }
});
