// Runs in the virtual machine: counts the instructions of an event in user space. guest-readings.mts FOLDER writes
// FOLDER/readings.json.
import { writeFileSync } from 'node:fs';
import { INSTRUCTION_LIMITS } from './counted.mjs';
import { measureCpuNs } from './cpu.mjs';
import { readings } from './readings.mjs';

const [folder = ''] = process.argv.slice(2);
/** Events before the measurement, until the hot functions are compiled. */
const WARM_UP = 150_000;
const EVENTS = 30_000;

const counts: Record<string, number> = {};
for (const { name, reading } of readings) {
  if (INSTRUCTION_LIMITS[name] === undefined) continue;
  await reading(WARM_UP);
  // the processor time also advances one nanosecond for each instruction
  counts[name] = await measureCpuNs(reading, EVENTS);
}
writeFileSync(`${folder}/readings.json`, JSON.stringify(counts));
