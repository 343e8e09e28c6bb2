/**
 * A flood of events from 20 agents into a cluster of three servers, while a server, an agent and a connection fail. For
 * each node, what was received and what was reported as lost is what was produced. Nothing comes twice or out of order.
 */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { openTracer, recorder } from 'polytrace';
import { escapeToken } from '../../lib/fleet/names.js';
import { NIGHTLY } from '../../../test/nightly.js';
import { createCollector } from '../collector.js';
import { needsRoot, OutputReader, spawnCommand, type RunningCommand } from '../native/support.js';
import { NatsCluster, missingServer } from './nats-cluster.js';
import type { FloodOptions } from './programs/recorded-agents.js';
import { TcpProxy } from './programs/tcp-proxy.js';
import { makeFolder, MEBIBYTE, openOperator, readUntil, type Received } from './support.js';

/** Events in a second of all agents, and seconds of the flood. One agent is disconnected, at night for a minute. */
const RATE = Number(process.env['FLEET_RATE'] ?? 20_000);
const SECONDS = Number(process.env['FLEET_SECONDS'] ?? 10);
const AWAY_MS = Number(process.env['FLEET_AWAY_MS'] ?? (NIGHTLY ? 60_000 : 4000));
const RECORDED = 18;
const TRACING = ['tracing-1', 'tracing-2'];

const PROGRAM = join(__dirname, 'programs/recorded-agents.ts');

function spawnRecorded(
  options: FloodOptions,
  first = 0,
): { readonly child: ChildProcess; readonly end: Promise<string | null> } {
  // not only tsx/cjs, because an agent imports what only some agents need
  const child = spawn(process.execPath, ['--import', 'tsx', PROGRAM, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, FIRST: String(first) },
  });
  const [output, errors] = [new OutputReader(child.stdout), new OutputReader(child.stderr)];
  const end = once(child, 'close').then(([code, signal]) => {
    if (signal === null) assert.equal(code, 0, errors.text);
    return signal === null ? output.text : null;
  });
  // a test that fails before it waits for the end reports its own error
  end.catch(() => undefined);
  return { child, end };
}

describe('a flood of events into a fleet', function () {
  this.timeout(300_000);
  const folder = makeFolder();
  const recording = join(folder.path, 'recording.jsonl');

  before(async function () {
    if (missingServer() !== undefined) this.skip();
    needsRoot.call(this);
    const tracer = await openTracer({ containers: false });
    const { header, lines } = recorder();
    const texts = [header];
    const events = tracer.events();
    for (let i = 0; i < 40; i++) await once(spawn('/bin/true'), 'exit');
    for await (const event of events) {
      texts.push(lines(event));
      if (texts.length > 80) break;
    }
    await tracer.close();
    writeFileSync(recording, texts.join(''));
  });
  after(() => folder.remove());

  it('received and lost are what was produced, for each of 20 agents', async () => {
    const cluster = await NatsCluster.start({ servers: 3 });
    const operator = await openOperator(cluster.urls(), { replicas: 3, maxBytes: 700 * MEBIBYTE, maxAgeMs: 3_600_000 });
    const proxy = await TcpProxy.open(cluster.addresses[1] as string);
    const agents: RunningCommand[] = [];
    const recorded: ReturnType<typeof spawnRecorded>[] = [];
    const startRecorded = (...args: Parameters<typeof spawnRecorded>): ReturnType<typeof spawnRecorded> => {
      const started = spawnRecorded(...args);
      recorded.push(started);
      return started;
    };
    const base = {
      servers: cluster.urls(),
      recording,
      folder: folder.path,
      rate: RATE / 20,
      events: (RATE / 20) * SECONDS,
    };
    try {
      for (const name of TRACING) agents.push(startTracing(name, cluster.urls(), folder.path));
      for (const { stderr } of agents) await stderr.waitFor('ready');
      const names = Array.from({ length: RECORDED }, (_, i) => `recorded.${i + 1}`);
      const startedAt = performance.now();
      const killed = startRecorded({ ...base, nodes: ['recorded.1'], killAt: base.events / 2 });
      const away = startRecorded({ ...base, servers: [proxy.url], nodes: ['recorded.2'] });
      const others = [names.slice(2, 10), names.slice(10)].map((nodes) => startRecorded({ ...base, nodes }));
      await waitForFile(join(folder.path, 'recorded.18.made'), [killed, away, ...others]);
      await cluster.kill(2);
      proxy.cut();
      assert.equal(await killed.end, null);
      const madeBefore = readMade(folder.path, 'recorded.1');
      const again = startRecorded({ ...base, nodes: ['recorded.1'] }, madeBefore);
      await wait(AWAY_MS);
      proxy.join();
      await cluster.restart(2);
      const results = await Promise.all([again.end, away.end, ...others.map(({ end }) => end)]);
      assert.ok(!results.includes(null));
      for (const { child } of agents) {
        child.kill('SIGTERM');
        await once(child, 'close');
      }
      const seconds = (performance.now() - startedAt) / 1000;

      const produced = new Map(names.map((name) => [name, readMade(folder.path, name)]));
      produced.set('recorded.1', (produced.get('recorded.1') ?? 0) + madeBefore);
      const times = new Map<string, readonly string[]>();
      for (const name of TRACING) {
        const exported = await readExported(join(folder.path, `${name}.jsonl`));
        produced.set(name, exported.count);
        times.set(name, exported.times);
      }
      const received = await readUntil(await operator.connection.connected(), { since: 1, follow: false }, () => false);
      let [events, lost] = [0, 0];
      for (const [name, count] of produced) {
        const node = received.get(`default.${escapeToken(name)}`) as Received;
        assert.equal(node.events + node.lost, count, `${name}: ${node.events} received, ${node.lost} lost`);
        const made = times.get(name);
        if (made === undefined) assert.deepEqual(node.disorder, { twice: 0, early: 0 }, name);
        else assertPart(node.times, made, name);
        events += node.events;
        lost += node.lost;
      }
      assert.equal(received.size, produced.size);
      console.log(
        `      ${events} events received, ${lost} lost, in ${seconds.toFixed(0)} s; servers: ${cluster.memory.map((bytes) => `${Math.round(bytes / MEBIBYTE)} MiB`).join(', ')}`,
      );
      console.log(
        `      lost: ${
          [...received]
            .map(([name, node]) => [...node.reasons].map(([reason, count]) => `${name} ${reason} ${count}`))
            .flat()
            .join(', ') || 'none'
        }`,
      );
    } finally {
      for (const { child } of [...agents, ...recorded]) if (child.exitCode === null) child.kill('SIGKILL');
      proxy.close();
      await operator.connection.close();
      await cluster.stop();
    }
  });

  it('an event costs the agent less than one for a collector', async () => {
    const cluster = await NatsCluster.start();
    const operator = await openOperator(cluster.urls());
    const collector = createCollector('http/protobuf');
    await collector.start();
    const measure = async (name: string, more: Partial<FloodOptions>): Promise<number> => {
      const path = join(folder.path, name);
      mkdirSync(path);
      const events = 40_000;
      const options = { servers: cluster.urls(), recording, folder: path, rate: 20_000, events, nodes: ['n'], ...more };
      const { cpuMicroseconds } = JSON.parse((await spawnRecorded(options).end) ?? '') as { cpuMicroseconds: number };
      return cpuMicroseconds / events;
    };
    try {
      const nothing = await measure('nothing', { collector: '-' });
      const fleet = (await measure('fleet', {})) - nothing;
      const otlp = (await measure('otlp', { collector: collector.url })) - nothing;
      console.log(`      for each event: ${fleet.toFixed(1)} µs to the fleet, ${otlp.toFixed(1)} µs to a collector`);
      assert.ok(fleet < otlp, `${fleet} and ${otlp}`);
    } finally {
      await collector.kill();
      await operator.connection.close();
      await cluster.stop();
    }
  });
});

function startTracing(name: string, servers: readonly string[], folder: string): RunningCommand {
  mkdirSync(join(folder, `${name}.policies`));
  return spawnCommand(
    ...['agent', '--node-name', name, '--fleet', servers.join(','), '--fleet-spool-dir', join(folder, `${name}.spool`)],
    ...[
      '--tracing-policy-dir',
      join(folder, `${name}.policies`),
      '--server-address',
      `unix://${join(folder, name)}.sock`,
    ],
    ...['--export-filename', join(folder, `${name}.jsonl`), '--export-file-max-size-mb', '1000', '--no-containers'],
  );
}

/** Rejects if one of the programs that make the file has failed. */
async function waitForFile(path: string, programs: readonly { readonly end: Promise<unknown> }[]): Promise<void> {
  let failure: unknown;
  for (const { end } of programs) end.catch((error: unknown) => (failure = error));
  while (!existsSync(path)) {
    if (failure !== undefined) throw failure as Error;
    await wait(20);
  }
}

function readMade(folder: string, name: string): number {
  return Number(readFileSync(join(folder, `${name}.made`), 'utf8'));
}

/** The events of a file with JSON lines, and those that it reports as lost. The times are those of the events. */
async function readExported(path: string): Promise<{ readonly count: number; readonly times: readonly string[] }> {
  let count = 0;
  const times: string[] = [];
  for await (const line of createInterface({ input: createReadStream(path) })) {
    const { lost, time = '' } = JSON.parse(line) as {
      readonly lost?: { readonly count: number };
      readonly time?: string;
    };
    count += lost?.count ?? 1;
    if (lost === undefined) times.push(time);
  }
  return { count, times };
}

/** Checks that the received events, without those that are lost, are the events of the agent in their order. */
function assertPart(received: readonly string[], made: readonly string[], name: string): void {
  let at = 0;
  for (const [i, time] of received.entries()) {
    while (at < made.length && made[at] !== time) at++;
    assert.ok(at < made.length, `${name}: event ${i} of ${received.length} (${time}) is not in its place`);
    at++;
  }
}
