// The short form of the benchmark, for every run of the tests: what user space does with an event, as a multiple of what plain code
// needs for the same record on the same Node.js. A busy or slow machine changes both, so the ratio stays.
import { cpuNsOf } from './cpu.mjs';
import { readPlainly } from './plain.mjs';
import { compactLines, countBatches, encodedEvents, jsonLines, readItems, type Reading } from './stream.mjs';
import { number, type Rows } from './table.mjs';

interface ShortRow {
  readonly name: string;
  readonly reading: Reading;
  /** In one round: about a twentieth of a second. */
  readonly events: number;
  /** The limit of the ratio: about twice the usual one. One slow literal in the decoding of a file exceeds it. */
  readonly atMost: number;
}

const YARDSTICK = { name: 'plain code, path read', reading: readPlainly, events: 250_000 };

const readings: readonly ShortRow[] = [
  { name: 'in batches, counted', reading: countBatches('file'), events: 500_000, atMost: 3 },
  { name: 'type, binary and path read', reading: readItems('file'), events: 125_000, atMost: 10 },
  { name: 'type, binary and address read', reading: readItems('socket'), events: 125_000, atMost: 10 },
  { name: 'in batches, compact lines', reading: compactLines('file'), events: 50_000, atMost: 25 },
  { name: 'in batches, JSON lines', reading: jsonLines('file'), events: 50_000, atMost: 36 },
  { name: 'in batches, encoded by the agent', reading: encodedEvents('file'), events: 50_000, atMost: 30 },
];

/** Those of the first rounds do not count: functions are compiled. */
const WARM_UP = 2;
const ROUNDS = 9;

export interface ShortResult {
  readonly rows: Rows;
  /** A sentence for each row that is too slow. */
  readonly tooSlow: readonly string[];
}

export async function shortTable(): Promise<ShortResult> {
  const all = [YARDSTICK, ...readings];
  const costs = all.map((): number[] => []);
  for (let round = 0; round < WARM_UP + ROUNDS; round++) {
    for (const [i, { reading, events }] of all.entries()) {
      const cpuNs = await cpuNsOf(reading, events);
      if (round >= WARM_UP) costs[i]?.push(cpuNs);
    }
  }
  const [plain = NaN, ...medians] = costs.map(median);
  return judge(plain, medians);
}

function judge(plain: number, medians: readonly number[]): ShortResult {
  const rows = [
    ['reading', 'CPU per event', 'ratio', 'at most'],
    [YARDSTICK.name, `${number(Math.round(plain))} ns`, '1.00', ''],
  ];
  const tooSlow: string[] = [];
  for (const [i, { name, atMost }] of readings.entries()) {
    const cost = medians[i] ?? NaN;
    const ratio = cost / plain;
    rows.push([name, `${number(Math.round(cost))} ns`, ratio.toFixed(2), atMost.toFixed(2)]);
    if (!(ratio <= atMost)) {
      tooSlow.push(`'${name}' takes ${ratio.toFixed(2)} times as long as plain code, more than ${atMost.toFixed(2)}`);
    }
  }
  return { rows, tooSlow };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? NaN;
}
