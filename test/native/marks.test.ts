/** Marks of processes: set, tested, inherited, ended, shared, kept over a new version of the policy and a new tracer. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ProcessUprobeEvent, Tracer, TracerEvent } from '../../types/index.js';
import { heldKernelObjects } from './kernel-objects.js';
import {
  argumentValue, assertNoLoss, collectEvents, isUprobe, leaveMark, needsRoot, openTracer, polytrace,
  readUntil, script, traceRun, unifiedMount, Workshop,
} from './support.js'; // prettier-ignore

const shop = new Workshop();
const PROGRAM = join(shop.folder, 'marked');

interface PolicyParts {
  readonly name?: string;
  /** The action on set(). */
  readonly mark?: string;
  readonly unmark?: string;
  /** More of both filters. */
  readonly filter?: string;
  readonly more?: string;
  /** The functions with the actions Mark and Unmark. */
  readonly symbols?: readonly [string, string];
}

/** check() is reported by one of two hooks, with the message `marked` or `unmarked`. */
function policy({ name = 'marks', mark = 'mark: seen', unmark = 'mark: seen', filter = '', more = '', symbols: [set, unset] = ['set', 'unset'] }: PolicyParts = {}) {
  const hook = (symbol: string, message: string, selector: string): string => `
    - path: ${PROGRAM}
      symbols: [${symbol}]
      message: "${message}"
      args: [{ index: 0, type: int64 }]
      selectors: [{ ${selector} }]`;
  const test = (operator: string): string => `matchMarks: [{ operator: ${operator}, values: [seen]${filter} }]`;
  const yaml = `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: ${name} }
spec:
  uprobes:${mark === '' ? '' : hook(set, 'set', `matchActions: [{ action: Mark, ${mark} }, { action: NoPost }]`)}${
    mark === '' ? '' : hook(unset, 'unset', `matchActions: [{ action: Unmark, ${unmark} }, { action: NoPost }]`)
  }${hook('check', 'marked', test('In'))}${hook('check', 'unmarked', test('NotIn'))}${more}
`;
  return { yaml };
}

const run = (...commands: string[]): string => {
  const { status, stdout, stderr } = spawnSync(PROGRAM, commands, { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return stdout;
};

const isCheck = (event: TracerEvent): event is ProcessUprobeEvent => isUprobe(event) && event.symbol === 'check';
/** What each check() was reported as, by its number and in its order: `1 unmarked, 2 marked`. */
const verdicts = (events: readonly TracerEvent[]): string =>
  events.filter(isCheck).map((event) => `${String(argumentValue(event.args[0]))} ${event.message}`).join(', '); // prettier-ignore

async function check(parts: PolicyParts, ...commands: string[]): Promise<string> {
  const events = await traceRun(() => run(...commands), { policies: [policy(parts)] });
  assertNoLoss(events);
  return verdicts(events);
}

async function startWaiting(...commands: string[]): Promise<ChildProcess> {
  const child = spawn(PROGRAM, commands, { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(child.stdout as NodeJS.ReadableStream, 'data');
  return child;
}

async function goOn(child: ChildProcess, isLast = true): Promise<void> {
  const next = isLast ? once(child, 'exit') : once(child.stdout as NodeJS.ReadableStream, 'data');
  child.stdin?.write('\n');
  await next;
}

interface MapInfo {
  readonly id: number;
  readonly name?: string;
  readonly max_entries: number;
  readonly bytes_key: number;
  readonly bytes_value: number;
}

function findOwnMap(name: string): MapInfo {
  const own = new Set(heldKernelObjects(process.pid));
  const all = JSON.parse(execFileSync('bpftool', ['map', 'show', '-j'], { encoding: 'utf8' })) as MapInfo[];
  const found = all.find((map) => map.name === name && own.has(`map ${map.id}`));
  assert.ok(found !== undefined, name);
  return found;
}

/** Adds entries of processes that do not exist, until there is no room. */
function fillMap({ id, max_entries: entries, bytes_value: bytes }: MapInfo): void {
  const value = Array.from({ length: bytes }, () => '0').join(' ');
  const lines = Array.from({ length: entries }, (_, i) => {
    const key = [i & 255, (i >> 8) & 255, i >> 16, 0, 0, 0, 0, 0, 0, 0, 0x60, 0, 0, 0, 0, 0].join(' ');
    return `map update id ${id} key ${key} value ${value}\n`;
  });
  const file = join(shop.folder, 'fill');
  writeFileSync(file, lines.join(''));
  spawnSync('bpftool', ['batch', 'file', file], { stdio: 'ignore' });
}

const countEntries = ({ id }: MapInfo): number =>
  (JSON.parse(execFileSync('bpftool', ['map', 'dump', 'id', String(id), '-j'], { encoding: 'utf8', maxBuffer: 2 ** 28 })) as unknown[]).length; // prettier-ignore

describe('marks', function () {
  this.timeout(60_000);
  before(needsRoot);
  before(() => {
    execFileSync('cc', ['-O1', '-pthread', '-o', PROGRAM, join(__dirname, 'programs', 'marked.c')]);
  });
  after(() => shop.remove());

  it('an action sets and removes one, and a filter sees it in the next call', async () => {
    assert.equal(
      await check({}, 'check=1', 'set=0', 'check=2', 'unset=0', 'check=3', 'set=0', 'check=4'),
      '1 unmarked, 2 marked, 3 unmarked, 4 marked',
    );
  });

  it('belongs to the process: all threads have it, and other processes do not', async () => {
    assert.equal(await check({}, 'threadset=0', 'check=1', 'thread', 'check=2'), '1 marked, 2 marked');
    const events = await traceRun(() => [run('set=0', 'check=1'), run('check=2')], { policies: [policy()] });
    assert.equal(verdicts(events), '1 marked, 2 unmarked');
  });

  it('goes to children at the fork, also if their parent has ended, and stays over an exec', async () => {
    assert.equal(await check({}, 'set=0', 'fork', 'check=1', 'fork', 'exec', 'check=2'), '1 marked, 2 marked');
    assert.equal(await check({}, 'set=0', 'exec', 'check=1', 'orphan', 'check=2'), '1 marked, 2 marked');
    assert.equal(await check({}, 'fork', 'set=0', 'check=1', 'unset=0', 'fork', 'check=2'), '1 marked, 2 unmarked');
    // an exec by another thread than the first one
    assert.equal(await check({}, 'set=0', 'thread', 'exec', 'check=1'), '1 marked');
  });

  it('with `inherit: false`, children do not have it, and it ends at the next exec', async () => {
    const own = { mark: 'mark: seen, inherit: false' };
    assert.equal(await check(own, 'set=0', 'check=1', 'fork', 'check=2'), '1 marked, 2 unmarked');
    assert.equal(await check(own, 'set=0', 'check=1', 'exec', 'check=2', 'set=0', 'check=3'), '1 marked, 2 unmarked, 3 marked');
  });

  it('names its cause: the event that set it first', async () => {
    const events = await traceRun(() => run('set=7', 'set=8', 'exec', 'fork', 'check=1'), { policies: [policy()] });
    const [event] = events.filter(isCheck);
    const [mark, ...others] = event?.marks ?? [];
    assert.deepEqual(others, []);
    assert.ok(event !== undefined && mark?.cause !== undefined);
    const { cause, ...rest } = mark;
    assert.deepEqual(rest, { mark: 'seen', scope: 'process' });
    assert.deepEqual([cause.command, cause.functionName, cause.argument], ['marked', 'set', '7']);
    assert.equal(cause.pid, event.parent?.pid);
    const before = events.find((each) => each.type === 'process_exec' && each.process.pid === cause.pid);
    assert.ok(before?.type === 'process_exec');
    assert.equal(cause.execId, before.process.execId);
    assert.ok(cause.timeNs > before.timeNs && cause.timeNs < event.timeNs);
    assert.equal(cause.ageNs, event.timeNs - cause.timeNs);
    assert.match(polytrace.formatCompact(event), / # marked \(marked seen \d+ ms ago by marked 7, pid \d+\)$/);
    const json = JSON.parse(polytrace.toJson(event)) as { process_uprobe: { marks: { cause: object }[] } };
    assert.deepEqual(json.process_uprobe.marks[0], {
      mark: 'seen',
      scope: 'process',
      cause: {
        time: cause.time,
        age_ns: String(cause.ageNs),
        exec_id: cause.execId,
        pid: cause.pid,
        command: 'marked',
        function_name: 'set',
        argument: '7',
      },
    });
  });

  it('ends at its time, and not before', async () => {
    const events = await traceRun(() => run('set=0', 'check=0', 'spin=400'), { policies: [policy({ mark: 'mark: seen, ttl: 200ms' })] });
    const checks = events.filter(isCheck);
    const set = checks[0]?.marks?.[0]?.cause?.timeNs;
    assert.ok(set !== undefined);
    const until = set + 200_000_000n;
    const unmarked = checks.filter(({ message }) => message === 'unmarked');
    const marked = checks.filter(({ message }) => message === 'marked');
    assert.ok(unmarked.length > 10 && marked.length > 10);
    // a filter runs before the time of its event is read
    assert.ok(unmarked.every(({ timeNs }) => timeNs >= until));
    assert.ok(marked.every(({ timeNs }) => timeNs < until + 5_000_000n));
  });

  it('on two processors, every next call sees the change before it', async () => {
    const rounds = 2000;
    const events = await traceRun(() => run(`turns=${rounds}`), { policies: [policy()] });
    assertNoLoss(events);
    const expected = Array.from({ length: rounds }, (_, i) => `${i} ${i % 2 === 0 ? 'marked' : 'unmarked'}`).join(', ');
    assert.equal(verdicts(events), expected);
  });

  it('set while the process forks again and again: each child has it from some fork on', async () => {
    const events = await traceRun(() => run('bomb=300'), { policies: [policy()] });
    assertNoLoss(events);
    const byNumber = events.filter(isCheck).map((event) => [Number(argumentValue(event.args[0])), event.message] as const);
    const sorted = byNumber.sort(([a], [b]) => a - b);
    assert.equal(sorted.length, 300);
    const first = sorted.findIndex(([, message]) => message === 'marked');
    assert.ok(first >= 0 && first <= 150, String(first));
    assert.ok(sorted.slice(first).every(([, message]) => message === 'marked'));
  });

  it('another process with the same pid does not have it', async () => {
    const events = await traceRun(
      () => {
        const pid = run('set=0', 'check=1', 'pid').trim();
        run(`as=${pid}`, 'check=2', 'pid');
      },
      { policies: [policy()] },
    );
    const checks = events.filter(isCheck);
    assert.equal(verdicts(events), '1 marked, 2 unmarked');
    assert.equal(checks[0]?.process.pid, checks[1]?.process.pid);
  });

  it('of ended processes nothing is left', async () => {
    const tracer = await openTracer({ policies: [policy()] });
    try {
      await collectEvents(tracer, () => run('bomb=200'));
      // the kernel frees processes after a grace period
      for (let i = 0; i < 200 && countEntries(findOwnMap('owned_marks')) > 0; i++) leaveMark();
      assert.deepEqual([countEntries(findOwnMap('owned_marks')), countEntries(findOwnMap('mark_details'))], [0, 0]);
    } finally {
      await tracer.close();
    }
  });

  it('is that of one policy, unless both say `shared: true`', async () => {
    // the second one marks in unset(), which is never called
    const own = policy({ name: 'own' });
    const deaf = policy({ name: 'second', symbols: ['unset', 'set'] });
    const events = await traceRun(() => run('set=0', 'check=1'), { policies: [own, deaf] });
    const byPolicy = (name: string): string => verdicts(events.filter((event) => 'policyName' in event && event.policyName === name));
    assert.deepEqual([byPolicy('own'), byPolicy('second')], ['1 marked', '1 unmarked']);
    const shared = [
      policy({ name: 'own', mark: 'mark: seen, shared: true', unmark: 'mark: seen, shared: true', filter: ', shared: true' }),
      policy({ name: 'second', mark: '', filter: ', shared: true' }),
    ];
    const both = await traceRun(() => run('set=0', 'check=1'), { policies: shared });
    assert.equal(verdicts(both), '1 marked, 1 marked');
  });

  it('survives another version of its policy, and ends with the policy', async () => {
    const tracer = await openTracer({ policies: [policy()] });
    try {
      const events = await collectEvents(tracer, async () => {
        const child = await startWaiting('set=0', 'wait', 'check=1', 'wait', 'check=2');
        await tracer.replacePolicy(policy({ more: '\n  options: []' }));
        await goOn(child, false);
        await tracer.removePolicy('marks');
        await tracer.addPolicy(policy());
        await goOn(child);
      });
      assert.equal(verdicts(events), '1 marked, 2 unmarked');
    } finally {
      await tracer.close();
    }
  });

  it('with `scope: container`, all processes of the container have it, and only while they are in it', async () => {
    const base = join(unifiedMount(), `polytrace-marks-${process.pid}`);
    const folders = ['', `docker-${'a'.repeat(64)}.scope`, `docker-${'b'.repeat(64)}.scope`].map((name) => join(base, name));
    const inner = join(folders[1] as string, 'inner');
    const [, a, b] = folders as [string, string, string];
    for (const folder of [...folders, inner]) mkdirSync(folder);
    const runIn = (folder: string, ...commands: string[]): void => {
      const line = 'echo $$ > "$0/cgroup.procs" && exec "$@"';
      execFileSync('sh', ['-c', line, folder, PROGRAM, ...commands]);
    };
    try {
      const container = { mark: 'mark: seen, scope: container', unmark: 'mark: seen' };
      const events = await traceRun(
        () => {
          runIn(a, 'check=1', 'set=0', 'check=2');
          runIn(inner, 'check=3');
          runIn(b, 'check=4');
          run('check=5');
          // it moves into the container, and out of it
          const move = `echo $$ > ${a}/cgroup.procs; ${PROGRAM} check=6; echo $$ > ${b}/cgroup.procs; exec ${PROGRAM} check=7`;
          execFileSync('sh', ['-c', move]);
          runIn(inner, 'unset=0', 'check=8');
          runIn(a, 'check=9');
          // a process in no container marks itself
          run('set=0', 'check=10');
          run('check=11');
        },
        { policies: [policy(container)] },
      );
      assert.equal(
        verdicts(events),
        '1 unmarked, 2 marked, 3 marked, 4 unmarked, 5 unmarked, 6 marked, 7 unmarked, 8 unmarked, 9 unmarked, 10 marked, 11 unmarked',
      );
      assert.equal(events.filter(isCheck)[2]?.marks?.[0]?.scope, 'container');
    } finally {
      for (const folder of [inner, ...folders.reverse()]) rmdirSync(folder);
    }
  });

  it('has a program of its own only with a policy that has marks', async () => {
    const tracer = await openTracer();
    try {
      assert.throws(() => findOwnMap('owned_marks'));
      await tracer.addPolicy(policy());
      assert.equal(findOwnMap('owned_marks').bytes_key, 16);
    } finally {
      await tracer.close();
    }
  });

  it('without room for its cause, it stays, and is counted as a loss', async function () {
    this.timeout(180_000);
    const tracer = await openTracer({ policies: [policy({ mark: 'mark: seen, ttl: 1h' })] });
    try {
      fillMap(findOwnMap('mark_details'));
      const events = await collectEvents(tracer, () => run('set=0', 'check=1', 'fork', 'check=2', 'unset=0', 'check=3'));
      assert.equal(verdicts(events), '1 marked, 2 marked, 3 unmarked');
      assert.deepEqual(events.filter(isCheck)[0]?.marks, [{ mark: 'seen', scope: 'process' }]);
      const [loss, ...more] = tracer.stats().lostByHook;
      assert.deepEqual([loss?.hook, loss?.count, more], ['marks', 2, []]);
    } finally {
      await tracer.close();
    }
  });

  it('without room for the process, neither In nor NotIn matches, and it is counted as a loss', async function () {
    this.timeout(180_000);
    const tracer = await openTracer({ policies: [policy()] });
    try {
      fillMap(findOwnMap('owned_marks'));
      const events = await collectEvents(tracer, () => run('check=1', 'set=0', 'check=2', 'fork', 'check=3'));
      assert.equal(verdicts(events), '1 unmarked');
      const [loss, ...more] = tracer.stats().lostByHook;
      assert.deepEqual([loss?.hook, loss?.count, more], ['marks', 1, []]);
    } finally {
      await tracer.close();
    }
  });

  describe('with persist', () => {
    let mount: string;
    before(function () {
      mount = mkdtempSync(join(tmpdir(), 'polytrace-marks-'));
      if (spawnSync('mount', ['-t', 'bpf', 'bpf', mount]).status === 0) return;
      if (process.env['REQUIRE_ALL'] === '1') throw new Error('a BPF file system cannot be mounted');
      this.skip();
    });
    after(() => {
      spawnSync('umount', [mount]);
      rmdirSync(mount);
    });

    it('survives its tracer, also of processes that were forked in between', async () => {
      const folder = join(mount, 'kept');
      const body = `const t = await polytrace.openTracer({ policies: [${JSON.stringify(policy())}], persist: ${JSON.stringify(folder)} });
        out('open');
        for await (const e of t);`;
      const tracing = spawn(process.execPath, ['-e', script(body)], { stdio: ['pipe', 'pipe', 'inherit'] });
      await once(tracing.stdout as NodeJS.ReadableStream, 'data');
      const child = await startWaiting('set=5', 'wait', 'fork', 'wait', 'check=1');
      tracing.kill('SIGKILL');
      await once(tracing, 'exit');
      // forked while no tracer runs
      await goOn(child, false);
      const tracer: Tracer = await openTracer({ policies: [policy()], persist: folder });
      const all = tracer.events();
      await goOn(child);
      const events = await readUntil(leaveMark(), all);
      await all.return?.();
      await tracer.close();
      assert.equal(verdicts(events), '1 marked');
      const [check1] = events.filter(isCheck);
      assert.deepEqual([check1?.marks?.[0]?.cause?.argument, check1?.marks?.[0]?.cause?.pid], ['5', child.pid]);
      assert.ok(!existsSync(folder));
    });
  });
});
