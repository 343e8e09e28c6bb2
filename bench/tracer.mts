// A tracer for the benchmark to measure beside: tracer.mts ATTACH [POLICY]. Counts events and prints `ready` on stderr.
import { openTracer, type TracerOptions } from 'polytrace';

const [attach, policy] = process.argv.slice(2);
const tracer = await openTracer({
  attach: attach as NonNullable<TracerOptions['attach']>,
  policies: policy === undefined ? [] : [policy],
});
process.on('SIGTERM', () => void tracer.close());
const batches = tracer.batches();
const ways = tracer.policies().flatMap(({ hooks }) => hooks.map((hook) => `${hook.functionName} (${hook.attach})`));
console.error(`ready: ${ways.join(', ')}`);
let events = 0;
for await (const batch of batches) events += batch.length;
console.error(`${events} events`);
