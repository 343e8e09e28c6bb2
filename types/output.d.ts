import type { EventType, TracerEvent } from './events.js';

export interface CompactOptions {
  /** ANSI colours. Default false. */
  readonly color?: boolean;
  /** RFC 3339 time first. Default false. */
  readonly timestamps?: boolean;
  /** `🛑 CAP_SYS_ADMIN` at column 120 when the process has that capability. Default false. */
  readonly capabilities?: boolean;
}

/** One line without a newline; strings of the traced world are escaped. */
export function formatCompact(event: TracerEvent, options?: CompactOptions): string;

/** The JSON of Tetragon's export: snake_case, the same names and nesting; one line without a newline. */
export function toJson(event: TracerEvent): string;

export interface EventFilterOptions {
  readonly types?: readonly EventType[];
  /** Events of these policies, and the base sensor's. */
  readonly policyNames?: readonly string[];
  /** Events of processes whose binary any of these matches. */
  readonly binaries?: readonly RegExp[];
}

/** Whether a consumer wants an event: every condition that is given holds. `lost` events always pass. */
export function eventFilter(options: EventFilterOptions): (event: TracerEvent) => boolean;
