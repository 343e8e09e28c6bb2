// An HTTP service that embeds polytrace: a worker thread traces, the main thread answers. As root:
//
//   node examples/service.mjs [POLICY...]        then: curl http://127.0.0.1:8080/programs
//
// The environment variable PORT sets the port. /healthz is for a supervisor: 200 while events are read, 503 before and
// after.
import { createServer } from 'node:http';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { openTracer } from 'polytrace';

/** Limit of the programs that are counted. Processes can execute any number of programs. */
const PROGRAMS_MAX = 10_000;

async function trace() {
  const tracer = await openTracer({ policies: workerData.policies });
  // the worker ends when the tracer has delivered its last events
  parentPort.on('message', () => void tracer.close());
  parentPort.postMessage({ kind: 'ready' });
  for await (const batch of tracer.batches({ types: ['process_exec', 'process_kprobe', 'process_lsm'] })) {
    // events cannot be posted to another thread, so only the required values are posted
    const programs = batch.filter((event) => event.type !== 'lost').map((event) => event.process.binary);
    const lost = batch.reduce((sum, event) => sum + (event.type === 'lost' ? event.count : 0), 0);
    parentPort.postMessage({ kind: 'batch', programs, lost });
  }
  parentPort.close();
}

function serve() {
  const counts = new Map();
  const health = { isReady: false, lost: 0, error: undefined };
  const worker = new Worker(new URL(import.meta.url), { workerData: { policies: process.argv.slice(2) } });
  worker.on('message', ({ kind, programs = [], lost = 0 }) => {
    if (kind === 'ready') health.isReady = true;
    health.lost += lost;
    for (const name of programs) {
      if (counts.has(name) || counts.size < PROGRAMS_MAX) counts.set(name, (counts.get(name) ?? 0) + 1);
    }
  });
  worker.on('error', (error) => (health.error = `${error.message} (${error.hint ?? ''})`));

  const server = createServer((request, response) => {
    const answer = (status, body) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`);
    };
    if (request.url === '/healthz') answer(health.isReady ? 200 : 503, health);
    else if (request.url === '/programs') answer(200, Object.fromEntries(counts));
    else answer(404, { error: 'there are /healthz and /programs' });
  });
  worker.on('exit', () => {
    health.isReady = false;
    if (health.error === undefined) return;
    // without tracing, the service should end
    console.error(health.error);
    process.exitCode = 1;
    server.close();
  });

  const stop = () => {
    worker.postMessage('stop');
    worker.once('exit', () => {
      server.close();
      server.closeAllConnections();
    });
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  server.listen(Number(process.env.PORT ?? 8080), '127.0.0.1', () => {
    console.log(`http://127.0.0.1:${server.address().port}`);
  });
}

if (isMainThread) serve();
else await trace();
