// Runs in the virtual machine: what an event costs in user space, in instructions. guest-readings.mts FOLDER; writes FOLDER/readings.json.
import { writeFileSync } from 'node:fs';
import { COUNTED } from './counted.mjs';
import { cpuNsOf } from './cpu.mjs';
import { readings } from './readings.mjs';

const [folder = ''] = process.argv.slice(2);
/** Until the hot functions are compiled. */
const WARM_UP = 150_000;
const EVENTS = 30_000;

const counts: Record<string, number> = {};
for (const { name, reading } of readings) {
  if (COUNTED[name] === undefined) continue;
  await reading(WARM_UP);
  // the clock of the processor time advances one nanosecond for each instruction as well
  counts[name] = await cpuNsOf(reading, EVENTS);
}
writeFileSync(`${folder}/readings.json`, JSON.stringify(counts));
