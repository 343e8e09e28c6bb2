/**
 * Processes whose files do not answer, and processes with very many mappings: the event loop of the tracer is never
 * blocked by them. Each test runs in a process of its own, which a call that never returns would block.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { SilentFuse } from '../silent-fuse.js';
import { needsOwnSpeed, needsRoot, runScript, Workshop } from './support.js';

const MAPPINGS = 64_000;
const EVENTS = 20;
/** The machine may be busy: the time counts in which this process had the processor. */
const WATCH = `const { readFileSync } = require('node:fs');
const time = () => performance.now() - Number(readFileSync('/proc/self/task/' + process.pid + '/schedstat', 'utf8').split(' ')[1]) / 1e6;
let worst = 0, last = time();
(function turn() { const now = time(); worst = Math.max(worst, now - last); last = now; setTimeout(turn, 1).unref(); })();`;
const DELAY_MS = 200;

describe('files that do not answer', function () {
  this.timeout(120_000);
  before(needsRoot);
  let shop: Workshop;
  let fuse: SilentFuse | undefined;
  const children: ChildProcess[] = [];
  before(() => (shop = new Workshop()));
  afterEach(async () => {
    await fuse?.unmount();
    fuse = undefined;
    for (const child of children.splice(0)) child.kill('SIGKILL');
  });
  after(() => shop?.remove());

  function compile(name: string, ...flags: readonly string[]): string {
    const program = join(shop.folder, name);
    execFileSync('cc', ['-O1', ...flags, '-o', program, join(__dirname, 'programs', `${name}.c`)]);
    return program;
  }

  async function start(program: string, ...args: readonly string[]): Promise<ChildProcess> {
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    children.push(child);
    await once(child.stdout as NodeJS.ReadableStream, 'data');
    return child;
  }

  it('a tracer opens beside a running program whose file system is dead', async () => {
    fuse = await SilentFuse.mount(join(shop.folder, 'mount'), compile('hanging', '-static'));
    const child = await start(fuse.program);
    fuse.stop();
    const { status, stdout, stderr } = await runScript(
      `${WATCH}
       const tracer = await polytrace.openTracer();
       const { executable, binaryUntrusted } = tracer.process(${child.pid ?? 0});
       const own = tracer.process(process.ppid);
       await tracer.close();
       out([worst, executable, binaryUntrusted, own.argv.length > 0]);`,
      { timeout: 60_000 },
    );
    assert.deepEqual([status, stderr], [0, '']);
    const [worst, executable, untrusted, hasArguments] = JSON.parse(stdout) as [number, string, boolean, boolean];
    assert.ok(worst < DELAY_MS, `${worst.toFixed()} ms`);
    assert.deepEqual([executable, untrusted, hasArguments], [fuse.program, true, true]);
  });

  for (const [silence, what] of [
    ['stop', 'nothing'],
    ['hold', 'only the beginning'],
  ] as const) {
    it(`a uprobe on a file of which ${what} can be read is refused, and other policies go on`, async () => {
      const silent = await SilentFuse.mount(join(shop.folder, `probed-${silence}`), compile('hanging', '-static'));
      fuse = silent;
      silent[silence]();
      const policy = (name: string, path: string): string =>
        JSON.stringify(`apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: ${name} }
spec:
  uprobes: [{ path: ${path}, symbols: [main] }]`);
      const { status, stdout, stderr } = await runScript(
        `${WATCH}
         const tracer = await polytrace.openTracer();
         const refused = await tracer.addPolicy({ yaml: ${policy('silent', silent.program)} }).then(() => ['added'], ({ code, message }) => [code, message]);
         await tracer.addPolicy({ yaml: ${policy('other', shop.helper)} });
         const names = tracer.policies().map(({ name }) => name);
         await tracer.close();
         out([worst, refused, names]);`,
        // the kernel lets no process end that waits for a file
        { timeout: 60_000, onOutput: () => silent.go() },
      );
      assert.deepEqual([status, stderr], [0, '']);
      const [worst, [code, message], names] = JSON.parse(stdout) as [number, [string, string], string[]];
      assert.ok(worst < DELAY_MS, `${worst.toFixed()} ms`);
      assert.equal(code, 'FILE_NOT_ANSWERING');
      assert.ok(message.includes(`${silent.program} does not answer`), message);
      assert.deepEqual(names, ['other']);
    });
  }

  it('stack traces of a process with 64,000 mappings', async function () {
    needsOwnSpeed.call(this);
    const program = compile('mappings', '-fno-omit-frame-pointer', '-rdynamic');
    const yaml = `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: mappings }
spec:
  uprobes: [{ path: ${program}, symbols: [probed], selectors: [{ matchActions: [{ action: Post, userStackTrace: true }] }] }]`;
    const { status, stdout, stderr } = await runScript(
      `const { once } = require('node:events');
       const child = require('node:child_process').spawn(${JSON.stringify(program)}, ['${MAPPINGS}'], { stdio: ['pipe', 'pipe', 'inherit'] });
       await once(child.stdout, 'data');
       const tracer = await polytrace.openTracer({ policies: [{ yaml: ${JSON.stringify(yaml)} }] });
       const events = tracer.events();
       const times = [], symbols = new Set();
       for (let i = 0; i <= ${EVENTS}; i++) {
         const before = mainThreadMs();
         child.stdin.write('go\\n');
         for (;;) {
           const { value } = await events.next();
           if (value.type !== 'process_uprobe') continue;
           symbols.add(value.userStack[0].symbol);
           break;
         }
         times.push(mainThreadMs() - before);
       }
       function mainThreadMs() {
         return Number(require('node:fs').readFileSync('/proc/self/task/' + process.pid + '/schedstat', 'utf8').split(' ')[0]) / 1e6;
       }
       child.stdin.end();
       await tracer.close();
       times.shift(); // the first one also compiles code and reads files
       out([times.sort((a, b) => a - b)[${EVENTS} / 2], [...symbols]]);`,
      { timeout: 100_000 },
    );
    assert.deepEqual([status, stderr], [0, '']);
    const [median, symbols] = JSON.parse(stdout) as [number, string[]];
    console.log(`      ${median.toFixed(2)} ms of the main thread for an event`);
    assert.deepEqual(symbols, ['probed']);
    assert.ok(median < 15, `${median.toFixed(1)} ms`);
  });

  it('a command of run whose file system is dead: the process goes on, and an abort ends the command', async () => {
    fuse = await SilentFuse.mount(join(shop.folder, 'mount-run'), compile('hanging', '-static'));
    // of a request that the file system has taken, the kernel would wait for the answer in spite of any signal
    await fuse.ignore();
    const { status, stdout, stderr } = await runScript(
      `${WATCH}
       const stop = new AbortController();
       const handle = await polytrace.run(['${fuse.program}'], { signal: stop.signal, cwd: '/' });
       // the child waits in its exec: its task is in the file system
       const hangs = () => readFileSync('/proc/' + handle.pid + '/wchan', 'utf8').includes('fuse') || readFileSync('/proc/' + handle.pid + '/syscall', 'utf8').startsWith('59 ');
       while (!hangs()) await new Promise((resolve) => setTimeout(resolve, 5));
       worst = 0;
       const turns = [];
       for (let i = 0; i < 20; i++) turns.push(await new Promise((resolve) => setTimeout(resolve, 1, i)));
       stop.abort();
       const { exitCode, signal } = await handle.summary;
       out([worst, turns.length, exitCode, signal]);`,
      { timeout: 60_000 },
    );
    assert.equal(status, 0, stderr);
    const [worst, turns, exitCode, signal] = JSON.parse(stdout) as number[];
    assert.ok((worst ?? Infinity) < DELAY_MS, `${worst} ms`);
    assert.deepEqual([turns, exitCode, signal], [20, 143, 15]);
  });
});
