/** CEL expressions over the events of a tracer, with the limits of an agent: no expression takes long. */
import type { JsonOptions, TracerEvent } from 'polytrace';
import { EventEncoder } from '../encode/events.js';
import { compileExpressions } from '../filters/cel.js';
import { Budget } from '../filters/limits.js';

/** Returns a test that one of the expressions is true. A loss concerns everybody, so it passes. Throws FilterError. */
export function celFilter(expressions: readonly string[], options: JsonOptions): (event: TracerEvent) => boolean {
  const { ancestors, redact } = options;
  // An expression can ask for what the output leaves out.
  const encoder = new EventEncoder({ ancestors: ancestors ?? false, processCred: true, processNs: true, redact });
  const test = compileExpressions(expressions, 'expression', new Budget(), (event) => encoder.encode(event).take());
  return (event) => event.type === 'lost' || test(event);
}
