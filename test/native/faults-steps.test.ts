/**
 * A process that is stopped, killed, or whose worker thread is terminated, at each step of opening a tracer and adding a
 * policy. A step is a call of the addon or of libbpf that asks the kernel for something: see programs/faults.cc.
 */
import assert from 'node:assert/strict';
import { spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { traceRun, isExec, leaveMark, needsRoot, polytrace, ROOT } from './support.js';
import { heldKernelObjects, waitUntilFreed } from './kernel-objects.js';
import { FaultShop, FAULTS_MODULE, isStopped, STEPS, stride } from './faults-support.js';

/** Long enough for a machine that is busy; only a process that hangs takes it. */
const PATIENCE_MS = 20_000;

describe('at each step', function () {
  this.timeout(300_000 * (stride(2) === 1 ? 12 : 1));
  before(needsRoot);
  let shop: FaultShop;
  let policy: string;
  before(() => {
    shop = new FaultShop();
    policy = JSON.stringify(`apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: both }
spec:
  uprobes: [{ path: ${shop.program}, symbols: [act], args: [{ index: 0, type: int64 }] }]
  tracepoints:
    - subsystem: sched
      event: sched_process_exit
      raw: true
      args: [{ index: 0, type: nop }]
      selectors: [{ matchBinaries: [{ operator: In, values: [/srv/one], followChildren: true }] }]
`);
  });
  after(() => shop.remove());

  const openAndClose = (options = ''): string =>
    `delete process.env.LD_PRELOAD;
     const tracer = await polytrace.openTracer({ bufferSize: 131072, policies: [{ yaml: ${policy} }], ${options} });
     const events = tracer.events();
     require('node:child_process').execFileSync(${JSON.stringify(shop.program)}, ['7', '1']);
     for await (const event of events) if (event.type === 'process_uprobe') break;
     await tracer.close();
     out('closed');`;

  /** Calls `act` whenever the process is stopped, until it ends. */
  async function waitForEnd(
    child: ChildProcess,
    act: (pid: number) => void,
    patience = PATIENCE_MS,
  ): Promise<{ stops: number; stdout: string }> {
    let stdout = '';
    child.stdout?.on('data', (chunk) => (stdout += String(chunk)));
    let ended = false;
    const end = once(child, 'close').then(() => void (ended = true));
    const deadline = performance.now() + patience;
    let stops = 0;
    while (!ended) {
      assert.ok(performance.now() < deadline, `the process still runs after ${stops} stops`);
      const pid = child.pid as number;
      if (child.exitCode === null && child.signalCode === null && isStopped(pid)) {
        stops++;
        act(pid);
      }
      await Promise.race([delay(1), end]);
    }
    return { stops, stdout };
  }

  async function recordSites(options = ''): Promise<readonly bigint[]> {
    shop.faults.record(STEPS);
    const { stdout } = await waitForEnd(shop.start(openAndClose(options)), () => undefined);
    shop.faults.off();
    assert.equal(stdout, '"closed"\n');
    return shop.faults.sites;
  }

  async function killAt(site: bigint, options = ''): Promise<string[]> {
    shop.faults.stopAt(site);
    let held: string[] = [];
    const child = shop.start(openAndClose(options));
    const { stops } = await waitForEnd(child, (pid) => {
      held = heldKernelObjects(pid);
      process.kill(pid, 'SIGKILL');
    });
    shop.faults.off();
    assert.deepEqual([stops, child.signalCode], [1, 'SIGKILL']);
    return held;
  }

  async function assertTracing(): Promise<void> {
    const events = await traceRun(() => void leaveMark(), { bufferSize: 131072 });
    assert.ok(events.some(isExec));
  }

  it('SIGSTOP and SIGCONT: it goes on', async () => {
    shop.faults.stopAtEach(STEPS);
    const child = shop.start(openAndClose());
    const { stops, stdout } = await waitForEnd(child, (pid) => void process.kill(pid, 'SIGCONT'));
    shop.faults.off();
    assert.deepEqual([child.exitCode, stdout], [0, '"closed"\n']);
    assert.ok(stops > 30 && stops === shop.faults.sites.length, `${stops} stops, ${shop.faults.sites.length} steps`);
  });

  it('SIGKILL: nothing is left in the kernel, and a new tracer works', async () => {
    const sites = await recordSites();
    const every = stride(12);
    let most = 0;
    for (let i = 0; i < sites.length; i += every) {
      const held = await killAt(sites[i] as bigint);
      most = Math.max(most, held.length);
      await waitUntilFreed(held);
      await assertTracing();
    }
    assert.ok(most > 20, `at most ${most} programs, maps and links`);
  });

  it('SIGKILL with `persist`: the next tracer takes over what is there, and close() leaves nothing', async function () {
    const mount = mkdtempSync(join(tmpdir(), 'polytrace-bpffs-'));
    if (spawnSync('mount', ['-t', 'bpf', 'bpf', mount]).status !== 0) {
      if (process.env['REQUIRE_ALL'] === '1') throw new Error('a BPF file system cannot be mounted');
      this.skip();
    }
    try {
      const folder = join(mount, 'kept');
      const options = `persist: ${JSON.stringify(folder)}`;
      const sites = await recordSites(options);
      const every = stride(12);
      for (let i = 0; i < sites.length; i += every) {
        const held = await killAt(sites[i] as bigint, options);
        const tracer = await polytrace.openTracer({ bufferSize: 131072, persist: folder });
        await tracer.close();
        if (existsSync(folder)) assert.deepEqual(await polytrace.removePersisted(folder), []);
        await waitUntilFreed(held);
      }
    } finally {
      spawnSync('umount', [mount]);
      rmdirSync(mount);
    }
  });

  it('terminate() of a worker thread: the process goes on, and nothing of the worker is left', async () => {
    const worker = `const polytrace = require(${JSON.stringify(ROOT)});
      (async () => {
        const tracer = await polytrace.openTracer({ bufferSize: 131072, policies: [{ yaml: ${policy} }] });
        await tracer.removePolicy('both');
        await tracer.close();
      })();`;
    const child = shop.start(
      `delete process.env.LD_PRELOAD;
       const { Worker } = require('node:worker_threads');
       const { once } = require('node:events');
       const { readdirSync } = require('node:fs');
       const { Faults } = require(${JSON.stringify(FAULTS_MODULE)});
       const faults = new Faults(process.env.FAULTS_FILE);
       const turn = () => new Promise((resolve) => setTimeout(resolve, 1));
       const start = () => {
         const worker = new Worker(${JSON.stringify(worker)}, { eval: true });
         const exit = once(worker, 'exit');
         return { worker, exit };
       };
       await start().exit; // what is done once for the whole process is done
       faults.record(${STEPS});
       await start().exit;
       faults.off();
       const { sites } = faults;
       const before = readdirSync('/proc/self/fd').length;
       const result = { sites: sites.length, held: 0, tried: 0, left: 0 };
       for (let i = 0; i < sites.length; i += ${stride(4)}) {
         faults.holdAt(sites[i]);
         const { worker, exit } = start();
         let ended = false;
         exit.then(() => void (ended = true));
         while (!ended && faults.hits === 0) await turn();
         result.tried++;
         if (!ended) result.held++;
         const terminated = worker.terminate();
         await turn();
         faults.release();
         await terminated;
         faults.off();
         result.left += readdirSync('/proc/self/fd').length - before;
       }
       out(result);`,
    );
    const { stdout } = await waitForEnd(child, () => undefined, 10 * PATIENCE_MS);
    assert.deepEqual([child.exitCode, child.signalCode], [0, null]);
    const { sites, held, tried, left } = JSON.parse(stdout) as Record<'sites' | 'held' | 'tried' | 'left', number>;
    assert.ok(sites > 30 && tried > 10, `${sites} steps, ${tried} tried`);
    assert.deepEqual([held, left], [tried, 0]);
    await assertTracing();
  });
});
