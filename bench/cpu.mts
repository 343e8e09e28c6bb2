// What a reading of events costs.
import type { Reading } from './stream.mjs';

/** Nanoseconds of processor time for each event, of all threads of this process. A busy machine changes them less than time. */
export async function cpuNsOf(reading: Reading, events: number): Promise<number> {
  const before = process.cpuUsage();
  await reading(events);
  const { user, system } = process.cpuUsage(before);
  return ((user + system) * 1000) / events;
}
