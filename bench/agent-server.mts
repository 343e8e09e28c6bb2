// An agent without a kernel, in a process of its own: agent-server.mts SOCKET RATE SECONDS CLIENTS. It serves made-up records at the
// socket, RATE a second, as soon as so many clients read. Then it prints what that cost, and serves until it is killed.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { BatchIterator, EventCalls, EventHub, GrpcServer, openLog, sensorsService } from './dist.mjs';
import { openHub } from './stream.mjs';

const [socket = '', ...numbers] = process.argv.slice(2);
const [rate = 0, seconds = 0, clients = 0] = numbers.map(Number);

interface ServerCosts {
  readonly produced: number;
  readonly seconds: number;
  /** Microseconds of processor time of all threads. */
  readonly cpuUs: number;
  /** The most anonymous memory that was seen. */
  readonly rssAnonKib: number;
}

function anonymousKib(): number {
  return Number(/^RssAnon:\s*(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
}

async function serve(): Promise<ServerCosts> {
  const hub = new EventHub({ nodeName: 'bench' });
  const log = openLog({ level: 'error', format: 'json' }, process.stderr);
  const calls = new EventCalls(hub, log);
  // only GetEvents is called
  const service = sensorsService({ hub, calls, log } as Parameters<typeof sensorsService>[0]);
  await new GrpcServer({ addresses: [`unix://${socket}`] }, [service], log).listen();
  console.log('listening');
  while (hub.streams.size < clients) await sleep(1);

  const total = rate * seconds;
  const before = process.cpuUsage();
  const start = performance.now();
  let produced = 0;
  let rssAnonKib = 0;
  const sample = setInterval(() => (rssAnonKib = Math.max(rssAnonKib, anonymousKib())), 100);
  for await (const batch of new BatchIterator(openHub('file', total).join({}))) {
    hub.give(batch);
    produced += batch.length;
    // the clients have their turn, also when the machine is late
    await sleep(Math.max(0, (produced / rate) * 1000 - (performance.now() - start)));
    if (produced === total) break;
  }
  const took = (performance.now() - start) / 1000;
  // what waits for the slow client is sent later
  const { user, system } = process.cpuUsage(before);
  clearInterval(sample);
  return { produced, seconds: took, cpuUs: user + system, rssAnonKib: Math.max(rssAnonKib, anonymousKib()) };
}

console.log(JSON.stringify(await serve()));
