/**
 * An hour of files, clients, scrapers and processes that misbehave at once: the agent answers, keeps its policies, counts
 * each event, and needs no more memory and descriptors at the end than at the beginning. `npm run test:nightly -- soak`.
 * SOAK_MINUTES sets the time, and SOAK_CSV the file of the samples.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EventCounter, frameMessage, RawClient, waitUntil } from '../unit/grpc/server.js';
import {
  loadPolicy,
  Machine,
  needsRoot,
  needsTracefs,
  openatPolicy,
  ProtocolClient,
  runCommand,
  type Reply,
} from '../native/support.js';
import { clientActions, fileActions, Loop, processActions, scraperActions } from './mischief.js';
import { measureProcess, SampleFile, type Sample } from './samples.js';

const MINUTES = Number(process.env['SOAK_MINUTES'] ?? 60);
const CSV = process.env['SOAK_CSV'] ?? join(tmpdir(), 'polytrace-soak.csv');
const SAMPLE_MS = 10_000;
/** Counted events a second. */
const RATE = 500;
const PROGRAM = join(__dirname, '../native/programs/load.c');
/** An agent under these loads has about 150 MiB. */
const ANONYMOUS_MAX_MIB = 400;
/** Growth of the memory from the first to the last quarter. */
const GROWTH_MAX_MIB = 40;
/** Descriptors that one more connection, or a file that is just being read, may need at the end. */
const DESCRIPTORS_MORE = 10;
const REQUEST_MAX_MS = 30_000;
const PROBE_MS = 5000;

describe(`the agent for ${MINUTES} minutes`, function () {
  this.timeout(MINUTES * 60_000 + 300_000);
  const samples = new SampleFile(CSV);
  let machine: Machine;
  let client: ProtocolClient;
  let counter: EventCounter;
  let watcher: RawClient;
  let url: string;

  before(needsRoot);
  before(needsTracefs);
  before(async () => {
    machine = new Machine();
    const program = join(machine.folder, 'load');
    execFileSync('cc', ['-O2', '-o', program, PROGRAM]);
    writeFileSync(join(machine.policies, 'load.yaml'), loadPolicy(program));
    writeFileSync(join(machine.policies, 'guard.yaml'), openatPolicy('guard', '/never'));
    const chain = ['--export-chain', '--export-chain-dir', join(machine.folder, 'chain')];
    const file = ['--export-filename', join(machine.folder, 'events.json'), '--export-file-compress'];
    await machine.start('--metrics-server', '127.0.0.1:0', ...file, ...chain);
    url = /"(http:[^"]+)"/.exec(machine.agent.stderr.text)?.[1] ?? '';
    client = new ProtocolClient(machine.address);
    // GetEvents with allow_list { policy_names: "load" }
    const names = Buffer.from('R\u0004load', 'latin1');
    watcher = new RawClient(machine.socket);
    const stream = watcher.call('GetEvents', frameMessage(Buffer.concat([Buffer.from([0x0a, names.length]), names])));
    counter = new EventCounter(({ hook, policyName }) => hook === 'GetEvents' || policyName === 'load');
    stream.on('data', (chunk: Buffer) => counter.add(chunk));
    await once(stream, 'response');
  });
  after(async () => {
    watcher?.close();
    client?.close();
    await machine?.remove();
  });

  async function takeSample(begun: number): Promise<void> {
    const asked = performance.now();
    const policies = ((await client.call('ListTracingPolicies'))['policies'] ?? []) as Reply[];
    const requestMs = Math.round(performance.now() - asked);
    const enabled = policies.filter(({ state }) => state === 'TP_STATE_ENABLED').map(({ name }) => name);
    samples.add({
      seconds: Math.round((performance.now() - begun) / 1000),
      ...measureProcess(machine.agent.child.pid ?? 0),
      received: counter.received,
      lost: counter.lost,
      policies: policies.length,
      requestMs,
      probeMs: await probe(),
      isGuarded: enabled.includes('guard') && enabled.includes('load'),
    });
  }

  /** Clients can fill the port, so its answers are plotted and not asserted. */
  async function probe(): Promise<number> {
    const asked = performance.now();
    const isAnswered = await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(PROBE_MS) }).then(
      ({ ok }) => ok,
      () => false,
    );
    return isAnswered ? Math.round(performance.now() - asked) : -1;
  }

  async function misbehave(): Promise<void> {
    const begun = performance.now();
    const load = spawn(join(machine.folder, 'load'), [String(RATE), String(MINUTES * 60)], { stdio: 'ignore' });
    const ended = once(load, 'exit');
    const loops = [fileActions(machine), clientActions(machine), scraperActions(url), processActions()].map(
      (actions) => new Loop(actions),
    );
    while (load.exitCode === null && load.signalCode === null) {
      await takeSample(begun);
      await Promise.race([sleep(SAMPLE_MS), ended]);
    }
    await Promise.all(loops.map((loop) => loop.stop()));
    console.log(`      actions: ${loops.map(({ runs }) => runs).join(', ')}`);
  }

  it('answers, keeps its policies, counts each event, and does not grow', async () => {
    const { descriptors: before } = measureProcess(machine.agent.child.pid ?? 0);
    await misbehave();
    const produced = RATE * MINUTES * 60;
    await waitUntil(() => counter.received + counter.lost >= produced);
    console.log(samples.plot().replace(/^/gm, '      '));
    console.log(`      ${produced} events: ${counter.received} received, ${counter.lost} lost; ${CSV}`);
    assert.equal(counter.received + counter.lost, produced);
    assert.deepEqual(samples.samples.filter(({ isGuarded }) => !isGuarded), []); // prettier-ignore
    assertBound('requestMs', REQUEST_MAX_MS);
    assertBound('anonymousMib', ANONYMOUS_MAX_MIB);
    assertNoGrowth();
    await waitUntil(() => measureProcess(machine.agent.child.pid ?? 0).descriptors <= before + DESCRIPTORS_MORE);
  });

  it('its export is a chain without a gap', async () => {
    assert.equal(await machine.stop(), 0);
    const files = readdirSync(machine.folder).filter((name) => /^events.*json/.test(name)).map((name) => join(machine.folder, name)); // prettier-ignore
    const keys = ['--checkpoints', join(machine.folder, 'chain/checkpoints.jsonl'), '--key', join(machine.folder, 'chain/public.pem')]; // prettier-ignore
    const { status, stdout, stderr } = await runCommand('verify', ...files, ...keys);
    console.log(stdout.trimEnd().replace(/^/gm, '      '));
    assert.deepEqual([status, stderr], [0, '']);
  });

  function assertBound(key: 'requestMs' | 'anonymousMib', most: number): void {
    const worst = Math.max(...samples.samples.map((sample) => sample[key]));
    assert.ok(worst <= most, `${key}: ${worst}`);
  }

  /** The first minutes of a process are left out, in which its memory grows to what it needs. */
  function assertNoGrowth(): void {
    const peak = (part: readonly Sample[]): number => Math.max(...part.map(({ anonymousMib }) => anonymousMib));
    const quarter = Math.floor(samples.samples.length / 4);
    if (quarter < 10) return;
    const first = peak(samples.samples.slice(quarter, 2 * quarter));
    const last = peak(samples.samples.slice(-quarter));
    assert.ok(last <= first + GROWTH_MAX_MIB, `${first} MiB in the second quarter, ${last} MiB in the last`);
  }
});
