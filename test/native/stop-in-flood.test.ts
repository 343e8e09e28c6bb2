/**
 * `getevents` that is stopped while events come faster than it can print them: each event before the stop is printed or
 * counted as lost, whatever the output is and however often the signal comes.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { needsOwnSpeed, needsRoot, ROOT, Workshop } from './support.js';

/** More than are printed until the signal, and more than fit into the ring buffer. */
const CALLS = 2_000_000;
/** Bytes that are printed before the signal. */
const BEFORE = 4 * 1024 * 1024;

interface Outcome {
  readonly status: number | null;
  readonly text: string;
  readonly errors: string;
}

describe('a stop in a flood of events', function () {
  this.timeout(120_000);
  before(needsRoot);
  before(needsOwnSpeed);
  let shop: Workshop;
  let program: string;
  let policy: string;
  let flood: ChildProcess | undefined;
  before(() => {
    shop = new Workshop();
    program = join(shop.folder, 'numbered');
    execFileSync('cc', ['-O1', '-o', program, join(__dirname, 'programs', 'numbered.c')]);
    policy = join(shop.folder, 'flood.yaml');
    writeFileSync(
      policy,
      `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: flood }
spec:
  uprobes: [{ path: ${program}, symbols: [act], args: [{ index: 0, type: int64 }] }]
`,
    );
  });
  afterEach(() => {
    flood?.kill('SIGKILL');
  });
  after(() => shop?.remove());

  async function startCommand(output: number | 'pipe'): Promise<{ child: ChildProcess; errors: () => string }> {
    const args = [join(ROOT, 'dist/cli/main.js'), 'getevents', '-o', 'json', '--policy', policy];
    const child = spawn(process.execPath, args, { stdio: ['ignore', output, 'pipe'] });
    let errors = '';
    child.stderr?.on('data', (bytes: Buffer) => (errors += bytes.toString()));
    while (!errors.includes('ready')) await once(child.stderr as NodeJS.ReadableStream, 'data');
    flood = spawn(program, ['0', String(CALLS)], { stdio: 'ignore' });
    return { child, errors: () => errors };
  }

  /** The output is a file. */
  async function stopToFile(send: (child: ChildProcess) => Promise<void>): Promise<Outcome> {
    const file = join(shop.folder, 'out.json');
    const descriptor = openSync(file, 'w');
    const { child, errors } = await startCommand(descriptor);
    closeSync(descriptor);
    while (statSync(file).size < BEFORE) await delay(5);
    const closed = once(child, 'close');
    await send(child);
    const [status] = (await closed) as [number | null];
    return { status, text: readFileSync(file, 'utf8'), errors: errors() };
  }

  /** The output is a pipe whose reader takes a part of it, and continues only after the signals. */
  async function stopToPipe(send: (child: ChildProcess) => Promise<void>): Promise<Outcome> {
    const { child, errors } = await startCommand('pipe');
    const chunks: Buffer[] = [];
    let read = 0;
    const stdout = child.stdout as Readable;
    for await (const chunk of stdout.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      if ((read += chunk.length) >= BEFORE) break;
    }
    const closed = once(child, 'close');
    // before the command ends: a stream without a listener would then be drained
    stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    stdout.pause();
    await send(child);
    stdout.resume();
    const [status] = (await closed) as [number | null];
    return { status, text: Buffer.concat(chunks).toString(), errors: errors() };
  }

  /** Checks the numbers of the calls. Returns how many were printed. */
  function assertCounted({ status, text, errors }: Outcome): number {
    assert.ok(text.endsWith('\n'), `status ${status}, the last line is not complete: ${text.slice(-200)} ${errors}`);
    const numbers = [...text.matchAll(/"process_uprobe":\{.*?"args":\[\{"long_arg":"?(\d+)/g)].map(([, number]) => Number(number));
    const lost = [...text.matchAll(/^\{"lost":\{.*?"count":(\d+)/gm)].reduce((sum, [, count]) => sum + Number(count), 0);
    assert.ok(numbers.length > 1000, `${numbers.length} events: ${text.slice(0, 500)}`);
    const produced = numbers.reduce((most, number) => Math.max(most, number), 0) + 1;
    assert.equal(new Set(numbers).size, numbers.length, 'no event is printed twice');
    const missing = produced - numbers.length - lost;
    assert.ok(missing <= 0, `${missing} of ${produced} calls are neither printed nor lost (${lost}) ${errors}`);
    return numbers.length;
  }

  const outputs = [['a file', stopToFile] as const, ['a pipe with a slow reader', stopToPipe] as const];
  for (const [output, stop] of outputs) {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      it(`${signal}, into ${output}`, async () => {
        const outcome = await stop((child) => {
          child.kill(signal);
          return Promise.resolve();
        });
        assert.equal(outcome.status, 0);
        assertCounted(outcome);
      });
    }

    // as `timeout` does, and npm at Ctrl-C: to the process, and to its group
    it(`SIGINT that comes twice at once, into ${output}`, async () => {
      const outcome = await stop(async (child) => {
        child.kill('SIGINT');
        await delay(100);
        child.kill('SIGINT');
      });
      // Node.js handles no signals while its process ends: then the second one kills it, after everything is printed
      assert.ok(outcome.status === 0 || outcome.status === null, `status ${outcome.status} ${outcome.errors}`);
      assert.doesNotMatch(outcome.errors, /missing/);
      assertCounted(outcome);
    });
  }
});
