/** Policies that outlive their tracer: they are pinned, taken over, cleaned up, and refused if their state is wrong. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LostEvent, Tracer, TracerEvent, TracerOptions } from '../../types/index.js';
import { heldKernelObjects } from './kernel-objects.js';
import { collectAllEvents, isLost, leaveMark, needsRoot, openTracer, polytrace, readUntil, ROOT, script, Workshop } from './support.js';

const shop = new Workshop();
const NUMBERED = join(shop.folder, 'numbered');
const mount = mkdtempSync(join(tmpdir(), 'polytrace-bpffs-'));
const FOLDER = join(mount, 'kept');

const ACTS = `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: acts }
spec:
  uprobes:
    - path: ${NUMBERED}
      symbols: [act]
      args: [{ index: 0, type: int64 }]
`;

const act = (from: number, count: number): void => void execFileSync(NUMBERED, [from, count].map(String));
const openPersistent = (options: TracerOptions = {}): Promise<Tracer> =>
  openTracer({ policies: [{ yaml: ACTS }], persist: FOLDER, ...options });

/** A process with such a tracer. It runs `atEnd` when it receives data: by default it exits. */
async function openElsewhere(atEnd = 'process.exit(0)', options = '', reads = true): Promise<ChildProcess> {
  const body = `const t = await polytrace.openTracer({ policies: [{ yaml: ${JSON.stringify(ACTS)} }], persist: ${JSON.stringify(FOLDER)}, ${options} });
    process.stdin.once('data', async () => { ${atEnd}; });
    out('open');
    ${reads ? 'for await (const e of t);' : ''}`;
  const child = spawn(process.execPath, ['-e', script(body)], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(child.stdout as NodeJS.ReadableStream, 'data');
  return child;
}

async function killProcess(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  await once(child, 'exit');
}

const unreadActs = (events: readonly TracerEvent[]): LostEvent[] =>
  events.filter(isLost).filter(({ reason, policyName }) => reason === 'no_reader' && policyName === 'acts');
const actNumbers = (events: readonly TracerEvent[]): unknown[] =>
  events.flatMap((event) => (event.type === 'process_uprobe' ? event.args.map((arg) => 'value' in arg && Number(arg.value)) : []));

const range = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i);

async function readFirst(tracer: Tracer, isWanted: (event: TracerEvent) => boolean): Promise<TracerEvent | undefined> {
  for await (const event of tracer.events()) if (isWanted(event)) return event;
  return undefined;
}

describe('policies that outlive their tracer', function () {
  this.timeout(60_000);

  before(needsRoot);
  before(function () {
    execFileSync('cc', ['-O1', '-o', NUMBERED, join(__dirname, 'programs', 'numbered.c')]);
    if (spawnSync('mount', ['-t', 'bpf', 'bpf', mount]).status === 0) return;
    if (process.env['REQUIRE_ALL'] === '1') throw new Error('a BPF file system cannot be mounted');
    this.skip();
  });
  let heldBefore: string[];
  beforeEach(() => (heldBefore = heldKernelObjects(process.pid)));
  afterEach(async () => {
    assert.deepEqual(existsSync(FOLDER) ? await polytrace.removePersisted(FOLDER) : [], []);
    assert.deepEqual(heldKernelObjects(process.pid), heldBefore, 'what is held when all tracers are closed');
  });
  after(() => {
    spawnSync('umount', [mount]);
    rmdirSync(mount);
    shop.remove();
  });

  it('SIGKILL: they continue, and the next tracer reports what nobody has read', async () => {
    await killProcess(await openElsewhere());
    act(1, 10);
    const tracer = await openPersistent();
    const events = await collectAllEvents(tracer, () => act(100, 3));
    const { takenOver } = tracer.stats();
    await tracer.close();
    assert.deepEqual(actNumbers(events), [...range(1, 10), 100, 101, 102]);
    assert.deepEqual(events.filter(isLost), []);
    assert.ok((takenOver?.programs ?? 0) >= 4);
    assert.equal(takenOver?.unread, 0);
    const first = events.find(({ type }) => type === 'process_uprobe');
    assert.ok(first?.type === 'process_uprobe' && first.policyName === 'acts');
    // the process had started and ended while no tracer was there
    const { binary, arguments: args, flags } = first.process;
    assert.deepEqual([binary, args, flags.includes('clone')], [NUMBERED, '1 10', true]);
    assert.equal(first.parent?.pid, process.pid);
    const ofProcess = events.filter((event) => 'process' in event && event.process.execId === first.process.execId);
    assert.deepEqual([ofProcess[0]?.type, ofProcess.at(-1)?.type, ofProcess.length], ['process_exec', 'process_exit', 12]);
    assert.ok(!existsSync(FOLDER));
  });

  it('what finds no room in the buffer in the meantime is counted: received and lost are all', async () => {
    const policies = `policies: [{ yaml: ${JSON.stringify(ACTS)} }]`;
    const body = `const t = await polytrace.openTracer({ ${policies}, persist: ${JSON.stringify(FOLDER)}, bufferSize: 131072 }); out('open');
      for await (const e of t);`;
    const child = spawn(process.execPath, ['-e', script(body)], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    await killProcess(child);
    act(1, 5000);
    const tracer = await openPersistent();
    const events = await collectAllEvents(tracer, () => undefined);
    const { takenOver } = tracer.stats();
    await tracer.close();
    const received = actNumbers(events);
    const [loss] = unreadActs(events);
    assert.deepEqual(received, range(1, received.length));
    assert.ok(received.length > 100 && received.length < 4900, String(received.length));
    assert.equal(received.length + (loss?.count ?? 0), 5000);
    assert.equal(loss?.hook, `${NUMBERED}:act`);
    assert.ok((takenOver?.unread ?? 0) >= loss.count);
  });

  it('under load, each call is reported once: by the tracer before, or by the next one', async () => {
    await killProcess(await openElsewhere());
    const caller = spawn(NUMBERED, ['1'], { stdio: ['pipe', 'pipe', 'inherit'] });
    const total = new Promise<number>((resolve) => caller.stdout.once('data', (text) => resolve(Number(text))));
    const received: unknown[] = [];
    try {
      for (let generation = 0; generation < 3; generation++) {
        const tracer = await openTracer({ persist: FOLDER, takeOver: false });
        let count = 0;
        let isTakenOver = false;
        const enough = new Promise<void>((resolve) => {
          void (async () => {
            for await (const event of tracer.events()) {
              received.push(...actNumbers([event]), ...unreadActs([event]));
              if (isTakenOver && event.type === 'process_uprobe' && count++ === 1000) resolve();
            }
          })();
        });
        await tracer.addPolicy({ yaml: ACTS });
        await tracer.takeOver();
        isTakenOver = true;
        await enough;
        await tracer.close({ keep: true });
      }
    } finally {
      caller.stdin.end();
    }
    const count = await total;
    const last = await openPersistent();
    received.push(...actNumbers(await collectAllEvents(last, () => undefined)));
    await last.close();
    assert.ok(count > 3000, String(count));
    assert.deepEqual(received, range(1, count));
  });

  it('takeOver: false: they go on until the new tracer has its policies', async () => {
    await killProcess(await openElsewhere());
    act(1, 2);
    const tracer = await openTracer({ persist: FOLDER, takeOver: false });
    act(10, 3);
    await tracer.addPolicy({ yaml: ACTS });
    const events = tracer.events();
    act(100, 4);
    assert.equal(tracer.stats().takenOver, undefined);
    assert.equal(readdirSync(FOLDER).length, 2);
    await Promise.all([tracer.takeOver(), tracer.takeOver()]);
    assert.equal(readdirSync(FOLDER).length, 1);
    act(1000, 5);
    const all = await readUntil(leaveMark(), events);
    await tracer.close();
    assert.deepEqual(all.filter(isLost), []);
    assert.deepEqual(actNumbers(all), [1, 2, 10, 11, 12, 100, 101, 102, 103, 1000, 1001, 1002, 1003, 1004]);
    await assert.rejects(tracer.takeOver(), { code: 'CLOSED' });
  });

  it('a policy that the next tracer does not have reports until the takeover', async () => {
    await killProcess(await openElsewhere());
    act(1, 2);
    const tracer = await openTracer({ persist: FOLDER, takeOver: false });
    const events = tracer.events();
    act(10, 3);
    await tracer.takeOver();
    act(100, 4);
    const all = await readUntil(leaveMark(), events);
    await tracer.close();
    assert.deepEqual(actNumbers(all), [1, 2, 10, 11, 12]);
  });

  it('takeOver({ keep }): a policy that is kept reports until a later call', async () => {
    await killProcess(await openElsewhere());
    const tracer = await openTracer({ persist: FOLDER, takeOver: false });
    const events = tracer.events();
    const asked = new Set<string | undefined>();
    const keep = (name: string | undefined): boolean => asked.add(name).size > 0;
    assert.deepEqual(await tracer.takeOver({ keep }), ['acts']);
    assert.deepEqual([...asked], ['acts']);
    act(10, 3);
    await assert.rejects(tracer.takeOver({ keep: 'acts' as never }), { code: 'BAD_OPTION' });
    assert.deepEqual(await tracer.takeOver({ keep: () => false }), []);
    assert.equal(readdirSync(FOLDER).length, 1);
    act(100, 4);
    const all = await readUntil(leaveMark(), events);
    assert.equal(tracer.stats().takenOver?.unread, 0);
    await tracer.close();
    assert.deepEqual(actNumbers(all), [10, 11, 12]);
    assert.deepEqual(all.filter(isLost), []);
  });

  it('takeOver: false: they stay when the new tracer closes before it has taken over', async () => {
    await killProcess(await openElsewhere());
    const tracer = await openPersistent({ takeOver: false });
    await tracer.close();
    act(1, 3);
    const next = await openPersistent();
    const events = await collectAllEvents(next, () => undefined);
    await next.close();
    assert.deepEqual(actNumbers(events), [1, 2, 3]);
  });

  it('two dead tracers: each call is reported once', async () => {
    await killProcess(await openElsewhere());
    act(1, 2);
    await killProcess(await openElsewhere('process.exit(0)', 'takeOver: false', false));
    act(10, 3);
    const tracer = await openPersistent();
    const events = await collectAllEvents(tracer, () => act(100, 1));
    await tracer.close();
    assert.deepEqual(actNumbers(events), [1, 2, 10, 11, 12, 100]);
    const execs = events.filter((event) => event.type === 'process_exec' && event.process.binary === NUMBERED);
    assert.equal(execs.length, 3);
  });

  it('a call that returns only after the takeover is counted as lost', async () => {
    const program = join(shop.folder, 'blocking');
    execFileSync('cc', ['-O1', '-o', program, join(__dirname, 'programs', 'blocking.c')]);
    const spec = `  uprobes: [{ path: ${program}, symbols: [block], return: true, args: [{ index: 0, type: int64 }], returnArg: { index: 0, type: int64 } }]`;
    const yaml = `apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata: { name: acts }\nspec:\n${spec}\n`;
    const first = await openPersistent({ policies: [{ yaml }] });
    const blocking = spawn(program, [], { stdio: ['pipe', 'pipe', 'inherit'] });
    await once(blocking.stdout, 'data');
    await first.close({ keep: true });
    const next = await openPersistent({ policies: [{ yaml }] });
    const events = await collectAllEvents(next, async () => {
      blocking.stdin.end();
      await once(blocking, 'exit');
    });
    await next.close();
    assert.deepEqual(
      unreadActs(events).map(({ count, hook }) => [count, hook]),
      [[1, `${program}:block`]],
    );
    assert.deepEqual(actNumbers(events), []);
  });

  it('close({ keep: true }): the next tracer knows the processes that have ended in the meantime', async () => {
    const first = await openPersistent();
    const waiting = spawn('sh', ['-c', 'read line', 'waits'], { stdio: ['pipe', 'ignore', 'inherit'] });
    const isStart = (event: TracerEvent): boolean => event.type === 'process_exec' && event.process.pid === waiting.pid;
    const started = await readFirst(first, isStart);
    await first.close({ keep: true });
    waiting.stdin.end('\n');
    await once(waiting, 'exit');
    const next = await openPersistent();
    const events = await collectAllEvents(next, () => undefined);
    await next.close();
    const exit = events.find((event) => event.type === 'process_exit' && event.process.pid === waiting.pid);
    assert.ok(exit?.type === 'process_exit' && started?.type === 'process_exec');
    assert.deepEqual([exit.process.execId, exit.process.arguments], [started.process.execId, '-c "read line" waits']);
  });

  it('only one tracer at a time can use a folder; its death frees the folder', async () => {
    const child = await openElsewhere();
    await assert.rejects(openPersistent(), { code: 'PERSIST_BUSY' });
    await assert.rejects(polytrace.removePersisted(FOLDER), { code: 'PERSIST_BUSY' });
    await killProcess(child);
    const tracer = await openPersistent();
    await assert.rejects(openPersistent(), { code: 'PERSIST_BUSY' });
    await tracer.close();
  });

  it('a process with the id of the dead tracer is not mistaken for it', async () => {
    const child = await openElsewhere();
    await killProcess(child);
    const pid = child.pid as number;
    let count = 0;
    for (let tries = 0; count === 0 && tries < 500; tries++) {
      // The next process gets the number after the last one.
      const started = `echo ${pid - 1} > /proc/sys/kernel/ns_last_pid; ${NUMBERED} 7 1 >/dev/null & echo $!; wait`;
      if (Number(execFileSync('sh', ['-c', started], { encoding: 'utf8' })) === pid) count = tries + 1;
    }
    assert.notEqual(count, 0, `no process got the number ${pid}`);
    const tracer = await openPersistent();
    const events = await collectAllEvents(tracer, () => undefined);
    await tracer.close();
    assert.equal(actNumbers(events).length, count);
  });

  it('close() ends them; close({ keep: true }) and the end of the process do not', async () => {
    const kept = await openElsewhere('await t.close({ keep: true })');
    kept.stdin?.end('now\n');
    await once(kept, 'exit');
    act(1, 2);
    const first = await openPersistent();
    assert.deepEqual(actNumbers(await collectAllEvents(first, () => undefined)), [1, 2]);
    await first.close({ keep: true });
    act(10, 4);
    // it reads the four, and perhaps the next one
    const ending = await openElsewhere();
    act(20, 1);
    ending.stdin?.end('now\n');
    await once(ending, 'exit');
    act(30, 5);
    const last = await openPersistent();
    const numbers = actNumbers(await collectAllEvents(last, () => undefined));
    await last.close();
    assert.deepEqual(numbers.slice(-5), range(30, 5));
    assert.ok(!existsSync(FOLDER));
  });

  it('added policies are pinned, and removed ones are not', async () => {
    const tracer = await openPersistent({ policies: [] });
    const pins = (): string[] => readdirSync(join(FOLDER, '1')).filter((name) => name.startsWith('hook'));
    assert.deepEqual(pins(), []);
    await tracer.addPolicy({ yaml: ACTS });
    assert.equal(pins().length, 1);
    await tracer.replacePolicy({ yaml: ACTS });
    assert.equal(pins().length, 1);
    await tracer.disablePolicy('acts');
    assert.deepEqual(pins(), []);
    await tracer.close();
  });

  it('a tracer that fails to open does not affect them', async () => {
    await killProcess(await openElsewhere());
    await assert.rejects(openPersistent({ policies: [{ yaml: ACTS.replace('[act]', '[no_such_function]') }] }));
    act(1, 3);
    const tracer = await openPersistent();
    assert.deepEqual(actNumbers(await collectAllEvents(tracer, () => undefined)), [1, 2, 3]);
    await tracer.close();
  });

  it('policies of another version are ended, and their state is not read', async () => {
    await killProcess(await openElsewhere());
    const about = join(FOLDER, '1', 'about');
    const { value } = JSON.parse(
      execFileSync('bpftool', ['-j', 'map', 'lookup', 'pinned', about, 'key', '0', '0', '0', '0'], { encoding: 'utf8' }),
    ) as { value: string[] };
    value[20] = '0x21';
    execFileSync('bpftool', ['map', 'update', 'pinned', about, 'key', '0', '0', '0', '0', 'value', ...value]);
    act(1, 3);
    const tracer = await openPersistent();
    const events = await collectAllEvents(tracer, () => act(50, 1));
    const { takenOver } = tracer.stats();
    await tracer.close();
    assert.deepEqual([unreadActs(events), takenOver?.unread, actNumbers(events)], [[], undefined, [50]]);
  });

  it('cleanup ends them and lists what it removed', async () => {
    await killProcess(await openElsewhere());
    const command = [join(ROOT, 'dist', 'cli', 'main.js'), 'cleanup', FOLDER];
    const { status, stdout, stderr } = spawnSync(process.execPath, command, { encoding: 'utf8' });
    assert.deepEqual([status, stderr], [0, '']);
    const removed = stdout.trimEnd().split('\n');
    assert.ok(removed.includes(join(FOLDER, '1', 'hook-8-0')), stdout);
    assert.equal(removed.at(-1), FOLDER);
    assert.ok(!existsSync(FOLDER));
  });

  it('files of other programs are not touched', async () => {
    mkdirSync(FOLDER);
    const foreign = join(FOLDER, 'about');
    const create = ['map', 'create', foreign, 'type', 'array', 'key', '4', 'value', '64', 'entries', '1', 'name', 'foreign'];
    execFileSync('bpftool', create);
    await assert.rejects(openPersistent(), { code: 'PERSIST_FOREIGN' });
    await assert.rejects(polytrace.removePersisted(FOLDER), { code: 'PERSIST_FOREIGN' });
    mkdirSync(join(FOLDER, '1'));
    execFileSync('mv', [foreign, join(FOLDER, '1', 'about')]);
    await assert.rejects(openPersistent(), { code: 'PERSIST_FOREIGN' });
    await assert.rejects(polytrace.removePersisted(FOLDER), { code: 'PERSIST_FOREIGN' });
    assert.deepEqual(readdirSync(join(FOLDER, '1')), ['about']);
    execFileSync('rm', ['-r', FOLDER]);
  });

  it('a BPF file system is mounted at the usual place, if there is none', () => {
    const body = `const t = await polytrace.openTracer({ persist: '/sys/fs/bpf/polytrace-test' }); await t.close(); out('closed');`;
    const count = `grep -c ' /sys/fs/bpf bpf ' /proc/self/mounts`;
    const command = `while umount /sys/fs/bpf; do :; done 2>/dev/null; ${count}; "$0" -e "$1"; ${count}`;
    const words = ['--mount', 'sh', '-c', command, process.execPath, script(body)];
    const { stdout, stderr } = spawnSync('unshare', words, { encoding: 'utf8' });
    assert.deepEqual([stdout.split('\n').filter((line) => line !== ''), stderr], [['0', '"closed"', '1'], '']);
  });

  it('a tracer closes when somebody has unmounted the file system', () => {
    const body = `const { execFileSync } = require('node:child_process');
      const t = await polytrace.openTracer({ persist: '/sys/fs/bpf/polytrace-test' });
      execFileSync('umount', ['--lazy', '/sys/fs/bpf']);
      await t.close(); out('closed');`;
    const words = ['--mount', process.execPath, '-e', script(body)];
    const { stdout, stderr } = spawnSync('unshare', words, { encoding: 'utf8', timeout: 30_000 });
    assert.deepEqual([stdout.trim(), stderr], ['"closed"', '']);
  });

  it('invalid folders are refused', async () => {
    await assert.rejects(openPersistent({ persist: join(shop.folder, 'kept') }), { code: 'PERSIST_NOT_BPFFS' });
    await assert.rejects(openPersistent({ persist: join(mount, 'no', 'such', 'folder') }), { code: 'PERSIST' });
    await assert.rejects(openPersistent({ persist: 'kept' }), { code: 'BAD_OPTION' });
    await assert.rejects(polytrace.removePersisted(FOLDER), { code: 'PERSIST' });
    const tracer = await openTracer();
    await assert.rejects(tracer.close({ keep: true }), { code: 'BAD_OPTION' });
    await tracer.close();
  });
});
