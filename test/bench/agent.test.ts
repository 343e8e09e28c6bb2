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
    const socket = join(folder, 'agent.sock');
    const args = [
      '--expose-gc',
      '--import',
      'tsx',
      'bench/agent-server.mts',
      socket,
      String(RATE),
      String(SECONDS),
      String(CLIENTS),
    ];
    const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] });
    server = child;
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    assert.equal((await lines.next()).value, 'listening');

    const readers = Array.from({ length: CLIENTS }, () => {
      const client = new RawClient(socket);
      clients.push(client);
      return { stream: client.call('GetEvents', frameMessage(Buffer.alloc(0))), counter: new EventCounter() };
    });
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
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  });
});
