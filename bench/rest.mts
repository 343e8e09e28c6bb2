// How long an event takes from the kernel to an iterator, and what a tracer costs that has nothing to do. Needs root.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { openTracer } from 'polytrace';
import { number, type Rows } from './table.mjs';

const EXECS = 300;
/** Its events are told from those of other processes by the argument. */
const SECONDS = '0.010203';
const STARTS = `for i in $(seq ${EXECS}); do /bin/sleep ${SECONDS}; done`;

/** Microseconds from the start of each program to its event. */
async function latencies(coalesceMs: number | undefined): Promise<readonly number[]> {
  const tracer = await openTracer(coalesceMs === undefined ? {} : { coalesceMs });
  const result: number[] = [];
  try {
    const events = tracer.events({ types: ['process_exec'] });
    const child = spawn('/bin/sh', ['-c', STARTS], { stdio: 'ignore' });
    const ended = once(child, 'close').then(() => tracer.close());
    for await (const event of events) {
      // the arguments, which tell the event from others, are decoded after it has come
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

/** Milliseconds of processor time in the quietest of some seconds: other programs of the machine make events as well. */
async function idleMs(): Promise<number> {
  const tracer = await openTracer();
  try {
    const waiting = tracer.batches();
    void (async () => {
      for await (const batch of waiting) void batch;
    })();
    let least = Infinity;
    for (let i = 0; i < WINDOWS; i++) {
      const before = process.cpuUsage();
      await sleep(1000);
      const { user, system } = process.cpuUsage(before);
      least = Math.min(least, (user + system) / 1000);
    }
    return least;
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
    const sorted = await latencies(coalesceMs);
    const at = (part: number): string => `${number(Math.round(sorted[Math.floor(sorted.length * part)] ?? NaN))} µs`;
    rows.push([`an event, ${name}`, at(0.1), at(0.5), at(0.99)]);
  }
  rows.push(['a second without events', `${(await idleMs()).toFixed(1)} ms of CPU`, '', '']);
  return rows;
}
