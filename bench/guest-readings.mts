// Runs in the virtual machine: counts the instructions of an event in user space. guest-readings.mts FOLDER writes
// FOLDER/readings.json.
import { writeFileSync } from 'node:fs';
import { INSTRUCTION_LIMITS } from './counted.mjs';
import { measureCpuNs } from './cpu.mjs';
import { readings } from './readings.mjs';

const [folder = ''] = process.argv.slice(2);
/** Readings before the measurement, until the hot functions are compiled. */
const WARM_UP = 3;
const EVENTS_MAX = 60_000;

const counts: Record<string, number> = {};
for (const { name, reading, events: most } of readings) {
  if (INSTRUCTION_LIMITS[name] === undefined) continue;
  const events = Math.min(most, EVENTS_MAX);
  // the processor time also advances one nanosecond for each instruction
  for (let round = 0; round <= WARM_UP; round++) counts[name] = await measureCpuNs(reading, events);
}
writeFileSync(`${folder}/readings.json`, JSON.stringify(counts));
