// What a reading of events costs.
import type { Reading } from './stream.mjs';

export interface Cost {
  /** Nanoseconds of processor time for each event, of all threads of this process. */
  readonly cpuNs: number;
  /** Nanoseconds that passed. */
  readonly wallNs: number;
}

export async function costOf(reading: Reading, events: number): Promise<Cost> {
  const cpuBefore = process.cpuUsage();
  const wallBefore = performance.now();
  await reading(events);
  const wallMs = performance.now() - wallBefore;
  const { user, system } = process.cpuUsage(cpuBefore);
  return { cpuNs: ((user + system) * 1000) / events, wallNs: (wallMs * 1e6) / events };
}
