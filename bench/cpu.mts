// Measures the processor time of a reading of events.
import type { Reading } from './stream.mjs';

/** Processor time of all threads, in nanoseconds for each event. Other programs change it less than the real time. */
export async function measureCpuNs(reading: Reading, events: number): Promise<number> {
  const before = process.cpuUsage();
  await reading(events);
  const { user, system } = process.cpuUsage(before);
  reading.cleanUp?.();
  return ((user + system) * 1000) / events;
}
