// The readings that are measured: each reads events and uses some of their values.
import { linesInFile } from './lines.mjs';
import {
  compactLines,
  countBatches,
  countItems,
  encodedEvents,
  jsonLines,
  readItems,
  type Reading,
} from './stream.mjs';

interface MeasuredReading {
  readonly name: string;
  readonly reading: Reading;
  /** Number of events. The measurement takes about a second. */
  readonly events: number;
}

export const readings: readonly MeasuredReading[] = [
  { name: 'item by item, counted', reading: countItems('file'), events: 4_000_000 },
  { name: 'in batches, counted', reading: countBatches('file'), events: 4_000_000 },
  { name: 'item by item, type, binary and path read', reading: readItems('file'), events: 1_000_000 },
  { name: 'item by item, type, binary and address read', reading: readItems('socket'), events: 1_000_000 },
  { name: 'in batches, compact lines', reading: compactLines('file'), events: 400_000 },
  { name: 'in batches, JSON lines', reading: jsonLines('file'), events: 400_000 },
  { name: '`getevents -o json` into a file', reading: linesInFile('file'), events: 400_000 },
  { name: 'in batches, encoded by the agent', reading: encodedEvents('file'), events: 400_000 },
];
