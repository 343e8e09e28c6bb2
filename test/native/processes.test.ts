/** Exec and exit events of the base sensor, on the running kernel. */
import assert from 'node:assert/strict';
import { spawn, spawnSync, type SpawnSyncOptions } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, copyFileSync, mkdirSync, realpathSync, symlinkSync, writeFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ProcessExecEvent, ProcessExitEvent, TracerEvent, TracerOptions } from '../../types/index.js';
import { traceRun, EMULATED, isExec, isExit, isLost, needsRoot, openTracer, polytrace, readUntil, leaveMark, Workshop } from './support.js';

interface ProcessTrace {
  readonly events: TracerEvent[];
  readonly execs: ProcessExecEvent[];
  readonly exits: ProcessExitEvent[];
}

async function traceProcesses(run: () => unknown): Promise<ProcessTrace> {
  const events = await traceRun(run);
  return { events, execs: events.filter(isExec), exits: events.filter(isExit) };
}

const runAndTrace = (file: string, args: readonly string[] = [], options: SpawnSyncOptions = {}): Promise<ProcessTrace> =>
  traceProcesses(() => spawnSync(file, args, { stdio: 'ignore', ...options }));

const summarizeTrace = ({ events }: ProcessTrace): string[] =>
  events.map((e) => (isLost(e) ? 'lost' : `${e.type.slice(8)} ${e.process.binary.split('/').at(-1)}`));

type Fields = Readonly<Record<string, unknown>>;

function exportExec(event: ProcessExecEvent): { readonly process: Fields; readonly parent: Fields } {
  const json = JSON.parse(polytrace.toJson(event)) as { process_exec: { process: Fields; parent: Fields } };
  return json.process_exec;
}

describe('processes on this kernel', function () {
  this.timeout(60_000);
  before(needsRoot);
  let shop: Workshop;
  before(() => (shop = new Workshop()));
  after(() => shop?.remove());

  const runs = EMULATED ? 100 : 10_000;
  it(`${runs.toLocaleString('en')} runs of true: each exec before its exit, in order, nothing lost`, async () => {
    const { events, execs, exits } = await traceProcesses(() => shop.run('loop', String(runs), '/bin/true'));
    assert.deepEqual(events.filter(isLost), []);
    const own = (e: TracerEvent): e is ProcessExecEvent | ProcessExitEvent =>
      !isLost(e) && e.process.binary === '/bin/true';
    assert.equal(execs.filter(own).length, runs);
    assert.equal(exits.filter(own).length, runs);
    const helper = execs.find((e) => e.process.binary === shop.helper) as ProcessExecEvent;
    let running = '';
    for (const event of events.filter(own)) {
      if (isExec(event)) {
        assert.equal(running, '');
        running = event.process.execId;
        assert.equal(event.process.parentExecId, helper.process.execId);
        assert.equal(event.parent?.pid, helper.process.pid);
      } else {
        assert.equal(event.process.execId, running);
        running = '';
      }
    }
    assert.equal(new Set(execs.map((e) => e.process.execId)).size, runs + 1);
  }).timeout(240_000);

  it('arguments: spaces, empty, unicode, newlines', async () => {
    const args = ['a b', '', 'grüße 🚀', 'two\nlines', '"q"', '--x=1'];
    const { execs } = await runAndTrace('/bin/true', args);
    assert.deepEqual(execs[0]?.process.argv, args);
    assert.equal(execs[0]?.process.arguments, '"a b" "" "grüße 🚀" "two\nlines" "q" --x=1');
    assert.equal((await runAndTrace('/bin/true')).execs[0]?.process.arguments, '');
    assert.deepEqual((await traceProcesses(() => shop.run('no-argv', '/bin/true'))).execs.at(-1)?.process.argv, []);
  });

  it('arguments of 32 KiB are complete, of 200 KiB flagged', async () => {
    // The limit of 32 KiB includes the name and two NULs.
    const whole = 'w'.repeat(32768 - '/bin/true'.length - 2);
    const full = (await runAndTrace('/bin/true', [whole])).execs[0]?.process;
    assert.equal(full?.argv[0], whole);
    assert.equal(full?.flags, 'execve clone');
    const long = ['x'.repeat(100 * 1024), 'y'.repeat(100 * 1024)];
    const cut = (await runAndTrace('/bin/true', long)).execs[0]?.process;
    assert.match(cut?.flags ?? '', /\btruncArgs\b/);
    assert.equal(cut?.argv.join('').length, 32768 - '/bin/true'.length - 1);
  });

  describe('environment', () => {
    const traceExec = async (
      environment: TracerOptions['environment'],
      run: () => unknown,
    ): Promise<ProcessExecEvent | undefined> => {
      const events = await traceRun(run, environment === undefined ? {} : { environment });
      return events.filter(isExec).at(-1);
    };
    const runTrue = (env: NodeJS.ProcessEnv, args: readonly string[] = []) => () =>
      spawnSync('/bin/true', args, { env, stdio: 'ignore' });

    it('of an exec has all variables, only when the tracer asks for it', async () => {
      const env = { HOME: '/root', EMPTY: '', EQUAL: 'a=b', SECRET: 'grüße\n🚀' };
      const event = await traceExec(true, runTrue(env));
      const expected = Object.entries(env).map(([name, value]) => ({ name, value }));
      assert.deepEqual(event?.environment, expected);
      assert.deepEqual(event?.toObject().environment, expected);
      assert.equal(event?.process.flags, 'execve clone');
      const exported = exportExec(event).process['environment_variables'];
      assert.deepEqual(exported, expected.map(({ name, value }) => (value === '' ? { Key: name } : { Key: name, Value: value })));
      const without = await traceExec(undefined, runTrue(env));
      assert.equal(without?.environment, undefined);
      assert.equal('environment_variables' in exportExec(without as ProcessExecEvent).process, false);
      assert.deepEqual((await traceExec(true, runTrue({})))?.environment, []);
    });

    it('has only the variables whose names are given', async () => {
      const event = await traceExec(['LD_PRELOAD', 'HOME'], runTrue({ PATH: '/bin', HOME: '/', LD_PRELOAD: '' }));
      assert.deepEqual(event?.environment, [{ name: 'HOME', value: '/' }, { name: 'LD_PRELOAD', value: '' }]);
    });

    it('of 32 KiB is complete beside 32 KiB of arguments, a longer one is flagged', async () => {
      const args = ['a'.repeat(32768 - '/bin/true'.length - 2)];
      const whole = 'w'.repeat(32768 - 'A='.length - 1);
      const full = await traceExec(true, runTrue({ A: whole }, args));
      assert.deepEqual(full?.environment, [{ name: 'A', value: whole }]);
      assert.deepEqual(full?.process.argv, args);
      assert.equal(full?.process.flags, 'execve clone');
      const cut = await traceExec(true, runTrue({ A: `${whole}+`, LATER: '' }));
      assert.equal(cut?.process.flags, 'execve clone truncEnvironment');
      assert.deepEqual(cut?.environment, [{ name: 'A', value: `${whole}+` }]);
    });
  });

  it('working folder, user, login user, start time, credentials, capabilities', async () => {
    const start = process.hrtime.bigint();
    const before = BigInt(Date.now()) * 1_000_000n;
    const { execs, exits } = await traceProcesses(() => spawnSync(shop.helper, ['setuid', '/bin/true'], { cwd: '/usr/lib' }));
    const [helper, changed] = [execs[0]?.process, execs[1]?.process];
    assert.equal(helper?.uid, 0);
    assert.equal(helper?.cwd, '/usr/lib');
    assert.equal(changed?.uid, 65534);
    assert.equal(changed?.credentials.euid, 65534);
    assert.equal(changed?.credentials.egid, 65534);
    assert.equal(changed?.capabilities.effective, 0n);
    assert.notEqual(helper?.capabilities.effective, 0n);
    assert.equal(helper?.auid, Number(readFileSync('/proc/self/loginuid', 'utf8')));
    assert.equal((await runAndTrace('/bin/true', [], { cwd: '/' })).execs[0]?.process.flags, 'execve clone rootcwd');
    const slack = 50_000_000n;
    const began = helper?.startTimeNs ?? 0n;
    assert.ok(began > before - slack && began < before + slack + (process.hrtime.bigint() - start));
    assert.equal(exits.at(-1)?.process.startTimeNs, changed?.startTimeNs);
    assert.equal(Buffer.from(changed?.execId ?? '', 'base64').toString().split(':').at(-1), String(changed?.pid));
  });

  it('paths with names of every length', async () => {
    const nestedPath = (lengths: readonly number[]): string =>
      lengths.map((length, i) => String.fromCharCode(97 + (i % 26)).repeat(length)).join('/');
    const upTo = (most: number): number[] => Array.from({ length: most }, (_, i) => i + 1);
    for (const lengths of [upTo(80), upTo(80).reverse(), [255, 1, 254, 8, 249, 7, 248, 247]]) {
      const cwd = join(realpathSync(shop.folder), nestedPath(lengths));
      mkdirSync(cwd, { recursive: true });
      const program = join(cwd, 'program');
      copyFileSync('/bin/true', program);
      const { execs } = await runAndTrace('./program', [], { cwd });
      assert.equal(execs[0]?.process.cwd, cwd);
      assert.equal(execs[0]?.process.binary, program);
    }
  });

  it('names of each length, as they were given', async () => {
    const names = Array.from({ length: 80 }, (_, i) => `${i}`.padStart(i + 1, 'abcdefghijklmnopqrstuvwxyz'));
    for (const name of names) symlinkSync('/bin/true', join(shop.folder, name));
    const { execs } = await traceProcesses(() => {
      for (const name of names) spawnSync(`./${name}`, { cwd: shop.folder });
    });
    assert.deepEqual(
      execs.map((e) => e.process.binary),
      names.map((name) => join(shop.folder, name)),
    );
    // the folder and the arguments contain no bytes of earlier events
    for (const { process } of execs) assert.deepEqual([process.cwd, process.argv], [realpathSync(shop.folder), []]);
  });

  it('set-user-id and set-group-id: the effective ids, and what they raised', async () => {
    const file = join(shop.folder, 'changes-ids');
    chmodSync(shop.folder, 0o755);
    copyFileSync(shop.helper, file);
    chmodSync(file, 0o6755);
    const { execs } = await runAndTrace(file, [], { uid: 65534, gid: 65534 });
    assert.deepEqual(execs[0]?.process.binaryProperties, { setuid: 0, setgid: 0, privilegesRaised: ['setuid', 'setgid'] });
    assert.deepEqual([execs[0]?.process.uid, exportExec(execs[0]).process['uid']], [65534, 0]);
    chownSync(file, 65534, 65534);
    chmodSync(file, 0o4755);
    const lowered = (await runAndTrace(file)).execs[0];
    assert.deepEqual(lowered?.process.binaryProperties, { setuid: 65534, privilegesRaised: [] });
    assert.deepEqual([lowered?.process.uid, exportExec(lowered).process['uid']], [0, 65534]);
  });

  it('exit status and signals', async () => {
    const exit = async (...args: string[]): Promise<unknown[]> => {
      const last = (await traceProcesses(() => spawnSync(shop.helper, args))).exits.at(-1);
      return [last?.status, last?.signal, last?.coreDumped];
    };
    assert.deepEqual(await exit(), [0, undefined, false]);
    assert.deepEqual(await exit('raw-exit'), [3, undefined, false]);
    assert.deepEqual(await exit('signal', '9'), [0, 'SIGKILL', false]);
    assert.deepEqual(await exit('signal', '11'), [0, 'SIGSEGV', false]);
    const { exits } = await runAndTrace('/bin/sh', ['-c', 'exit 255']);
    assert.equal(exits[0]?.status, 255);
  });

  it('a script, its interpreter; a relative path; a link', async () => {
    const file = join(shop.folder, 'script.sh');
    writeFileSync(file, '#!/bin/sh -e\nexit 4\n');
    chmodSync(file, 0o755);
    const { execs, exits } = await runAndTrace(file, ['one']);
    assert.equal(execs[0]?.process.binary, file);
    assert.equal(execs[0]?.process.executable, realpathSync('/bin/sh'));
    assert.deepEqual(execs[0]?.process.argv, ['-e', file, 'one']);
    assert.equal(exits[0]?.status, 4);

    copyFileSync('/bin/true', join(shop.folder, 'copy'));
    symlinkSync('copy', join(shop.folder, 'linked'));
    const relative = await runAndTrace('./linked', [], { cwd: shop.folder });
    assert.equal(relative.execs[0]?.process.binary, join(shop.folder, 'linked'));
    assert.equal(relative.execs[0]?.process.executable, join(shop.folder, 'copy'));
  });

  it('fexecve and memfd', async () => {
    const byDescriptor = await traceProcesses(() => shop.run('fexecve', '/bin/true', 'x'));
    assert.equal(byDescriptor.execs.at(-1)?.process.binary, realpathSync('/bin/true'));
    assert.deepEqual(byDescriptor.execs.at(-1)?.process.argv, ['x']);
    const inMemory = await traceProcesses(() => shop.run('memfd', '/bin/true', 'y'));
    assert.equal(inMemory.execs.at(-1)?.process.binary, '/memfd:kept');
    assert.deepEqual(inMemory.execs.at(-1)?.process.argv, ['y']);
    const { file } = inMemory.execs.at(-1)?.process.binaryProperties ?? {};
    assert.deepEqual([file?.links, file?.path, typeof file?.inode], [0, '/memfd:kept', 'bigint']);
    assert.equal(byDescriptor.execs.at(-1)?.process.binaryProperties, undefined);
  });

  it('a path of 3,000 bytes', async () => {
    const deep = join(shop.folder, ...Array.from({ length: 15 }, (_, i) => `${i}`.padEnd(200, 'd')));
    mkdirSync(deep, { recursive: true });
    const file = join(deep, 'true');
    copyFileSync('/bin/true', file);
    const { execs } = await runAndTrace(file, [], { cwd: deep });
    assert.ok(file.length > 3000);
    assert.equal(execs[0]?.process.binary, file);
    assert.equal(execs[0]?.process.executable, file);
    assert.equal(execs[0]?.process.cwd, deep);
    assert.equal(execs[0]?.process.flags, 'execve clone');
  });

  it('threads are not processes', async () => {
    assert.deepEqual(summarizeTrace(await traceProcesses(() => shop.run('threads'))), ['exec helper', 'exit helper']);
    const first = await traceProcesses(() => spawnSync(shop.helper, ['leader-first'], { env: {} }));
    assert.deepEqual(summarizeTrace(first), ['exec helper', 'exit helper']);
    assert.equal(first.exits[0]?.status, 7);
    const fromThread = await traceProcesses(() => shop.run('thread-exec', '/bin/true'));
    assert.deepEqual(summarizeTrace(fromThread), ['exec helper', 'exec true', 'exit true']);
    const [before, after] = fromThread.execs;
    assert.equal(after?.process.pid, before?.process.pid);
    assert.equal(after?.process.parentExecId, before?.process.parentExecId);
    assert.equal(fromThread.exits[0]?.process.execId, after?.process.execId);
  });

  it('a second exec in the same process keeps the parent and gets an id of its own', async () => {
    const { execs, exits } = await runAndTrace('/bin/sh', ['-c', 'exec /bin/true z']);
    assert.equal(execs.length, 2);
    assert.equal(execs[0]?.process.pid, execs[1]?.process.pid);
    assert.notEqual(execs[0]?.process.execId, execs[1]?.process.execId);
    assert.equal(execs[0]?.process.parentExecId, execs[1]?.process.parentExecId);
    assert.equal(execs[1]?.process.flags, 'execve');
    assert.equal(execs[1]?.parent?.pid, process.pid);
    assert.equal(execs[1]?.former?.execId, execs[0]?.process.execId);
    assert.equal(execs[0]?.former, undefined);
    // In the export, the parent is the process before its second exec.
    const [first, second] = execs.map(exportExec);
    assert.equal(second?.process['parent_exec_id'], first?.process['exec_id']);
    assert.equal(second?.parent['exec_id'], first?.process['exec_id']);
    assert.equal(first?.process['parent_exec_id'], execs[0]?.parent?.execId);
    assert.deepEqual(
      exits.map((e) => e.process.execId),
      [execs[1]?.process.execId],
    );
  });

  it('posix_spawn, a fork without exec, a parent that ended', async () => {
    assert.deepEqual(summarizeTrace(await traceProcesses(() => shop.run('spawn', '/bin/true'))), [
      'exec helper',
      'exec true',
      'exit true',
      'exit helper',
    ]);
    const forked = await traceProcesses(() => spawnSync(shop.helper, ['fork-exit']));
    assert.deepEqual(summarizeTrace(forked), ['exec helper', 'exit helper', 'exit helper']);
    assert.deepEqual(
      forked.exits.map((e) => [e.status, e.process.flags, e.process.forked]),
      [
        [5, 'execve clone', true],
        [5, 'execve clone', false],
      ],
    );
    assert.equal(forked.exits[0]?.process.parentExecId, forked.execs[0]?.process.execId);

    const orphan = await traceProcesses(() => shop.run('double-fork', '/bin/true', 'orphan'));
    const exec = orphan.execs.find((e) => e.process.argv[0] === 'orphan');
    assert.equal(exec?.parent?.binary, shop.helper);
    assert.equal(exec?.parent?.forked, true);
    assert.equal(exec?.ancestors[0]?.execId, orphan.execs[0]?.process.execId);
    assert.equal(exec?.ancestors[1]?.pid, process.pid);
  });

  it('an already running process is read from /proc', async () => {
    const child = spawn('/bin/sh', ['-c', 'read line; exit 2', 'early bird'], { cwd: '/usr', stdio: 'pipe' });
    await once(child, 'spawn');
    // When spawn() reports success, execve has returned in the child. The shell's own name proves it.
    const { exits } = await traceProcesses(async () => {
      child.stdin.end('\n');
      await once(child, 'exit');
    });
    const exit = exits.find((e) => e.process.pid === child.pid);
    assert.equal(exit?.status, 2);
    assert.equal(exit?.process.flags, 'procFS');
    assert.equal(exit?.process.binary, realpathSync('/bin/sh'));
    assert.deepEqual(exit?.process.argv, ['-c', 'read line; exit 2', 'early bird']);
    assert.equal(exit?.process.cwd, '/usr');
    assert.equal(exit?.parent?.pid, process.pid);
    assert.equal(exit?.process.namespaces.mnt, exit?.parent?.namespaces.mnt);
  });

  it('namespaces of its own; a chroot', async () => {
    const { execs } = await runAndTrace('unshare', ['-m', '-p', '-n', '-f', '/bin/true', 'inside']);
    const inside = execs.find((e) => e.process.argv[0] === 'inside')?.process;
    const outside = execs[0]?.process;
    for (const name of ['mnt', 'pid', 'net'] as const) {
      assert.notEqual(inside?.namespaces[name], outside?.namespaces[name], name);
      assert.notEqual(inside?.namespaces[name], 0, name);
    }
    assert.equal(inside?.namespaces.uts, outside?.namespaces.uts);
    assert.ok((inside?.pid ?? 0) > 1);
    assert.deepEqual([inside?.inInitTree, outside?.inInitTree], [true, false]);
    assert.equal(inside?.user, undefined);

    const root = join(shop.folder, 'root');
    mkdirSync(root);
    copyFileSync(shop.helper, join(root, 'static'));
    spawnSync('cc', ['-static', '-pthread', '-o', join(root, 'static'), join(__dirname, 'programs', 'helper.c')]);
    const jailed = await traceProcesses(() => shop.run('chroot', root, '/static'));
    const last = jailed.execs.at(-1)?.process;
    assert.deepEqual([last?.binary, last?.executable, last?.cwd], ['/static', '/static', '/']);
  });

  it('the tracer itself is reported only with includeSelf', async () => {
    const tracer = await openTracer({ includeSelf: true });
    const events = tracer.events();
    // Node cannot fork this process without an exec. Its children show that the process is known.
    const seen = await readUntil((await Promise.resolve(), leaveMark()), events);
    assert.deepEqual(seen.filter(isLost), []);
    await tracer.close();
  });

  it('events outlive the tracer, print and turn into JSON', async () => {
    const tracer = await openTracer();
    const events = tracer.events();
    spawnSync('/bin/true', ['kept']);
    const kept = (await readUntil(leaveMark(), events)).filter((e) => !isLost(e) && e.process.argv[0] === 'kept');
    const texts = kept.map((e) => JSON.stringify(e));
    shop.run('loop', EMULATED ? '100' : '3000', '/bin/true');
    await readUntil(leaveMark(), events);
    await tracer.close();
    assert.deepEqual(
      kept.map((e) => JSON.stringify(e)),
      texts,
    );
    assert.equal(kept.length, 2);
    const { inspect } = await import('node:util');
    for (const event of kept) {
      assert.match(inspect(event), /kept/);
      assert.match(polytrace.formatCompact(event), /\/bin\/true kept/);
      assert.match(polytrace.toJson(event), /"arguments":"kept"/);
    }
  });
});
