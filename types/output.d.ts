import type { TracerEvent } from './events.js';

export interface CompactOptions {
  /** ANSI colours. Default false. */
  readonly color?: boolean;
  /** RFC 3339 time first. Default false. */
  readonly timestamps?: boolean;
}

/** One line without a newline; strings of the traced world are escaped. */
export function formatCompact(event: TracerEvent, options?: CompactOptions): string;

/** The JSON of Tetragon's export: snake_case, the same names and nesting. */
export function toJson(event: TracerEvent): string;
