// The part of user space: what an event costs on one core, from made-up records to `for await`, and memory.
import { cpuNsOf } from './cpu.mjs';
import { linesInFile } from './lines.mjs';
import {
  compactLines,
  countBatches,
  countItems,
  encodedEvents,
  jsonLines,
  readItems,
  type Reading,
} from './stream.mjs';
import { number, type Rows } from './table.mjs';

const readings: readonly { readonly name: string; readonly reading: Reading; readonly events: number }[] = [
  { name: 'item by item, counted', reading: countItems('file'), events: 4_000_000 },
  { name: 'in batches, counted', reading: countBatches('file'), events: 4_000_000 },
  { name: 'item by item, type, binary and path read', reading: readItems('file'), events: 1_000_000 },
  { name: 'item by item, type, binary and address read', reading: readItems('socket'), events: 1_000_000 },
  { name: 'in batches, compact lines', reading: compactLines('file'), events: 400_000 },
  { name: 'in batches, JSON lines', reading: jsonLines('file'), events: 400_000 },
  { name: '`getevents -o json` into a file', reading: linesInFile('file'), events: 400_000 },
  { name: 'in batches, encoded by the agent', reading: encodedEvents('file'), events: 400_000 },
];

export async function hostTable(): Promise<Rows> {
  const rows = [['for await', 'CPU per event', 'events a second', 'memory grown by']];
  for (const { name, reading, events } of readings) {
    await reading(events / 10); // until the hot functions are compiled
    const before = process.memoryUsage().rss;
    const cpuNs = await cpuNsOf(reading, events);
    const grown = Math.max(0, process.memoryUsage().rss - before) / 2 ** 20;
    const million = `${(1e3 / cpuNs).toFixed(2)} million`;
    rows.push([name, `${number(Math.round(cpuNs))} ns`, million, `${grown.toFixed(0)} MiB`]);
  }
  return rows;
}
