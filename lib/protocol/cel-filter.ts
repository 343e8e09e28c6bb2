/** Filters a tracer's events with CEL expressions, within the limits that an agent sets for its clients. */
import type { JsonOptions, TracerEvent } from '../../types/index.js';
import { EventEncoder } from '../encode/events.js';
import { compileExpressions } from '../filters/cel.js';
import { Budget } from '../filters/limits.js';

/** Returns a test that is true when one of the expressions is. Lost events always pass. Throws FilterError. */
export function celFilter(expressions: readonly string[], options: JsonOptions): (event: TracerEvent) => boolean {
  const { ancestors, redact } = options;
  // The output may leave out fields that an expression uses, so the encoder writes all of them.
  const encoder = new EventEncoder({ ancestors: ancestors ?? false, processCred: true, processNs: true, redact });
  const test = compileExpressions(expressions, 'expression', new Budget(), (event) => encoder.encode(event).take());
  return (event) => event.type === 'lost' || test(event);
}
