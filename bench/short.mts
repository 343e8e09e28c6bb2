// The short benchmark, which runs with the tests: the processor time of an event in user space, as a multiple of plain
// code for the same record. A busy or slow machine changes both, so the ratio stays the same.
import { setFlagsFromString } from 'node:v8';
import { measureCpuNs } from './cpu.mjs';
import { readPlainly } from './plain.mjs';
import { linesInFile } from './lines.mjs';
import { judge, median, type Judgement } from './judge.mjs';
import { compactLines, countBatches, encodedEvents, jsonLines, readItems, type Reading } from './stream.mjs';

interface ShortRow {
  readonly name: string;
  readonly reading: Reading;
  /** Number of events in one round, which takes about a twentieth of a second. */
  readonly events: number;
  /**
   * Limit of the ratio: about 2.5 times the usual ratio. One slow object literal in the decoding of a file exceeds it.
   */
  readonly atMost: number;
}

const YARDSTICK = { name: 'plain code, path read', reading: readPlainly, events: 250_000 };

const readings: readonly ShortRow[] = [
  { name: 'in batches, counted', reading: countBatches('file'), events: 500_000, atMost: 3 },
  { name: 'type, binary and path read', reading: readItems('file'), events: 125_000, atMost: 12 },
  { name: 'type, binary and address read', reading: readItems('socket'), events: 125_000, atMost: 12 },
  { name: 'in batches, compact lines', reading: compactLines('file'), events: 50_000, atMost: 15 },
  { name: 'in batches, JSON lines', reading: jsonLines('file'), events: 50_000, atMost: 24 },
  { name: 'getevents -o json into a file', reading: linesInFile('file'), events: 50_000, atMost: 60 },
  { name: 'in batches, encoded by the agent', reading: encodedEvents('file'), events: 50_000, atMost: 30 },
];

/** Rounds that do not count, because functions are compiled in them. */
const WARM_UP = 2;
const ROUNDS = 9;

export interface ReadingCosts {
  /** The cost of the yardstick. All costs are nanoseconds of processor time for each event. */
  readonly plain: number;
  readonly measured: readonly { readonly name: string; readonly atMost: number; readonly cost: number }[];
}

/**
 * Measures the median cost of each reading. The helper threads of V8's garbage collector are switched off: in one
 * process of three they spin, and take twice the time of the code.
 */
export async function readingCosts(): Promise<ReadingCosts> {
  setFlagsFromString('--no-parallel-scavenge');
  const all = [YARDSTICK, ...readings];
  const costs = all.map((): number[] => []);
  for (let round = 0; round < WARM_UP + ROUNDS; round++) {
    for (const [i, { reading, events }] of all.entries()) {
      const cpuNs = await measureCpuNs(reading, events);
      if (round >= WARM_UP) costs[i]?.push(cpuNs);
    }
  }
  const [plain = NaN, ...medians] = costs.map(median);
  return { plain, measured: readings.map(({ name, atMost }, i) => ({ name, atMost, cost: medians[i] ?? NaN })) };
}

export async function shortTable(): Promise<Judgement> {
  const { plain, measured } = await readingCosts();
  return judge({
    head: ['reading', 'CPU per event'],
    unit: 'ns',
    yardstick: { name: YARDSTICK.name, cost: plain },
    measured,
  });
}
