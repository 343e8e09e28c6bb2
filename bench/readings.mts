// The readings that are measured: each reads events and uses some of their values.
import { linesInFile } from './lines.mjs';
import { REALISTIC_RECORDS } from './realistic.mjs';
import {
  compactStrings,
  countBatches,
  countItems,
  encodedEvents,
  jsonStrings,
  lineBytes,
  readItems,
  type Reading,
} from './stream.mjs';

interface MeasuredReading {
  readonly name: string;
  readonly reading: Reading;
  /** Number of events. Together with the rounds, the measurement takes about a second. */
  readonly events: number;
  /** Number of readings of so many events. Default 1. */
  readonly rounds?: number;
}

const realisticRow = (name: string, reading: Reading): MeasuredReading => ({
  name: `realistic stream, ${name}`,
  reading,
  events: REALISTIC_RECORDS,
  rounds: 16,
});

export const readings: readonly MeasuredReading[] = [
  { name: 'item by item, counted', reading: countItems('file'), events: 4_000_000 },
  { name: 'in batches, counted', reading: countBatches('file'), events: 4_000_000 },
  { name: 'item by item, type, binary and path read', reading: readItems('file'), events: 1_000_000 },
  { name: 'item by item, type, binary and address read', reading: readItems('socket'), events: 1_000_000 },
  { name: 'in batches, compact lines', reading: compactStrings('file'), events: 400_000 },
  { name: 'in batches, JSON lines', reading: jsonStrings('file'), events: 400_000 },
  { name: 'in batches, bytes of JSON lines', reading: lineBytes('file'), events: 800_000 },
  { name: '`getevents -o json` into a file', reading: linesInFile('file'), events: 400_000 },
  { name: 'in batches, encoded by the agent', reading: encodedEvents('file'), events: 400_000 },
  realisticRow('in batches, counted', countBatches('realistic')),
  realisticRow('item by item, type, binary and path read', readItems('realistic')),
  realisticRow('in batches, compact lines', compactStrings('realistic')),
  realisticRow('in batches, JSON lines', jsonStrings('realistic')),
  realisticRow('in batches, bytes of JSON lines', lineBytes('realistic')),
  realisticRow('`getevents -o json` into a file', linesInFile('realistic')),
  realisticRow('in batches, encoded by the agent', encodedEvents('realistic')),
];
