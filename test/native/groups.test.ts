/** Policies that share one program on a raw tracepoint: random ones report the same as separate programs. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { PolicyStatus, ProcessTracepointEvent, Tracer, TracerEvent } from '../../types/index.js';
import { randomPick } from '../random.js';
import { isTracepoint, needsRoot, openTracer, Workshop } from './support.js';

const EXEC = { event: 'sched_process_exec', args: ['{index: 2, type: linux_binprm}', '{index: 1, type: int}'] };

function policy(name: string, { event, args }: typeof EXEC, selectors: readonly string[]): { yaml: string } {
  const lines = selectors.map((selector) => `    - ${selector.trim().replaceAll('\n', '\n      ')}`);
  return {
    yaml: `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: {name: ${name}}
spec:
  tracepoints:
  - subsystem: sched
    event: ${event}
    raw: true
    args: [${args.join(', ')}]
    selectors:
${lines.join('\n')}
`,
  };
}

const pathFilter = (operator: string, ...values: readonly string[]): string =>
  `{index: 2, operator: ${operator}, values: ${JSON.stringify(values)}}`;
const onPath = (operator: string, ...values: readonly string[]): string =>
  `matchArgs: [${pathFilter(operator, ...values)}]`;

/** Collects events until the tracer is closed. */
async function collect(tracer: Tracer): Promise<TracerEvent[]> {
  const events: TracerEvent[] = [];
  for await (const event of tracer) events.push(event);
  return events;
}

function describeEvent({ policyName, selector, process, args }: ProcessTracepointEvent): string {
  const [file] = args;
  return [policyName, selector, process.pid, file !== undefined && 'path' in file ? file.path : ''].join(' ');
}

const toCounts = ({ name, matched, posted, suppressed, lost }: PolicyStatus): unknown => ({
  ...{ name, matched, posted, suppressed, lost },
});

describe('policies that share one program on a raw tracepoint', function () {
  this.timeout(120_000);
  before(needsRoot);
  let shop: Workshop;
  let paths: string[];
  before(() => {
    shop = new Workshop();
    for (const name of ['aa', 'ab']) mkdirSync(join(shop.folder, name));
    paths = ['aa/x', 'aa/y', 'ab/x', 'ab/xx', 'b', 'bb.txt', 'c.txt'].map((name) => join(shop.folder, name));
    for (const path of paths) {
      copyFileSync('/bin/true', path);
      chmodSync(path, 0o755);
    }
  });
  after(() => shop?.remove());

  /** The policies are the same in each run. */
  const pick = randomPick(11);

  /** `isLed`: it has a filter that is not negated. */
  function randomSelector(isLed: boolean): string {
    const start = shop.folder.length;
    const ways = [
      () => pathFilter('Equal', pick(paths), pick(paths)),
      () => pathFilter('Prefix', pick(paths).slice(0, start + pick([1, 2, 3, 4])), join(shop.folder, pick(['a', 'b']))),
      () => pathFilter('Postfix', pick(['x', 'xx', '/x', '.txt', 'b', 'aa/x', 'bb.txt']), pick(paths).slice(-3)),
    ];
    const further = [
      () => pathFilter('NotEqual', pick(paths), pick(paths)),
      () => pathFilter('NotPrefix', join(shop.folder, pick(['aa', 'ab/', 'b', 'c'])), '/usr/'),
      () => pathFilter('NotPostfix', pick(['x', '/x', '.txt', 'y']), pick(paths).slice(-4)),
    ];
    const first = pick([0, 1, 2]);
    const filters = [
      ...(isLed && pick([true, false, false, false]) ? [pick(ways.filter((_, i) => i !== first))()] : []),
      ...further.filter(() => pick([true, false, false])).map((filter) => filter()),
    ];
    if (!isLed) {
      // other programs of the machine run meanwhile
      const own = `matchBinaries: [{operator: In, values: [${paths.map((path) => `"${path}"`).join(', ')}]}]`;
      return filters.length === 0 ? own : `matchArgs: [${filters.join(', ')}]\n${own}`;
    }
    filters.push((ways[first] as () => string)());
    const more = [
      '',
      `\nmatchBinaries: [{operator: In, values: ["${pick(paths)}", "${pick(paths)}"]}]`,
      `\nmatchBinaries: [{operator: NotIn, values: ["${pick(paths)}"]}]`,
      '\nmatchNamespaces: [{namespace: Pid, operator: In, values: [host_ns]}]',
      '\nmatchPIDs: [{operator: NotIn, values: [1, 2]}]',
      '\nmatchActions: [{action: NoPost}]',
      '\nmatchActions: [{action: Post}]',
    ];
    return `matchArgs: [${filters.join(', ')}]${pick(more)}`;
  }

  async function compareRandom(isLed: boolean): Promise<void> {
    const policies = Array.from({ length: 100 }, (_, i) => {
      const selectors = Array.from({ length: pick([0, 1, 2]) }, () => randomSelector(true));
      return policy(`random-${i}`, EXEC, [...selectors, randomSelector(isLed)]);
    });
    const separate = await openTracer({ policies, countHits: true, groupPolicies: false });
    const grouped = await openTracer({ policies, countHits: true });
    const streams = [separate, grouped].map(collect);
    for (const hook of grouped.policies().flatMap(({ hooks }) => hooks)) assert.equal(hook.grouped, true, hook.separate);
    for (let round = 0; round < 3; round++) for (const path of paths) spawnSync(path);
    const counts = [separate, grouped].map((tracer) => tracer.policies().map(toCounts));
    // other processes of the machine make calls, too
    for (const { name, hits } of grouped.policies()) assert.ok((hits ?? 0) >= 3 * paths.length, `${name}: ${hits}`);
    await separate.close();
    await grouped.close();
    const [expected, actual] = (await Promise.all(streams)).map((events) => events.filter(isTracepoint).map(describeEvent));
    assert.ok((expected?.length ?? 0) > 500, `${expected?.length} events`);
    assert.deepEqual(actual?.toSorted(), expected?.toSorted());
    assert.deepEqual(counts[1], counts[0]);
    const order = (events: readonly string[] = []): unknown =>
      events.toSorted((a, b) => Number(a.split(' ')[2]) - Number(b.split(' ')[2]));
    assert.deepEqual(order(actual), order(expected));
  }

  it('100 random policies: the same events, counters, and order in each call', () => compareRandom(true));

  it('100 random policies with selectors that have no filter, or only negated ones: the same', () => compareRandom(false));

  it('numbers: those of Equal are looked up, and the others compared', async () => {
    const hook = { event: 'sched_process_exit', args: ['{index: 1, type: int}'] };
    const onNumber = (operator: string, ...values: readonly string[]): string =>
      `matchArgs: [{index: 1, operator: ${operator}, values: ${JSON.stringify(values)}}]`;
    const policies = [
      policy('one', hook, [onNumber('Equal', '1')]),
      policy('both', hook, [onNumber('Equal', '0', '1')]),
      policy('not', hook, [onNumber('NotEqual', '1')]),
      policy('not-less', hook, [onNumber('GT', '2')]),
      policy('many', hook, [onNumber('Equal', ...Array.from({ length: 40 }, (_, i) => String(i + 1)))]),
      policy('second', hook, [onNumber('Equal', '5'), onNumber('GT', '0')]),
    ];
    const separate = await openTracer({ policies, groupPolicies: false });
    const grouped = await openTracer({ policies });
    const streams = [separate, grouped].map(collect);
    const hooks = grouped.policies().flatMap((each) => each.hooks);
    // what cannot be looked up is in another group than what can be
    for (const [i, { grouped: isGrouped, separate: reason }] of hooks.entries()) {
      if (i === 0 || i === 2) assert.match(reason ?? '', /first one at its tracepoint/);
      else assert.equal(isGrouped, true, reason);
    }
    // processes of others end, too
    const own = new Set(paths.map((path) => spawnSync(path).pid));
    await separate.close();
    await grouped.close();
    const [expected, actual] = (await Promise.all(streams)).map((events) =>
      events
        .filter(isTracepoint)
        .filter(({ process }) => own.has(process.pid))
        .map(({ policyName, selector, process, args }) =>
          [policyName, selector, process.pid, JSON.stringify(args, (_, value: unknown) => String(value))].join(' '),
        ),
    );
    assert.ok((expected?.length ?? 0) >= paths.length);
    assert.deepEqual(actual?.toSorted(), expected?.toSorted());
  });

  it('policies join a group while calls run, and those before them report each once', async () => {
    const [hot = '', other = ''] = paths;
    const runs = 2000;
    const own = ['first', 'second'];
    const tracer = await openTracer({ policies: own.map((name) => policy(name, EXEC, [onPath('Equal', hot)])) });
    const stream = collect(tracer);
    const isGrouped = (): unknown => tracer.policies().map(({ hooks: [hook] }) => hook?.grouped);
    const loop = `i=0; while [ $i -lt ${runs} ]; do ${hot}; i=$((i + 1)); done`;
    const shell = spawn('sh', ['-c', loop], { stdio: 'ignore' });
    const ended = once(shell, 'exit');
    await tracer.addPolicy(policy('third', EXEC, [onPath('Equal', other), onPath('Prefix', `${other}-not`)]));
    assert.deepEqual(isGrouped(), [undefined, true, true]);
    await ended;
    await tracer.close();
    const events = (await stream).filter(isTracepoint).map(({ policyName }) => policyName);
    for (const name of own) assert.equal(events.filter((each) => each === name).length, runs);
    assert.equal(events.length, 2 * runs);
  });

  it('a policy that is replaced needs no group', async () => {
    const [path = ''] = paths;
    const tracer = await openTracer({ policies: [policy('one', EXEC, [onPath('Equal', '/old')])] });
    await tracer.replacePolicy(policy('one', EXEC, [onPath('Equal', path)]));
    assert.deepEqual(
      tracer.policies().map(({ hooks: [hook] }) => hook?.grouped),
      [undefined],
    );
    const stream = collect(tracer);
    spawnSync(path);
    await tracer.close();
    assert.equal((await stream).filter(isTracepoint).length, 1);
  });

  it('hooks that do not fit have a program of their own, and say why', async () => {
    const policies = [
      policy('marks', EXEC, [`${onPath('Equal', '/x')}\nmatchActions: [{action: Mark, mark: seen}]`]),
      policy('substring', EXEC, [onPath('SubString', '/x')]),
      policy('any', EXEC, [onPath('Equal', '/x'), 'matchPIDs: [{operator: In, values: [1]}]']),
    ];
    const tracer = await openTracer({ policies, groupPolicies: true });
    const reasons = tracer.policies().flatMap(({ hooks }) => hooks.map(({ grouped, separate }) => grouped ?? separate));
    await tracer.close();
    assert.deepEqual(reasons, [
      'it has the action mark',
      'it filters a string by something other than Equal, Prefix and Postfix',
      'it is the first one at its tracepoint',
    ]);
  });

  it('a group is not possible with persist', async () => {
    await assert.rejects(openTracer({ groupPolicies: true, persist: '/sys/fs/bpf/groups' }), { code: 'BAD_OPTION' });
  });
});
