// Measures the latency of an event from the kernel to an iterator, and the processor time of an idle tracer. Needs
// root.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { openTracer } from 'polytrace';
import { formatNumber, type Rows } from './table.mjs';

const EXECS = 300;
/** Argument of the programs, which distinguishes their events from those of other processes. */
const SECONDS = '0.010203';
const START_SCRIPT = `for i in $(seq ${EXECS}); do /bin/sleep ${SECONDS}; done`;

/** Microseconds from the start of each program to its event. */
async function measureLatencies(coalesceMs: number | undefined): Promise<readonly number[]> {
  const tracer = await openTracer(coalesceMs === undefined ? {} : { coalesceMs });
  const result: number[] = [];
  try {
    const events = tracer.events({ types: ['process_exec'] });
    const child = spawn('/bin/sh', ['-c', START_SCRIPT], { stdio: 'ignore' });
    const ended = once(child, 'close').then(() => tracer.close());
    for await (const event of events) {
      // the time is read first: decoding the arguments takes time
      const nowUs = (performance.timeOrigin + performance.now()) * 1000;
      if (event.type === 'lost' || event.process.arguments !== SECONDS) continue;
      result.push(nowUs - Number(event.timeNs) / 1000);
    }
    await ended;
  } finally {
    await tracer.close();
  }
  if (result.length < EXECS) throw new Error(`${result.length} of ${EXECS} events came`);
  return result.sort((a, b) => a - b);
}

const WINDOWS = 10;

/**
 * Processor time of one second, in milliseconds. The minimum of some seconds counts, because other programs cause
 * events.
 */
async function measureIdleMs(): Promise<number> {
  const tracer = await openTracer();
  try {
    const waiting = tracer.batches();
    void (async () => {
      for await (const batch of waiting) void batch;
    })();
    let minimum = Infinity;
    for (let i = 0; i < WINDOWS; i++) {
      const before = process.cpuUsage();
      await sleep(1000);
      const { user, system } = process.cpuUsage(before);
      minimum = Math.min(minimum, (user + system) / 1000);
    }
    return minimum;
  } finally {
    await tracer.close();
  }
}

export async function restTable(): Promise<Rows> {
  const rows = [['', '10 of 100', 'median', '99 of 100']];
  for (const [name, coalesceMs] of [
    ['by default', undefined],
    ['with `coalesceMs: 0`', 0],
  ] as const) {
    const sorted = await measureLatencies(coalesceMs);
    const formatPercentile = (part: number): string =>
      `${formatNumber(Math.round(sorted[Math.floor(sorted.length * part)] ?? NaN))} µs`;
    rows.push([`an event, ${name}`, formatPercentile(0.1), formatPercentile(0.5), formatPercentile(0.99)]);
  }
  rows.push(['a second without events', `${(await measureIdleMs()).toFixed(1)} ms of CPU`, '', '']);
  return rows;
}
