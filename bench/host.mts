// Measures processor time and memory of an event on one core, from made-up records to `for await`.
import { measureCpuNs } from './cpu.mjs';
import { readings } from './readings.mjs';
import { formatNumber, type Rows } from './table.mjs';

export async function hostTable(): Promise<Rows> {
  const rows = [['for await', 'CPU per event', 'events a second', 'memory grown by']];
  for (const { name, reading, events } of readings) {
    await reading(events / 10); // until the hot functions are compiled
    const before = process.memoryUsage().rss;
    const cpuNs = await measureCpuNs(reading, events);
    const grown = Math.max(0, process.memoryUsage().rss - before) / 2 ** 20;
    const million = `${(1e3 / cpuNs).toFixed(2)} million`;
    rows.push([name, `${formatNumber(Math.round(cpuNs))} ns`, million, `${grown.toFixed(0)} MiB`]);
  }
  return rows;
}
