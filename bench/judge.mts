// Compares measurements with a yardstick of the same run. A busy or slow machine changes both, so the ratio stays the
// same.
import { formatNumber, type Rows } from './table.mjs';

interface Measurement {
  readonly name: string;
  readonly cost: number;
  /** The limit of the ratio. */
  readonly atMost: number;
}

interface MeasuredComparison {
  /** Titles of the first two columns. */
  readonly head: readonly [string, string];
  readonly unit: string;
  readonly yardstick: Omit<Measurement, 'atMost'>;
  readonly measured: readonly Measurement[];
}

export interface Judgement {
  readonly rows: Rows;
  /** A message for each row that is too slow. */
  readonly tooSlow: readonly string[];
}

export function judge({ head, unit, yardstick, measured }: MeasuredComparison): Judgement {
  const formatCost = (cost: number): string => `${formatNumber(Math.round(cost))} ${unit}`;
  const rows = [
    [...head, 'ratio', 'at most'],
    [yardstick.name, formatCost(yardstick.cost), '1.00', ''],
  ];
  const tooSlow: string[] = [];
  for (const { name, cost, atMost } of measured) {
    const ratio = cost / yardstick.cost;
    rows.push([name, formatCost(cost), ratio.toFixed(2), atMost.toFixed(2)]);
    if (!(ratio <= atMost)) {
      const [times, limit] = [ratio.toFixed(2), atMost.toFixed(2)];
      tooSlow.push(`'${name}' takes ${times} times as long as '${yardstick.name}', more than ${limit}`);
    }
  }
  return { rows, tooSlow };
}

/**
 * Measures again if something is too slow, and returns the last result. Other programs that use the machine's memory
 * slow down code that allocates, but not the yardstick. A real regression is found each time.
 */
export async function judgeWithRetries(measure: () => Judgement | Promise<Judgement>): Promise<Judgement> {
  let result = await measure();
  for (let tries = 1; tries < MAX_TRIES && result.tooSlow.length > 0; tries++) result = await measure();
  return result;
}

const MAX_TRIES = 3;

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? NaN;
}
