// Counts the instructions of user space that convert an event to JSON, in the virtual machine.
import { countInVm } from './count.mjs';
import { formatNumber, type Rows } from './table.mjs';

/** Limits of the instructions of an event, by the name of the reading. */
export const INSTRUCTION_LIMITS: Readonly<Record<string, number>> = {
  'realistic stream, in batches, counted': 6000,
  'realistic stream, in batches, JSON lines': 30_000,
  'realistic stream, in batches, bytes of JSON lines': 15_000,
  'realistic stream, `getevents -o json` into a file': 20_000,
};

export interface InstructionTable {
  readonly rows: Rows;
  /** A message for each reading that exceeds its limit. */
  readonly tooMany: readonly string[];
}

export async function instructionTable(kernel: string): Promise<InstructionTable> {
  const result = await countInVm(kernel, 'guest-readings.mts /run/vm', 'readings.json');
  const counts = JSON.parse(result) as Readonly<Record<string, number>>;
  const all = Object.entries(INSTRUCTION_LIMITS).map(([name, atMost]) => ({
    name,
    atMost,
    count: Math.round(counts[name] ?? NaN),
  }));
  return {
    rows: [
      ['for await', 'instructions', 'at most'],
      ...all.map(({ name, count, atMost }) => [name, formatNumber(count), formatNumber(atMost)]),
    ],
    tooMany: all
      .filter(({ count, atMost }) => !(count <= atMost))
      .map(
        ({ name, count, atMost }) =>
          `'${name}': an event takes ${formatNumber(count)} instructions, more than ${formatNumber(atMost)}`,
      ),
  };
}
