// The tracer that the benchmark measures: tracer.mts ATTACH [POLICY]. It prints `ready` to standard error, and counts
// events.
import { openTracer, type TracerOptions } from 'polytrace';

const [attach, policy] = process.argv.slice(2);
const tracer = await openTracer({
  attach: attach as NonNullable<TracerOptions['attach']>,
  policies: policy === undefined ? [] : [policy],
  // nothing is refused: the policies of the package include one that blocks
  mode: 'monitor',
});
process.on('SIGTERM', () => void tracer.close());
const batches = tracer.batches();
const hookNames = tracer
  .policies()
  .flatMap(({ hooks }) => hooks.map((hook) => `${hook.functionName} (${hook.attach})`));
console.error(`ready: ${hookNames.join(', ')}`);
let events = 0;
for await (const batch of batches) events += batch.length;
console.error(`${events} events`);
