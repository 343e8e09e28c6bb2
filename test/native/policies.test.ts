/** Policies are added, changed and removed while events flow: events, counters, and nothing that stays behind. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { PolicyStatus, ProcessUprobeEvent, Tracer, TracerEvent, TracerOptions } from '../../types/index.js';
import { isLost, isUprobe, leaveMark, needsRoot, openTracer, readUntil, runScript, SANITIZED, USED_MEMORY, Workshop } from './support.js';

const shop = new Workshop();
const NUMBERED = join(shop.folder, 'numbered');

/** A policy on every call of act(), or on calls with one of these numbers. */
function actPolicy(name: string, { numbers, actions }: { numbers?: readonly number[]; actions?: string } = {}): string {
  const filter = numbers && `matchArgs: [{index: 0, operator: Equal, values: [${numbers.map((n) => `"${n}"`).join(', ')}]}]`;
  const selector = [filter, actions && `matchActions: [${actions}]`].filter((part) => part !== undefined).join(', ');
  return `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: ${name} }
spec:
  uprobes:
    - path: ${NUMBERED}
      symbols: [act]
      args: [{ index: 0, type: int64 }]
      ${selector === '' ? '' : `selectors: [{ ${selector} }]`}
`;
}

const actNumber = ({ args: [first] }: ProcessUprobeEvent): number =>
  first !== undefined && 'value' in first ? Number(first.value) : NaN;

const act = (from: number, count: number): void => void execFileSync(NUMBERED, [from, count].map(String));

/** A process that acts until end() is called. */
class Actor {
  readonly #child: ChildProcess;
  readonly #output: Promise<string>;

  constructor(readonly from: number) {
    this.#child = spawn(NUMBERED, [String(from)], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#output = once(this.#child.stdout as NodeJS.ReadableStream, 'data').then(([chunk]) => String(chunk));
  }

  /** Ends the process and returns the numbers of its actions. */
  async end(): Promise<number[]> {
    this.#child.stdin?.end();
    const count = Number(await this.#output);
    return Array.from({ length: count }, (_, i) => this.from + i);
  }
}

/** Collects events from the first one on. */
class EventCollector {
  readonly #events: AsyncIterator<TracerEvent, undefined>;

  constructor(readonly tracer: Tracer) {
    this.#events = tracer.events();
  }

  /** Reads until a loss is reported. Then the buffer has free space again. */
  readonly untilLost = async (): Promise<void> => {
    for (;;) {
      const { value } = await this.#events.next();
      if (value === undefined || isLost(value)) return;
    }
  };

  /** Returns the events until now. */
  readonly settle = async (): Promise<TracerEvent[]> => readUntil(leaveMark(), this.#events);
}

/** Runs with a tracer, which is always closed at the end. */
async function withCollector<T>(
  policies: readonly string[],
  options: TracerOptions,
  run: (collected: EventCollector) => Promise<T>,
): Promise<T> {
  const tracer = await openTracer({ ...options, policies: policies.map((yaml) => ({ yaml })) });
  try {
    return await run(new EventCollector(tracer));
  } finally {
    await tracer.close();
  }
}

describe('the life of policies', function () {
  this.timeout(120_000);

  before(needsRoot);
  before(() => execFileSync('cc', ['-O1', '-o', NUMBERED, join(__dirname, 'programs', 'numbered.c')]));
  after(() => shop.remove());

  it('openTracer says after each policy how many are loaded', async () => {
    const seen: string[] = [];
    const policies = ['one', 'two', 'three'].map((name) => ({ yaml: actPolicy(name) }));
    const tracer = await openTracer({ policies, onProgress: ({ loaded, total }) => seen.push(`${loaded}/${total}`) });
    await tracer.close();
    assert.deepEqual(seen, ['1/3', '2/3', '3/3']);
    const fail = (): never => assert.fail('stop');
    await assert.rejects(openTracer({ policies, onProgress: fail }), { message: 'stop' });
    await assert.rejects(openTracer({ onProgress: 1 as never }), { code: 'BAD_OPTION' });
  });

  describe('counters', () => {
    it('of each hook: hits, matched, posted; and the sums of the policy', async () => {
      const some = actPolicy('x', { numbers: [3, 4] });
      const both = `${actPolicy('counted').trimEnd()}\n${some.slice(some.indexOf('    - path'))}`;
      const status = await withCollector([both], { countHits: true }, async ({ tracer, settle }) => {
        act(1, 10);
        await settle();
        return tracer.policies()[0];
      });
      const counts = status?.hooks.map((hook) => [hook.hits, hook.matched, hook.posted, hook.suppressed, hook.lost]);
      assert.deepEqual(counts, [
        [10, 10, 10, 0, 0],
        [10, 2, 2, 0, 0],
      ]);
      assert.deepEqual([status?.hits, status?.matched, status?.posted, status?.lost], [20, 12, 12, 0]);
    });

    it('hits are counted only on request; with rate limits and NoPost, calls are matched but not posted', async () => {
      const rate = '{action: Post, rateLimit: 5m, rateLimitScope: global}';
      const policies = [
        actPolicy('plain'),
        actPolicy('limited', { numbers: [7], actions: rate }),
        actPolicy('silent', { actions: '{action: NoPost}' }),
      ];
      await withCollector(policies, {}, async ({ tracer, settle }) => {
        for (let i = 0; i < 4; i++) act(7, 1);
        await settle();
        assert.deepEqual(
          tracer.policies().map(({ hooks: [hook] }) => [hook?.matched, hook?.posted, hook?.suppressed]),
          [
            [4, 4, 0],
            [4, 1, 3],
            [4, 0, 0],
          ],
        );
        for (const { hits, hooks } of tracer.policies()) assert.deepEqual([hits, hooks[0]?.hits], [undefined, undefined]);
      });
    });

    it('an event that found no room in the buffer is counted as matched and lost, for its hook', async () => {
      const policies = [actPolicy('flooded'), actPolicy('quiet', { numbers: [1] })];
      await withCollector(policies, { bufferSize: 131072 }, async ({ tracer, settle, untilLost }) => {
        act(1, 5000);
        await untilLost();
        await settle();
        const [flooded, quiet] = tracer.policies().map(({ hooks: [hook] }) => hook);
        assert.ok((flooded?.lost ?? 0) > 1000, `${flooded?.lost} lost`);
        assert.deepEqual([flooded?.matched, flooded?.posted], [5000, 5000 - (flooded?.lost ?? 0)]);
        assert.deepEqual([quiet?.matched, quiet?.posted, quiet?.lost], [1, 1, 0]);
      });
    });

    it('start from zero when a policy is replaced, or enabled again', async () => {
      await withCollector([actPolicy('fresh')], { countHits: true }, async ({ tracer, settle }) => {
        const counts = async (count: number): Promise<unknown> => {
          act(1, count);
          await settle();
          return tracer.policies().map(({ hits, matched, posted }) => [hits, matched, posted]);
        };
        assert.deepEqual(await counts(3), [[3, 3, 3]]);
        await tracer.replacePolicy({ yaml: actPolicy('fresh') });
        assert.deepEqual(await counts(2), [[2, 2, 2]]);
        await tracer.disablePolicy('fresh');
        assert.deepEqual(await counts(1), [[0, 0, 0]]);
        await tracer.enablePolicy('fresh');
        assert.deepEqual(await counts(1), [[1, 1, 1]]);
      });
    });

    it('memory includes programs and maps, and grows with the values', async () => {
      const numbers = Array.from({ length: 5000 }, (_, i) => i);
      await withCollector([actPolicy('small', { numbers: [1] }), actPolicy('large', { numbers })], {}, ({ tracer }) => {
        const [small, large] = tracer.policies() as [PolicyStatus, PolicyStatus];
        assert.ok(small.memory > 4096, `${small.memory} bytes`);
        // Each entry has a key and a value.
        assert.ok(large.memory - small.memory > 5000 * 32, `${small.memory} and ${large.memory} bytes`);
        return Promise.resolve();
      });
    });
  });

  it('replaced 100 times: each action of two processes is reported once or twice', async () => {
    const cycles = 100;
    const { seen, done, losses } = await withCollector([actPolicy('replaced')], {}, async ({ tracer, settle }) => {
      const actors = [new Actor(0), new Actor(1_000_000)];
      for (let i = 0; i < cycles; i++) await tracer.replacePolicy({ yaml: actPolicy('replaced') });
      const done = (await Promise.all(actors.map((actor) => actor.end()))).flat();
      const events = await settle();
      return { seen: timesSeen(events), done, losses: events.filter(isLost) };
    });
    assert.deepEqual(losses, []);
    assert.ok(done.length > 2 * cycles, `${done.length} actions`);
    assert.deepEqual(
      done.filter((number) => ![1, 2].includes(seen.get(number) ?? 0)),
      [],
    );
    assert.equal(seen.size, done.length);
  });

  it('every operation on a policy while events flow: another policy misses nothing', async () => {
    const { seen, done, losses } = await withCollector([actPolicy('witness')], { countHits: true }, async ({ tracer, settle }) => {
      const actors = [new Actor(0), new Actor(1_000_000)];
      const yaml = actPolicy('other', { numbers: [-1] });
      for (let i = 0; i < 10; i++) {
        await tracer.addPolicy({ yaml }, { mode: 'monitor' });
        await assert.rejects(tracer.setPolicyMode('other', 'enforce'), { code: 'POLICY_MONITOR_ONLY' });
        await tracer.disablePolicy('other');
        assert.equal(tracer.policies()[1]?.state, 'disabled');
        await tracer.enablePolicy('other');
        await tracer.replacePolicy({ yaml }, { mode: 'monitor' });
        const [witness, other] = tracer.policies();
        assert.deepEqual([other?.mode, other?.matched, witness?.hooks[0]?.lost], ['monitor_only', 0, 0]);
        await tracer.removePolicy('other');
      }
      const done = (await Promise.all(actors.map((actor) => actor.end()))).flat();
      const events = await settle();
      assert.equal(tracer.policies()[0]?.hits, done.length);
      return { seen: timesSeen(events), done, losses: events.filter(isLost) };
    });
    assert.deepEqual(losses, []);
    assert.deepEqual(
      done.filter((number) => seen.get(number) !== 1),
      [],
    );
    assert.equal(seen.size, done.length);
  });

  for (const groupPolicies of [true, false]) {
    it(`24 at once, and one that is added and removed 500 times: nothing grows, ${groupPolicies ? 'in a group' : 'with programs of their own'}`, async () => {
    const { status, stdout, stderr } = await runScript(
      `const fs = require('node:fs');
       const policy = (name, binary) => ({ yaml: \`apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: \${name} }
spec:
  tracepoints:
    - subsystem: sched
      event: sched_process_exit
      raw: true
      args: [{ index: 0, type: nop }]
      selectors: [{ matchBinaries: [{ operator: In, values: [\${binary}] }] }]\` });
       const tracer = await polytrace.openTracer({ bufferSize: 1 << 20, groupPolicies: ${groupPolicies} });
       // hooks of removed policies are kept until their last events are read
       void (async () => { for await (const event of tracer); })();
       for (let i = 0; i < 24; i++) await tracer.addPolicy(policy('many-' + i, '/srv/many-' + i));
       const cycle = async (i) => {
         await tracer.addPolicy(policy('again', '/srv/again-' + (i % 50)));
         await tracer.removePolicy('again');
       };
       const kinds = () => fs.readdirSync('/proc/self/fd').flatMap((fd) => {
         try { return [fs.readlinkSync('/proc/self/fd/' + fd)]; } catch { return []; }
       }).sort();
       ${USED_MEMORY}
       const measure = async () => ({ ...await usedMemory(), kinds: kinds() });
       for (let i = 0; i < 50; i++) await cycle(i);
       const before = await measure();
       for (let i = 0; i < 500; i++) await cycle(i);
       const after = await measure();
       out([before.kinds, after.kinds, after.rss - before.rss, tracer.policies().length]);
       await tracer.close();`,
      { nodeArgs: ['--expose-gc', '--max-semi-space-size=1'], timeout: 230_000 },
    );
    assert.deepEqual([status, stderr], [0, '']);
    const [before, after, bytes, loaded] = JSON.parse(stdout) as [string[], string[], number, number];
    assert.equal(loaded, 24);
    assert.equal(before.filter((kind) => kind.includes('bpf-prog')).length >= 24, !groupPolicies);
    assert.deepEqual(after, before);
    // the sanitizers keep what was freed for a while
    assert.ok(SANITIZED || bytes < 8 * 1024 * 1024, `${bytes} bytes more`);
  }).timeout(240_000);
  }
});

/** The number of reports for each number. */
function timesSeen(events: readonly TracerEvent[]): Map<number, number> {
  const seen = new Map<number, number>();
  for (const event of events) {
    if (!isUprobe(event)) continue;
    const number = actNumber(event);
    seen.set(number, (seen.get(number) ?? 0) + 1);
  }
  return seen;
}
