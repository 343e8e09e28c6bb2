/** Enforcement has no gap while a policy is replaced, or when its tracer dies and the next one takes over. */
import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, rmSync, writeFileSync } from 'node:fs';
import { openTracer, removePersisted } from '../../lib/index.js';
import type { TracerEvent } from '../../types/index.js';
import { checkout, countPrograms, describeOn, kprobePolicy, waitForPrograms } from './support.js';

/** A program that only these tests start, so that actions cannot affect other processes. */
const CAT = '/tmp/kept-out';
const TARGET = '/tmp/kept-out.txt';
const FOLDER = '/sys/fs/bpf/polytrace-test';

const KILLS = kprobePolicy(
  'kept-out',
  `call: security_file_open
syscall: false
args:
- {index: 0, type: file}
selectors:
- matchArgs:
  - {index: 0, operator: Equal, values: [${TARGET}]}
  matchBinaries:
  - {operator: In, values: [${CAT}]}
  matchActions:
  - {action: Sigkill}`,
);

const readSignal = (): string | null => spawnSync(CAT, [TARGET]).signal;

/** Tries to open the file all the time, in a separate process, and records each try that succeeded. */
class Intruder {
  readonly #child: ChildProcess;
  #output = '';

  constructor() {
    rmSync('/tmp/enough', { force: true });
    const loop = `n=0; while ! test -e /tmp/enough; do ${CAT} ${TARGET} >/dev/null 2>&1 && echo through; n=$((n+1)); done; echo $n`;
    this.#child = spawn('/bin/sh', ['-c', loop], { stdio: ['ignore', 'pipe', 'ignore'] });
    this.#child.stdout?.on('data', (chunk) => (this.#output += String(chunk)));
  }

  /** Returns the number of tries. None of them may have succeeded. */
  async end(): Promise<number> {
    writeFileSync('/tmp/enough', '');
    await once(this.#child, 'close');
    assert.match(this.#output, /^\d+\n$/);
    return Number(this.#output);
  }
}

async function openElsewhere(): Promise<ChildProcess> {
  const body = `const { openTracer } = require('${checkout}/dist/index.js');
    openTracer({ policies: [{ yaml: ${JSON.stringify(KILLS)} }], enforcement: true, persist: '${FOLDER}' }).then(async (t) => {
      console.log('open');
      for await (const event of t);
    });`;
  const child = spawn(process.execPath, ['-e', body], {
    stdio: ['ignore', 'pipe', 'inherit'],
    cwd: checkout,
  });
  await once(child.stdout, 'data');
  return child;
}

describeOn('6.12', 'enforcement without a gap', function () {
  before(() => {
    copyFileSync('/bin/cat', CAT);
    writeFileSync(TARGET, 'read\n');
  });

  // A native test replaces a policy a hundred times. Here each time takes seconds.
  it('a policy that is replaced repeatedly never lets a try succeed', async () => {
    const tracer = await openTracer({ policies: [{ yaml: KILLS }], enforcement: true });
    const intruder = new Intruder();
    const until = Date.now() + 5_000;
    for (let i = 0; i < 3 || (i < 100 && Date.now() < until); i++) await tracer.replacePolicy({ yaml: KILLS });
    const tries = await intruder.end();
    await tracer.close();
    assert.ok(tries >= 3, `${tries} tries`);
    assert.equal(readSignal(), null);
  });

  it('after a tracer is killed, its policy continues; the next tracer takes it over; cleanup ends it', async () => {
    const before = countPrograms();
    const child = await openElsewhere();
    child.kill('SIGKILL');
    await once(child, 'exit');
    const intruder = new Intruder();
    for (let i = 0; i < 3; i++) assert.equal(readSignal(), 'SIGKILL');

    const tracer = await openTracer({ policies: [{ yaml: KILLS }], enforcement: true, persist: FOLDER });
    const first = (await tracer.batches({ policyNames: ['kept-out'] }).next()).value as readonly TracerEvent[];
    assert.ok(first.length >= 3);
    assert.equal(tracer.stats().takenOver?.unread, 0);
    assert.equal(readSignal(), 'SIGKILL');
    await tracer.close({ keep: true });
    assert.equal(readSignal(), 'SIGKILL');
    assert.ok((await intruder.end()) > 3);

    assert.ok((await removePersisted(FOLDER)).length > 5);
    assert.equal(readSignal(), null);
    assert.ok(!existsSync(FOLDER));
    await waitForPrograms(before);
  });
});
