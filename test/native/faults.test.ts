/** Faults that the host process survives: terminated workers, signals, and limits of threads, descriptors and memory. */
import assert from 'node:assert/strict';
import { needsRoot, ROOT, runScript } from './support.js';

const POLICY = JSON.stringify(`apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: exits }
spec:
  tracepoints: [{ subsystem: sched, event: sched_process_exit, raw: true, args: [{ index: 0, type: nop }] }]
`);

/** A worker that opens a tracer and changes its policies until it is terminated. */
const WORKER = `const { parentPort } = require('node:worker_threads');
const polytrace = require(${JSON.stringify(ROOT)});
(async () => {
  for (;;) {
    parentPort.postMessage('opening');
    const tracer = await polytrace.openTracer({ bufferSize: 131072 });
    for (let i = 0; i < 3; i++) {
      await tracer.addPolicy({ yaml: ${POLICY} });
      await tracer.removePolicy('exits');
    }
    await tracer.close();
  }
})();`;

/** Root is exempt from RLIMIT_NPROC. */
const CAPABILITIES = '+bpf,+perfmon,+dac_read_search';
const AS_USER = [
  'setpriv',
  '--reuid=54321',
  '--regid=54321',
  '--clear-groups',
  `--inh-caps=${CAPABILITIES}`,
  `--ambient-caps=${CAPABILITIES}`,
];

const LIMIT = `const limit = (what) => require('node:child_process').execFileSync('prlimit', ['--pid', process.pid, what]);
  const open = (options) => polytrace.openTracer(options).then((tracer) => tracer.close()).then(() => ['no error'], (e) => [e.name, e.code, e.errno, e.message, e.hint]);`;

describe('faults', function () {
  this.timeout(180_000);
  before(needsRoot);

  it('a worker that is terminated at any moment of openTracer and addPolicy ends only itself', async () => {
    const { status, signal, stdout, stderr } = await runScript(
      `const { Worker } = require('node:worker_threads');
       for (let i = 0; i < 32; i++) {
         const worker = new Worker(${JSON.stringify(WORKER)}, { eval: true });
         const failed = new Promise((_, reject) => worker.once('error', reject));
         failed.catch(() => undefined);
         await Promise.race([new Promise((resolve) => worker.once('message', resolve)), failed]);
         // another moment of the loop each time
         await Promise.race([new Promise((resolve) => setTimeout(resolve, (i * 37) % 700)), failed]);
         await worker.terminate();
       }
       out('alive');`,
      { timeout: 110_000 },
    );
    assert.deepEqual([status, signal, stderr, stdout], [0, null, '', '"alive"\n']);
  });

  it('signals that arrive all the time do not make the kernel refuse programs', async () => {
    const { status, stdout, stderr } = await runScript(
      `for (let i = 0; i < 4; i++) {
         const tracer = await polytrace.openTracer({ bufferSize: 131072, policies: [{ yaml: ${POLICY} }] });
         await tracer.close();
       }
       out('profiled');`,
      { nodeArgs: ['--cpu-prof', '--cpu-prof-interval=50', '--cpu-prof-dir=/dev/shm', '--cpu-prof-name=polytrace-test.cpuprofile'] },
    );
    assert.deepEqual([status, stderr, stdout], [0, '', '"profiled"\n']);
  });

  it('no room for another thread: an error that names the limit, and closing needs none', async () => {
    const { status, signal, stdout, stderr } = await runScript(
      `${LIMIT}
       const tracer = await polytrace.openTracer({ bufferSize: 131072, policies: [{ yaml: ${POLICY} }] });
       limit('--nproc=1:1');
       out(await open({ bufferSize: 131072 }));
       await tracer.removePolicy('exits');
       await tracer.close();
       out('closed');`,
      { command: AS_USER },
    );
    assert.deepEqual([status, signal, stderr], [0, null, '']);
    const [error = '', closed] = stdout.trim().split('\n');
    const [name, code, errno, message, hint] = JSON.parse(error) as string[];
    assert.deepEqual([name, code, errno], ['KernelError', 'LIMIT_THREADS', 'EAGAIN']);
    assert.match(message ?? '', /no thread can be started \(its limit is 1\)/);
    assert.match(hint ?? '', /pids\.max.*RLIMIT_NPROC/);
    assert.equal(closed, '"closed"');
  });

  it('no descriptor left: an error that names the limit, wherever it is reached; then tracing goes on', async () => {
    const { status, stdout, stderr } = await runScript(
      `${LIMIT}
       const { closeSync, openSync } = require('node:fs');
       polytrace.preflight(); // loads the addon
       limit('--nofile=240:4096');
       const codes = new Set();
       for (let spare = 0; spare < 200; spare += spare < 16 ? 1 : 9) {
         const taken = [];
         try {
           for (;;) taken.push(openSync('/dev/null'));
         } catch {}
         for (const fd of taken.splice(0, spare)) closeSync(fd);
         const [name, code] = await open({ bufferSize: 131072, policies: [{ yaml: ${POLICY} }] });
         for (const fd of taken) closeSync(fd);
         codes.add(code ?? name);
         if (name === 'no error') break;
       }
       const tracer = await polytrace.openTracer({ bufferSize: 131072, policies: [{ yaml: ${POLICY} }] });
       await tracer.close();
       out([...codes]);`,
    );
    assert.deepEqual([status, stderr], [0, '']);
    const codes = (JSON.parse(stdout) as string[]).filter((code) => code !== 'no error');
    assert.deepEqual(codes, ['LIMIT_DESCRIPTORS']);
  });

  it('no memory for the ring buffer: an error that names the limit', async () => {
    // The buffer is mapped twice: 1 GiB. 800 MiB are enough for V8 and for the threads, which take 72 MiB of addresses each.
    const { status, stdout, stderr } = await runScript(
      `${LIMIT}
       const bytes = Number(require('node:fs').readFileSync('/proc/self/statm', 'utf8').split(' ')[0]) * 4096;
       limit('--as=' + (bytes + 800 * 1024 * 1024));
       out(await open({ bufferSize: 512 * 1024 * 1024 }));`,
    );
    assert.deepEqual([status, stderr], [0, '']);
    const [name, code, errno, , hint] = JSON.parse(stdout) as string[];
    assert.deepEqual([name, code, errno], ['KernelError', 'LIMIT_MEMORY', 'ENOMEM']);
    assert.match(hint ?? '', /bufferSize.*memory\.max/);
  });
});
