/** The agent under load, without a kernel: many events to three clients, one of them slow. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { EventCounter, frameMessage, RawClient, waitUntil } from '../../agent/test/unit/grpc/server.js';
import { NIGHTLY } from '../nightly.js';
import { ROOT } from '../project.js';

const SECONDS = NIGHTLY ? 60 : 3;
const RATE = 100_000;
const CLIENTS = 3;
/** Bytes that the slow client reads ten times a second. To keep up, it would have to read two hundred times as many. */
const SLOW_BYTES = 8 * 1024;
/**
 * The process also contains the sources of the benchmark and Node.js itself. Queued events take at most 12 MiB of it. In a
 * queue without a limit, those that the slow client loses would take another 140 MiB.
 */
const RSS_MAX_KIB = 240 * 1024;

/** Each of many clients gets a moderate rate. */
const MANY = { clients: 50, rate: 2000, seconds: NIGHTLY ? 30 : 3 };

interface Reader {
  readonly stream: ReturnType<RawClient['call']>;
  readonly counter: EventCounter;
}

describe('the agent under load', function () {
  this.timeout(SECONDS * 10_000 + 120_000);
  let folder: string;
  let server: ChildProcess | undefined;
  const clients: RawClient[] = [];

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'polytrace-load-'));
  });
  after(() => {
    for (const client of clients) client.close();
    server?.kill('SIGKILL');
    rmSync(folder, { recursive: true });
  });

  it(`${RATE} events a second for ${SECONDS} s: each client receives every event or counts it as lost`, async () => {
    const { lines, readers } = await start(RATE, SECONDS, CLIENTS);
    const [slow, ...fast] = readers;
    assert.ok(slow !== undefined);
    for (const { stream, counter } of fast) stream.on('data', (chunk: Buffer) => counter.add(chunk));
    const sip = setInterval(() => {
      for (let left = SLOW_BYTES; left > 0;) {
        const chunk = slow.stream.read() as Buffer | null;
        if (chunk === null) break;
        slow.counter.add(chunk);
        left -= chunk.length;
      }
    }, 100);
    const line = (await lines.next()) as IteratorResult<string, undefined>;
    clearInterval(sip);
    const { produced, measured, seconds, cpuUs, rssAnonKib } = JSON.parse(line.value ?? '') as {
      readonly produced: number;
      readonly measured: number;
      readonly seconds: number;
      readonly cpuUs: number;
      readonly rssAnonKib: number;
    };
    assert.equal(produced, RATE * SECONDS);
    slow.stream.on('data', (chunk: Buffer) => slow.counter.add(chunk));
    slow.stream.resume();
    for (const { counter } of readers) await waitUntil(() => counter.received + counter.lost >= produced);
    for (const [i, { counter }] of readers.entries()) {
      console.log(`      client ${i + 1}: ${counter.received} received, ${counter.lost} lost`);
      assert.equal(counter.received + counter.lost, produced);
    }
    assert.ok(slow.counter.lost > 0 && slow.counter.received > 0);
    console.log(
      `      ${produced} events in ${seconds.toFixed(1)} s: ${(cpuUs / measured).toFixed(2)} µs CPU an event, ` +
        `${(rssAnonKib / 1024).toFixed(0)} MiB RssAnon`,
    );
    assert.ok(rssAnonKib < RSS_MAX_KIB, `${rssAnonKib} KiB of anonymous memory`);
    await stop();
  });

  it(`${MANY.rate} events a second to ${MANY.clients} clients: each receives every event or counts it as lost`, async () => {
    const { lines, readers } = await start(MANY.rate, MANY.seconds, MANY.clients);
    for (const { stream, counter } of readers) stream.on('data', (chunk: Buffer) => counter.add(chunk));
    const line = (await lines.next()) as IteratorResult<string, undefined>;
    const { produced, measured, cpuUs } = JSON.parse(line.value ?? '') as Record<string, number>;
    assert.ok(produced !== undefined && measured !== undefined && cpuUs !== undefined);
    assert.equal(produced, MANY.rate * MANY.seconds);
    await waitUntil(() => readers.every(({ counter }) => counter.received + counter.lost >= produced));
    // nothing comes twice
    for (const { counter } of readers) assert.equal(counter.received + counter.lost, produced);
    const lost = readers.reduce((sum, { counter }) => sum + counter.lost, 0);
    console.log(`      ${lost} lost of all clients; ${(cpuUs / measured).toFixed(1)} µs CPU an event`);
    await stop();
  });

  async function start(
    rate: number,
    seconds: number,
    clientCount: number,
  ): Promise<{ readonly lines: AsyncIterator<string>; readonly readers: readonly Reader[] }> {
    const socket = join(folder, `agent-${clientCount}.sock`);
    const numbers = [rate, seconds, clientCount].map(String);
    const args = ['--expose-gc', '--import', 'tsx', 'bench/agent-server.mts', socket, ...numbers];
    const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] });
    server = child;
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    assert.equal((await lines.next()).value, 'listening');
    const readers = Array.from({ length: clientCount }, () => {
      const client = new RawClient(socket);
      clients.push(client);
      return { stream: client.call('GetEvents', frameMessage(Buffer.alloc(0))), counter: new EventCounter() };
    });
    return { lines, readers };
  }

  async function stop(): Promise<void> {
    for (const client of clients.splice(0)) client.close();
    const child = server;
    if (child === undefined) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
    server = undefined;
  }
});
