// Prints who touches sensitive files. As root: node examples/watch-files.mjs
import { formatCompact, openTracer } from 'polytrace';

const tracer = await openTracer({ policies: ['polytrace:file-monitoring'] });
process.once('SIGINT', () => tracer.close());
for await (const event of tracer) {
  if (event.type === 'process_kprobe') console.log(formatCompact(event));
  else if (event.type === 'lost') console.error(`${event.count} events of ${event.hook} were lost`);
}
