// The readings that are measured: each reads events and uses some of their values.
import { compactLines } from './dist.mjs';
import { linesInFile } from './lines.mjs';
import { REALISTIC_RECORDS } from './realistic.mjs';
import {
  agentFrames,
  compactStrings,
  countBatches,
  countItems,
  encodedEvents,
  jsonStrings,
  lineBytes,
  lines,
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

const programRow = (name: string, reading: Reading): MeasuredReading => ({
  name: `execs and exits, ${name}`,
  reading,
  events: REALISTIC_RECORDS,
  rounds: 4,
});

export const readings: readonly MeasuredReading[] = [
  { name: 'item by item, counted', reading: countItems('file'), events: 4_000_000 },
  { name: 'in batches, counted', reading: countBatches('file'), events: 4_000_000 },
  { name: 'item by item, type, binary and path read', reading: readItems('file'), events: 1_000_000 },
  { name: 'item by item, type, binary and address read', reading: readItems('socket'), events: 1_000_000 },
  { name: 'in batches, compact lines', reading: compactStrings('file'), events: 400_000 },
  { name: 'in batches, JSON lines', reading: jsonStrings('file'), events: 400_000 },
  { name: 'in batches, bytes of JSON lines', reading: lineBytes('file'), events: 800_000 },
  { name: 'bytes of JSON lines, without events', reading: lines('file'), events: 800_000 },
  { name: 'bytes of compact lines, without events', reading: lines('file', compactLines), events: 800_000 },
  { name: '`getevents -o json` into a file', reading: linesInFile('file'), events: 400_000 },
  { name: '`getevents -o compact` into a file', reading: linesInFile('file', 'compact'), events: 400_000 },
  { name: 'in batches, encoded by the agent', reading: lineBytes('file', agentFrames), events: 400_000 },
  realisticRow('in batches, counted', countBatches('realistic')),
  realisticRow('item by item, type, binary and path read', readItems('realistic')),
  realisticRow('in batches, compact lines', compactStrings('realistic')),
  realisticRow('in batches, JSON lines', jsonStrings('realistic')),
  realisticRow('in batches, bytes of JSON lines', lineBytes('realistic')),
  realisticRow('bytes of JSON lines, without events', lines('realistic')),
  realisticRow('bytes of compact lines, without events', lines('realistic', compactLines)),
  realisticRow('`getevents -o json` into a file', linesInFile('realistic')),
  realisticRow('`getevents -o compact` into a file', linesInFile('realistic', 'compact')),
  realisticRow('in batches, encoded by the agent', lineBytes('realistic', agentFrames)),
  realisticRow('messages of the agent, without events', lines('realistic', agentFrames)),
  realisticRow('in batches, encoded one by one', encodedEvents('realistic')),
  programRow('in batches, counted', countBatches('programs')),
  programRow('bytes of JSON lines, without events', lines('programs')),
  programRow('bytes of compact lines, without events', lines('programs', compactLines)),
  programRow('`getevents -o json` into a file', linesInFile('programs')),
  programRow('in batches, encoded by the agent', lineBytes('programs', agentFrames)),
];
