// The part of user space that is counted: instructions of an event that becomes JSON, in the virtual machine.
import { countInVm } from './count.mjs';
import { number, type Rows } from './table.mjs';

/** The most instructions of an event, by the name of the reading. */
export const COUNTED: Readonly<Record<string, number>> = {
  'in batches, JSON lines': 23_000,
  '`getevents -o json` into a file': 35_000,
};

export interface CountedTable {
  readonly rows: Rows;
  /** A sentence for each reading that is above its limit. */
  readonly tooMany: readonly string[];
}

export async function countedTable(kernel: string): Promise<CountedTable> {
  const result = await countInVm(kernel, 'guest-readings.mts /run/vm', 'readings.json');
  const counts = JSON.parse(result) as Readonly<Record<string, number>>;
  const all = Object.entries(COUNTED).map(([name, atMost]) => ({
    name,
    atMost,
    count: Math.round(counts[name] ?? NaN),
  }));
  return {
    rows: [
      ['for await', 'instructions', 'at most'],
      ...all.map(({ name, count, atMost }) => [name, number(count), number(atMost)]),
    ],
    tooMany: all
      .filter(({ count, atMost }) => !(count <= atMost))
      .map(
        ({ name, count, atMost }) =>
          `'${name}': an event takes ${number(count)} instructions, more than ${number(atMost)}`,
      ),
  };
}
