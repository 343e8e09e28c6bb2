// Compares what was measured with a yardstick that was measured in the same run. A busy or slow machine changes both, so the ratio
// stays.
import { number, type Rows } from './table.mjs';

interface Measured {
  readonly name: string;
  readonly cost: number;
  /** The limit of the ratio. */
  readonly atMost: number;
}

interface Comparison {
  /** Of the first two columns. */
  readonly head: readonly [string, string];
  readonly unit: string;
  readonly yardstick: Omit<Measured, 'atMost'>;
  readonly measured: readonly Measured[];
}

export interface Judged {
  readonly rows: Rows;
  /** A sentence for each row that is too slow. */
  readonly tooSlow: readonly string[];
}

export function judge({ head, unit, yardstick, measured }: Comparison): Judged {
  const cell = (cost: number): string => `${number(Math.round(cost))} ${unit}`;
  const rows = [
    [...head, 'ratio', 'at most'],
    [yardstick.name, cell(yardstick.cost), '1.00', ''],
  ];
  const tooSlow: string[] = [];
  for (const { name, cost, atMost } of measured) {
    const ratio = cost / yardstick.cost;
    rows.push([name, cell(cost), ratio.toFixed(2), atMost.toFixed(2)]);
    if (!(ratio <= atMost)) {
      const [times, limit] = [ratio.toFixed(2), atMost.toFixed(2)];
      tooSlow.push(`'${name}' takes ${times} times as long as '${yardstick.name}', more than ${limit}`);
    }
  }
  return { rows, tooSlow };
}

/**
 * Measures again if something is too slow, and returns the last result. Other programs that use the machine's memory slow down code
 * that allocates, but not the yardstick. A real fault is found each time.
 */
export async function judged(measure: () => Judged | Promise<Judged>): Promise<Judged> {
  let result = await measure();
  for (let tries = 1; tries < MOST_TRIES && result.tooSlow.length > 0; tries++) result = await measure();
  return result;
}

const MOST_TRIES = 3;

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? NaN;
}
