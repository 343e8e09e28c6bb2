// open-tracer.cjs: opens a tracer, and prints what that took: milliseconds of time and of all threads' processor, and the
// longest time in which the event loop was blocked; and the anonymous memory afterwards, in KiB.
const { readFileSync } = require('node:fs');
const { monitorEventLoopDelay } = require('node:perf_hooks');
const { openTracer } = require('polytrace');

async function main() {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const [cpu, start] = [process.cpuUsage(), performance.now()];
  delay.enable();
  const tracer = await openTracer();
  delay.disable();
  const wallMs = performance.now() - start;
  const { user, system } = process.cpuUsage(cpu);
  const anonymousKib = Number(/^RssAnon:\s*(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
  await tracer.close();
  console.log(JSON.stringify({ wallMs, cpuMs: (user + system) / 1000, blockedMs: delay.max / 1e6, anonymousKib }));
}

void main();
