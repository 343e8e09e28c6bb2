/** The environment of a process, as the export and the protocol have it. */
import type { EnvironmentVariable, PlainEvent } from '../../types/events.js';
import type { Redactor } from '../../types/output.js';
import { hideRanges } from './redact.js';

/** Returns the variables of an exec event; undefined if it has none. Redaction works on the text `NAME=VALUE`. */
export function exportEnvironment(
  event: PlainEvent,
  redact: Redactor | undefined,
): readonly EnvironmentVariable[] | undefined {
  if (event.type !== 'process_exec' || event.environment === undefined) return undefined;
  const { environment, process } = event;
  if (redact === undefined) return environment;
  return environment.map(({ name, value }) => {
    const ranges = redact(`${name}=${value}`, process.binary);
    return { name: hideRanges(name, ranges), value: hideRanges(value, ranges, name.length + 1) };
  });
}
