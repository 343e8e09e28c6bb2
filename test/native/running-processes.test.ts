/** Processes that are older than the tracer: the kernel's list and /proc show the same ones with the same fields. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Cgroups } from '../../lib/containers/cgroups.js';
import { runToCompletion } from '../../lib/cooperative.js';
import { loadBinding } from '../../lib/native/binding.js';
import { fileReader } from '../../lib/native/file-reader.js';
import { ProcessCache } from '../../lib/process/cache.js';
import { findCgroupMount } from '../../lib/process/cgroup-hierarchy.js';
import { Clock } from '../../lib/process/clock.js';
import { isInHostNamespace } from '../../lib/process/proc-files.js';
import { listProcesses } from '../../lib/process/procfs.js';
import type { Process, Tracer } from '../../types/index.js';
import { needsOwnSpeed, needsRoot, needsTracefs, openTracer, runScript, traceRun, Workshop } from './support.js';
import { YARDSTICK } from './yardstick.js';

/** Most bytes of one argument of an exec in a record. */
const LONG = 'x'.repeat(30_000);

/** Longest time between two turns of the event loop, see yardstick.ts. A slice of the work takes 5 ms. */
const DELAY_MS = 10;
const PROCESSES = 2000;

describe('already running processes', function () {
  this.timeout(120_000);
  before(needsRoot);
  before(needsTracefs);
  let shop: Workshop;
  const children: ChildProcess[] = [];
  before(() => (shop = new Workshop()));
  after(() => {
    for (const child of children) child.kill('SIGKILL');
    if (shop !== undefined) execFileSync('rm', ['-rf', join(shop.folder, 'paths')]); // too deep for rmSync()
    shop?.remove();
  });

  /** Starts a program that says when it is ready. Returns the pid that it says, or its own. */
  async function start(command: string, args: readonly string[]): Promise<number> {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    children.push(child);
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    return Number(line.toString()) || (child.pid ?? 0);
  }

  /** The processes that /proc shows. */
  async function readFromProc(): Promise<ProcessCache> {
    const binding = loadBinding();
    const mount = findCgroupMount();
    const cache = new ProcessCache({
      nodeName: 'node',
      clock: new Clock(() => binding.bootOffset()),
      cgroups: new Cgroups(mount, (id) => binding.cgroupPath(mount ?? '', id)?.toString('latin1')),
      readFacts: (pid, executable) => fileReader().readProcess(pid, executable, isInHostNamespace('mnt')),
    });
    await cache.addFromProc();
    return cache;
  }

  function describeProcess(found: Process | undefined): unknown {
    if (found === undefined) return undefined;
    const { execId, parentExecId, pid, uid, auid, binary, executable, binaryUntrusted, argv, cwd, flags } = found;
    const { credentials, capabilities, namespaces, container } = found;
    const own = { execId, parentExecId, pid, uid, auid, binary, executable, binaryUntrusted, argv, cwd, flags };
    return { ...own, credentials, capabilities, namespaces, container };
  }

  it('are the same from the list of the kernel and from /proc', async () => {
    const wait = 'echo $$; read -r _';
    const gone = join(shop.folder, 'gone');
    copyFileSync('/bin/dash', gone);
    const threads = join(shop.folder, 'leader');
    execFileSync('cc', ['-O1', '-pthread', '-o', threads, join(__dirname, 'programs', 'leader.c')]);
    const started = [
      await start('sh', ['-c', wait, 'sh', LONG, '', 'a b']),
      await start(gone, ['-c', wait]),
      await start('unshare', ['--mount', '--uts', '--ipc', '--net', '--cgroup', 'sh', '-c', wait]),
      await start('setpriv', ['--reuid=1234', '--regid=4321', '--clear-groups', '--bounding-set=-all', 'sh', '-c', wait]),
      await start('chroot', ['--userspec=77:78', '/', 'sh', '-c', wait]),
      // its leader has ended, another thread continues
      await start(threads, []),
    ];
    const inNamespace = await start('unshare', ['--pid', '--fork', '--mount-proc', 'sh', '-c', 'echo ready; read -r _; :']);
    // ended, and nobody has waited for it
    const zombie = await start('perl', ['-e', '$| = 1; my $child = fork; exit 3 unless $child; print "$child\\n"; sleep 600']);
    while (!readFileSync(`/proc/${zombie}/stat`, 'utf8').includes(') Z ')) await new Promise(setImmediate);
    rmSync(gone);

    const tracer: Tracer = await openTracer({ nodeName: 'node' });
    try {
      const proc = await readFromProc();
      const own = [...started, zombie, process.pid, ...tracer.children(tracer.process(inNamespace) as Process).map(({ pid }) => pid)];
      assert.ok(own.length > started.length + 2, 'there is a process in a pid namespace');
      for (const pid of own) {
        assert.deepEqual(describeProcess(tracer.process(pid)), describeProcess(proc.findRunning(pid)?.view));
      }
      const findUnknown = (): number[] =>
        runToCompletion(listProcesses())
          .map(({ pid }) => pid)
          .filter((pid) => tracer.process(pid) === undefined && proc.findRunning(pid) !== undefined);
      // one that started in between is known when its record was read
      const deadline = performance.now() + 10_000;
      while (findUnknown().length > 0) {
        assert.ok(performance.now() < deadline, `unknown: ${findUnknown().join()}`);
        await delay(20);
      }
      const [long] = started.map((pid) => tracer.process(pid));
      assert.deepEqual(long?.argv.slice(-3), [LONG, '', 'a b']);
      assert.equal(tracer.process(started[1] as number)?.executable, gone);
      assert.equal(tracer.process(started[3] as number)?.uid, 1234);
      assert.equal(tracer.process(started.at(-1) as number)?.binary, threads);
      assert.ok(tracer.process(zombie) !== undefined);
      const threadNames = runToCompletion(listProcesses()).filter(({ isKernelThread }) => isKernelThread === true);
      const kernelThread = threadNames[0] === undefined ? undefined : tracer.process(threadNames[0].pid);
      if (kernelThread !== undefined) assert.equal(kernelThread.binary, 'kthreadd');
    } finally {
      await tracer.close();
    }
  });

  it('are the same with paths that the list does not have, or that are strange', async () => {
    const wait = 'echo $$; read -r _';
    const own = join(shop.folder, 'paths');
    mkdirSync(own);
    const many = join(own, 'many');
    execFileSync('cc', ['-O1', '-static', '-o', many, join(__dirname, 'programs', 'many.c')]);
    copyFileSync('/bin/dash', join(own, 'over'));
    copyFileSync(many, join(own, 'removed'));
    // a process that is ready, and says no pid, has that of its command
    const inShell = (script: string): Promise<number> => start('sh', ['-c', script]);
    const shown = new Map([
      ['bytes', await inShell(`cd ${own}; name=$(printf 'a\\377b'); mkdir "$name"; cp /bin/dash "$name/c d"; cd "$name"; exec "./c d" -c '${wait}'`)],
      ['removed folder', await inShell(`mkdir ${own}/gone; cd ${own}/gone; rmdir ${own}/gone; ${wait}`)],
      ['long folder', await start('perl', ['-e', `$| = 1; chdir '${own}'; for (1 .. 25) { mkdir 'x' x 200; chdir 'x' x 200 } print "$$\n"; <STDIN>`])],
      ['4,010 bytes', await start('perl', ['-e', `$| = 1; use Cwd; chdir '${own}'; for (;;) { my $left = 4010 - length(getcwd()) - 1; last if $left < 1; my $name = 'y' x ($left > 100 ? 100 : $left); mkdir $name; chdir $name or die; last if $left <= 100 } print "$$\n"; <STDIN>`])],
      ['many names', await start('perl', ['-e', `$| = 1; chdir '${own}'; for (1 .. 1200) { mkdir 'z'; chdir 'z' } print "$$\n"; <STDIN>`])],
      ['root', await start('chroot', [own, '/many'])],
      ['removed in a root', await start('chroot', [own, '/removed'])],
      ['unmounted folder', await start('unshare', ['--mount', 'sh', '-c', `mount -t tmpfs none /mnt; cd /mnt; umount -l /mnt; ${wait}`])],
      ['other file of the path', await start('unshare', ['--mount', 'sh', '-c', `mount --bind ${own}/over /bin/sh; exec /bin/sh -c '${wait}'`])],
      ['private copy of the mounts', await start('unshare', ['--mount', 'sh', '-c', wait])],
      ['long arguments', await start('sh', ['-c', wait, ...Array.from({ length: 15 }, (_, i) => String(i).repeat(60_000))])],
      ['memfd', await start(shop.helper, ['memfd', '/bin/dash', '-c', wait])],
    ]); // prettier-ignore
    rmSync(join(own, 'removed'));
    const tracer: Tracer = await openTracer({ nodeName: 'node' });
    try {
      const proc = await readFromProc();
      for (const [name, pid] of shown) {
        const found = describeProcess(tracer.process(pid));
        assert.ok(found !== undefined, name);
        assert.deepEqual(found, describeProcess(proc.findRunning(pid)?.view), name);
      }
      const of = (name: string): Process => tracer.process(shown.get(name) as number) as Process;
      assert.match(of('bytes').executable, /a\udcffb\/c d$/);
      assert.match(of('removed folder').cwd, /\/gone \(deleted\)$/);
      assert.equal(of('root').executable, many);
      assert.equal(of('4,010 bytes').cwd.length, 4010);
      assert.equal(of('many names').cwd.length, own.length + 2400);
      const isUntrusted = [...shown.keys()].filter((name) => of(name).binaryUntrusted);
      assert.deepEqual(isUntrusted, ['removed in a root', 'other file of the path']);
      assert.equal(of('long arguments').argv.length, 17);
      assert.equal(of('memfd').executable, '/memfd:kept');
    } finally {
      await tracer.close();
    }
  });

  it('are read with one file of /proc each, and the paths come from the kernel', async () => {
    const yaml = `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: calls }
spec:
  tracepoints:
  - { subsystem: syscalls, event: sys_enter_openat, args: [{ index: 6, type: string }], selectors: [{ matchArgs: [{ args: [0], operator: Prefix, values: [/proc/] }] }] }
  - { subsystem: syscalls, event: sys_enter_readlink, args: [{ index: 5, type: string }], selectors: [{ matchArgs: [{ args: [0], operator: Prefix, values: [/proc/] }] }] }`;
    const countCalls = async (): Promise<number> => {
      const events = await traceRun(() => runScript('await (await polytrace.openTracer()).close();'), { policies: [{ yaml }] });
      return events.filter(({ type }) => type === 'process_tracepoint').length;
    };
    const few = await countCalls();
    assert.ok(few > 0);
    const many = join(shop.folder, 'more');
    execFileSync('cc', ['-O1', '-static', '-o', many, join(__dirname, 'programs', 'many.c')]);
    await start(many, ['1000']);
    const calls = (await countCalls()) - few;
    assert.ok(calls > 900 && calls < 1100, `${calls} calls for 1,000 processes`);
  });

  it(`a tracer opens beside ${PROCESSES} processes, and the event loop waits for at most ${DELAY_MS} ms`, async function () {
    needsOwnSpeed.call(this);
    const many = join(shop.folder, 'many');
    execFileSync('cc', ['-O1', '-static', '-o', many, join(__dirname, 'programs', 'many.c')]);
    await start(many, [String(PROCESSES)]);
    const { status, stdout, stderr } = await runScript(
      `const { readFileSync } = require('node:fs');
       // the processor time of the main thread: other processes may have the processor, too
       const time = () => Number(readFileSync('/proc/self/task/' + process.pid + '/schedstat', 'utf8').split(' ')[0]) / 1e6;
       ${YARDSTICK}
       const measure = async () => {
         let worst = 0, last = time(), goes = true;
         (function turn() { const now = time(); worst = Math.max(worst, now - last); last = now; if (goes) setImmediate(turn); })();
         const tracer = await polytrace.openTracer();
         goes = false;
         const { processes } = tracer.stats();
         await tracer.close();
         const slowness = measureSlowness();
         return [worst / slowness, processes, slowness];
       };
       // the first run also compiles code
       const rounds = [];
       for (let i = 0; i < 4; i++) rounds.push(await measure());
       out(rounds);`,
      { timeout: 100_000, nodeArgs: ['--single-threaded-gc'] },
    );
    assert.deepEqual([status, stderr], [0, '']);
    const rounds = JSON.parse(stdout) as [number, number, number][];
    assert.ok(rounds.every(([, processes]) => processes > PROCESSES), stdout);
    assert.ok(rounds.slice(1).some(([worst]) => worst < DELAY_MS), stdout);
  });
});
