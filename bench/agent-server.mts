// An agent without a kernel, in a process of its own: agent-server.mts SOCKET RATE SECONDS CLIENTS [SUBJECT [bare]]. When
// CLIENTS clients read from the socket, it sends them RATE made-up events a second. Then it prints the costs, and serves
// until it is killed. `bare`: no agent, but an HTTP/2 server that writes the same number of bytes.
import { readFileSync } from 'node:fs';
import { createServer, type ServerHttp2Stream } from 'node:http2';
import { setTimeout as sleep } from 'node:timers/promises';
import { BatchIterator, EventCalls, EventHub, GrpcServer, messageFrames, openLog, sensorsService } from './dist.mjs';
import { agentFrames, openHub, type Subject } from './stream.mjs';

const [socket = '', ...more] = process.argv.slice(2);
const [rate = 0, seconds = 0, clients = 0] = more.slice(0, 3).map(Number);
const [subject = 'file', server = 'agent'] = more.slice(3);

const WARM_UP_EVENTS = 400_000;
/** The header of a message in gRPC. */
const HEADER = 5;
/** The part of the events that is not measured, because functions are compiled. */
const WARM_UP = 0.25;

export interface ServerCosts {
  readonly produced: number;
  /** Number of events after the functions were compiled. */
  readonly measured: number;
  readonly seconds: number;
  /** Microseconds of processor time of all threads for the measured events. */
  readonly cpuUs: number;
  /** Anonymous memory at the end, when the slow client has everything in its queue, without garbage. */
  readonly rssAnonKib: number;
}

function readAnonymousKib(): number {
  return Number(/^RssAnon:\s*(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
}

type Batch = Parameters<InstanceType<typeof EventHub>['dispatch']>[0];

interface Server {
  readonly clients: () => number;
  readonly send: (batch: Batch) => void;
}

async function openAgent(): Promise<Server> {
  // the events are made by the modules from which the library is bundled
  const hub = new EventHub({ nodeName: 'bench', createFrames: messageFrames });
  const log = openLog({ level: 'error', format: 'json' }, process.stderr);
  const calls = new EventCalls(hub, log);
  await warmUpHub(hub);
  // only GetEvents is called
  const service = sensorsService({ hub, calls, log } as Parameters<typeof sensorsService>[0], {
    readOnly: false,
    tlsAdmins: [],
  });
  await new GrpcServer({ addresses: [`unix://${socket}`] }, [service], log).listen();
  return { clients: () => hub.streams.size, send: (batch) => hub.dispatch(batch) };
}

/** An agent runs for days: its functions are compiled before the clients connect. Their connections are not warm. */
async function warmUpHub(hub: InstanceType<typeof EventHub>): Promise<void> {
  const target = Buffer.alloc(2 ** 20);
  const stream = hub.subscribe({
    filterKey: '',
    send: (frames, sent) => {
      frames.copy(target.subarray(0, frames.byteLength + HEADER), HEADER);
      setImmediate(sent);
    },
  });
  let produced = 0;
  for await (const batch of new BatchIterator(openHub(subject as Subject, WARM_UP_EVENTS).addConsumer({}))) {
    hub.dispatch(batch);
    if ((produced += batch.length) === WARM_UP_EVENTS) break;
  }
  hub.unsubscribe(stream);
}

/** Writes each batch with one write to each client. The messages of the first batch are sent again and again. */
async function openBareServer(): Promise<Server> {
  const streams = new Set<ServerHttp2Stream>();
  const http = createServer();
  http.on('stream', (stream) => {
    stream.respond({ 'content-type': 'application/grpc' });
    stream.on('close', () => streams.delete(stream));
    streams.add(stream);
  });
  await new Promise<void>((resolve) => http.listen(socket, resolve));
  const format = agentFrames();
  let first: { readonly frames: Buffer; readonly ends: readonly number[] } | undefined;
  const send = (batch: Batch): void => {
    first ??= splitFrames(Buffer.from(format(batch as Parameters<typeof format>[0])));
    const { frames, ends } = first;
    for (let left = batch.length; left > 0; left -= ends.length) {
      const bytes = frames.subarray(0, ends[Math.min(left, ends.length) - 1]);
      for (const stream of streams) stream.write(bytes);
    }
  };
  return { clients: () => streams.size, send };
}

function splitFrames(frames: Buffer): { readonly frames: Buffer; readonly ends: readonly number[] } {
  const ends: number[] = [];
  for (let at = 0; at < frames.length;) ends.push((at += HEADER + frames.readUInt32BE(at + 1)));
  return { frames, ends };
}

/** Processor time so far, in microseconds. */
function readCpuUs(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

async function serve(): Promise<ServerCosts> {
  const target = await (server === 'bare' ? openBareServer() : openAgent());
  console.log('listening');
  while (target.clients() < clients) await sleep(1);

  const total = rate * seconds;
  const warmUp = WARM_UP * total;
  const start = performance.now();
  let before = readCpuUs();
  let produced = 0;
  let measuredFrom = 0;
  for await (const batch of new BatchIterator(openHub(subject as Subject, total).addConsumer({}))) {
    if (measuredFrom === 0 && produced >= warmUp) [before, measuredFrom] = [readCpuUs(), produced];
    target.send(batch);
    produced += batch.length;
    // yields to the event loop, also when the machine is too slow for the rate
    await sleep(Math.max(0, (produced / rate) * 1000 - (performance.now() - start)));
    if (produced === total) break;
  }
  const took = (performance.now() - start) / 1000;
  // events that wait for the slow client are sent later
  const cpuUs = readCpuUs() - before;
  // how much garbage there is depends on what else the machine does
  globalThis.gc?.();
  return { produced, measured: produced - measuredFrom, seconds: took, cpuUs, rssAnonKib: readAnonymousKib() };
}

console.log(JSON.stringify(await serve()));
