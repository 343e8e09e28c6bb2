// Measures processor time and memory of an event on one core, from made-up records to `for await`.
import { CProgram } from './bound.mjs';
import { measureCpuNs } from './cpu.mjs';
import { median } from './judge.mjs';
import { readings } from './readings.mjs';
import type { Reading } from './stream.mjs';
import { formatNumber, type Rows } from './table.mjs';

export async function hostTable(): Promise<Rows> {
  const rows = [['for await', 'CPU per event', 'events a second', 'memory grown by']];
  for (const { name, reading, events, rounds = 1 } of readings) {
    await measureCpuNs(reading, Math.floor(events / 10)); // until the hot functions are compiled
    const before = process.memoryUsage().rss;
    const cpuNs = await measureCpuNs(repeatReading(reading, events, rounds), events * rounds);
    reading.cleanUp?.();
    const grown = Math.max(0, process.memoryUsage().rss - before) / 2 ** 20;
    const million = `${(1e3 / cpuNs).toFixed(2)} million`;
    rows.push([name, `${formatNumber(Math.round(cpuNs))} ns`, million, `${grown.toFixed(0)} MiB`]);
  }
  for (const [target, name] of Object.entries(C_ROWS)) {
    const cpuNs = measureC(target as keyof typeof C_ROWS);
    rows.push([name, `${formatNumber(Math.round(cpuNs))} ns`, `${(1e3 / cpuNs).toFixed(2)} million`, '']);
  }
  return rows;
}

const C_ROWS = {
  memory: 'realistic stream, JSON lines of a program in C',
  file: 'realistic stream, the same into a file',
} as const;

/** The median of some runs, each of half a second of events. */
function measureC(target: keyof typeof C_ROWS): number {
  const program = new CProgram();
  try {
    return median(Array.from({ length: 9 }, () => program.measure(target)));
  } finally {
    program.remove();
  }
}

const repeatReading =
  (reading: Reading, events: number, rounds: number): Reading =>
  async () => {
    let result = 0;
    for (let round = 0; round < rounds; round++) result += await reading(events);
    return result;
  };
