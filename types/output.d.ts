import type { EventType, PlainEvent } from './events.js';

/** Options for `formatCompact`. */
export interface CompactOptions {
  /** Uses ANSI colours. Default false. */
  readonly color?: boolean;
  /** Starts the line with the time (RFC 3339). Default false. */
  readonly timestamps?: boolean;
  /** Shows `🛑 CAP_SYS_ADMIN` at column 120 when the process has that capability. Default false. */
  readonly capabilities?: boolean;
}

/**
 * Formats an event as one line without a final newline. A file's hash and stack traces follow on lines of their own.
 * Strings from traced processes are escaped.
 */
export function formatCompact(event: PlainEvent, options?: CompactOptions): string;

/**
 * Formats an event as the JSON of Tetragon's export: snake_case, with the same names and nesting. The result is one
 * line without a newline.
 */
export function toJson(event: PlainEvent): string;

/** Options for `eventFilter`. */
export interface EventFilterOptions {
  /** Types of events. Default: all types. */
  readonly types?: readonly EventType[];
  /** Names of policies. Events of the base sensor match, too. Default: all policies. */
  readonly policyNames?: readonly string[];
  /** Patterns for the binary of the process. An event matches when any of them fits. Default: all binaries. */
  readonly binaries?: readonly RegExp[];
}

/** Returns a function that tests an event: it returns true when all options hold. `lost` events always pass. */
export function eventFilter(options: EventFilterOptions): (event: PlainEvent) => boolean;
