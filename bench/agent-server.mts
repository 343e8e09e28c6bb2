// An agent without a kernel, in a process of its own: agent-server.mts SOCKET RATE SECONDS CLIENTS. When CLIENTS
// clients read from the socket, it sends them RATE made-up events a second. Then it prints the costs, and serves until
// it is killed.
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
  /** Anonymous memory at the end, when the slow client has everything in its queue, without garbage. */
  readonly rssAnonKib: number;
}

function readAnonymousKib(): number {
  return Number(/^RssAnon:\s*(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
}

async function serve(): Promise<ServerCosts> {
  const hub = new EventHub({ nodeName: 'bench' });
  const log = openLog({ level: 'error', format: 'json' }, process.stderr);
  const calls = new EventCalls(hub, log);
  // only GetEvents is called
  const service = sensorsService({ hub, calls, log } as Parameters<typeof sensorsService>[0], {
    readOnly: false,
    tlsAdmins: [],
  });
  await new GrpcServer({ addresses: [`unix://${socket}`] }, [service], log).listen();
  console.log('listening');
  while (hub.streams.size < clients) await sleep(1);

  const total = rate * seconds;
  const before = process.cpuUsage();
  const start = performance.now();
  let produced = 0;
  for await (const batch of new BatchIterator(openHub('file', total).addConsumer({}))) {
    hub.dispatch(batch);
    produced += batch.length;
    // yields to the event loop, also when the machine is too slow for the rate
    await sleep(Math.max(0, (produced / rate) * 1000 - (performance.now() - start)));
    if (produced === total) break;
  }
  const took = (performance.now() - start) / 1000;
  // events that wait for the slow client are sent later
  const { user, system } = process.cpuUsage(before);
  // how much garbage there is depends on what else the machine does
  globalThis.gc?.();
  return { produced, seconds: took, cpuUs: user + system, rssAnonKib: readAnonymousKib() };
}

console.log(JSON.stringify(await serve()));
