// The short benchmark, which runs with the tests: the processor time of an event in user space. It is compared to plain
// code that reads a record. A busy or slow machine changes both, so the ratio stays the same. A program in C is no such
// yardstick: where others use the memory of the machine, JavaScript takes twice as long, and C does not.
import { setFlagsFromString } from 'node:v8';
import { measureCpuNs } from './cpu.mjs';
import { readPlainly } from './plain.mjs';
import { compactLines } from './dist.mjs';
import { linesInFile } from './lines.mjs';
import { judge, type Judgement } from './judge.mjs';
import { REALISTIC_RECORDS } from './realistic.mjs';
import {
  agentFrames,
  compactStrings,
  countBatches,
  jsonStrings,
  lineBytes,
  lines,
  readItems,
  type Reading,
} from './stream.mjs';

interface ShortRow {
  readonly name: string;
  readonly reading: Reading;
  /** Number of events in one round, which takes about a twentieth of a second. */
  readonly events: number;
  /** Limit of the ratio: about 1.3 times the usual ratio. */
  readonly atMost: number;
}

const YARDSTICK = { name: 'plain code, path read', reading: readPlainly, events: 250_000 };

const repeated: readonly ShortRow[] = [
  { name: 'in batches, counted', reading: countBatches('file'), events: 500_000, atMost: 1.8 },
  { name: 'type, binary and path read', reading: readItems('file'), events: 125_000, atMost: 5.5 },
  { name: 'type, binary and address read', reading: readItems('socket'), events: 125_000, atMost: 6.2 },
  { name: 'in batches, compact lines', reading: compactStrings('file'), events: 50_000, atMost: 11 },
  { name: 'in batches, JSON lines', reading: jsonStrings('file'), events: 50_000, atMost: 20 },
  { name: 'in batches, bytes of JSON lines', reading: lineBytes('file'), events: 100_000, atMost: 5 },
  { name: 'bytes of JSON lines, without events', reading: lines('file'), events: 100_000, atMost: 4.2 },
  { name: 'bytes of compact lines, without events', reading: lines('file', compactLines), events: 100_000, atMost: 3 },
  { name: 'getevents -o json into a file', reading: linesInFile('file'), events: 50_000, atMost: 7.5 },
  { name: 'in batches, encoded by the agent', reading: lineBytes('file', agentFrames), events: 100_000, atMost: 5.7 },
];

const realisticRow = (name: string, reading: Reading, atMost: number): ShortRow => ({
  name: `realistic stream, ${name}`,
  reading,
  events: REALISTIC_RECORDS,
  atMost,
});

const realistic: readonly ShortRow[] = [
  realisticRow('counted', countBatches('realistic'), 2.8),
  realisticRow('type, binary and path read', readItems('realistic'), 6.5),
  realisticRow('compact lines', compactStrings('realistic'), 12.5),
  realisticRow('JSON lines', jsonStrings('realistic'), 19.5),
  realisticRow('bytes of JSON lines', lineBytes('realistic'), 5),
  realisticRow('bytes of JSON lines, without events', lines('realistic'), 4.2),
  realisticRow('bytes of compact lines, without events', lines('realistic', compactLines), 3),
  realisticRow('getevents -o json into a file', linesInFile('realistic'), 8.5),
  realisticRow('encoded by the agent', lineBytes('realistic', agentFrames), 5),
  { name: 'execs and exits, counted', reading: countBatches('programs'), events: REALISTIC_RECORDS, atMost: 5.8 },
  { name: 'execs and exits, bytes of JSON lines', reading: lines('programs'), events: REALISTIC_RECORDS, atMost: 60 },
];

/** Rounds that do not count, because functions are compiled in them. */
const WARM_UP = 2;
const ROUNDS = 9;

interface Cost {
  readonly name: string;
  /** Nanoseconds of processor time for each event. */
  readonly cost: number;
}

export interface ReadingCosts {
  readonly yardstick: Cost;
  readonly measured: readonly (Cost & { readonly atMost: number })[];
}

/**
 * Measures the least cost of each reading in some rounds: other programs disturb some of them, and a limit of 1.3 times
 * needs that. The helper threads of V8's garbage collector are switched off: in one
 * process of three they spin, and take twice the time of the code.
 */
async function measureCosts(rows: readonly ShortRow[]): Promise<ReadingCosts> {
  setFlagsFromString('--no-parallel-scavenge');
  const all = [YARDSTICK, ...rows];
  const costs = all.map((): number[] => []);
  for (let round = 0; round < WARM_UP + ROUNDS; round++) {
    for (const [i, { reading, events }] of all.entries()) {
      const cpuNs = await measureCpuNs(reading, events);
      if (round >= WARM_UP) costs[i]?.push(cpuNs);
    }
  }
  const [first = NaN, ...least] = costs.map((rounds) => Math.min(...rounds));
  return {
    yardstick: { name: YARDSTICK.name, cost: first },
    measured: rows.map(({ name, atMost }, i) => ({ name, atMost, cost: least[i] ?? NaN })),
  };
}

/** The costs of the rows of equal records, and of the realistic stream. */
export async function readingCosts(): Promise<readonly ReadingCosts[]> {
  return [await measureCosts(repeated), await measureCosts(realistic)];
}

export const shortTable = async (): Promise<Judgement> => judgeCosts(await measureCosts(repeated));
export const realisticTable = async (): Promise<Judgement> => judgeCosts(await measureCosts(realistic));

function judgeCosts(costs: ReadingCosts): Judgement {
  return judge({ head: ['reading', 'CPU per event'], unit: 'ns', ...costs });
}
