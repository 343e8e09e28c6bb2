/**
 * A service that embeds polytrace: it has work of its own, takes a policy while it runs, counts what programs read and
 * write, and ends with an AbortSignal. As root: npx tsx examples/embed.ts [SECONDS]
 */
import { KernelError, openTracer, PolicyError, type ProcessKprobeEvent, type Tracer } from 'polytrace';

/** Counts accesses by program and file until the signal is aborted. */
async function countAccesses(tracer: Tracer, signal: AbortSignal): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for await (const event of tracer.events({ types: ['process_kprobe'], signal })) {
    if (event.type === 'process_kprobe') {
      const key = `${event.process.binary} ${filePath(event)}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    } else if (event.type === 'lost') {
      // The kernel never waits for a reader. It counts the events that it drops, so the sum of both counts is exact.
      console.error(`lost ${event.count} of ${event.hook}: ${event.reason}`);
    }
  }
  return counts;
}

/** Returns the path of a file argument. `args` is a union that `type` discriminates. */
function filePath(event: ProcessKprobeEvent): string {
  for (const argument of event.args) if (argument.type === 'file' || argument.type === 'path') return argument.path;
  return '?';
}

async function main(seconds: number): Promise<void> {
  const tracer = await openTracer({ bufferSize: 16 * 1024 * 1024 });
  const stopped = new AbortController();
  process.once('SIGINT', () => stopped.abort());
  const timer = setTimeout(() => stopped.abort(), seconds * 1000);
  try {
    const counting = countAccesses(tracer, stopped.signal);
    for (const { name, hooks } of await tracer.addPolicy('polytrace:file-monitoring')) {
      console.error(`${name}: ${hooks.map((hook) => `${hook.functionName} by ${hook.attach}`).join(', ')}`);
    }
    for (const [key, count] of await counting) console.log(`${count}\t${key}`);
    const { events, lost, processes } = tracer.stats();
    console.error(`${events} events, ${lost} lost, ${processes} processes known`);
  } finally {
    clearTimeout(timer);
    await tracer.close();
  }
}

main(Number(process.argv[2] ?? 60)).catch((error: unknown) => {
  if (error instanceof PolicyError)
    for (const d of error.diagnostics) console.error(`${d.file}:${d.line}: ${d.message}`);
  else if (error instanceof KernelError) console.error(`${error.message} (${error.hint})`);
  else console.error(error);
  process.exitCode = 1;
});
