import type { ParseOptions } from './policy.js';

/** A file that tests policies: commands or recorded events, and the events that must or must not come of them. */
export interface PolicyTest {
  /** Name of the file in diagnostics. */
  readonly file: string;
  /** Policies that are tested: paths relative to the file, or `polytrace:NAME`. */
  readonly policies: readonly string[];
  /** Lines for sh that run before the policies are loaded. */
  readonly before?: string;
  /** Lines for sh that run at the end. */
  readonly after?: string;
  readonly scenarios: readonly Scenario[];
}

/** One scenario of a test. Exactly one of `run` and `recording` is present. */
export interface Scenario {
  readonly name: string;
  /** Lines for sh. Events of their processes and of all descendants count. */
  readonly run?: string;
  /** Path of a recording, relative to the file. */
  readonly recording?: string;
  /** Exit status that the commands must have. Absent: any. */
  readonly status?: number;
  /** Seconds that the commands have. */
  readonly timeout: number;
  /** Events that must come. */
  readonly expect: readonly EventPattern[];
  /** Events that must not come. */
  readonly never: readonly EventPattern[];
  /** No event of a hook may come that `expect` does not have. */
  readonly exact: boolean;
  /** Position in the file. */
  readonly position: { readonly line: number; readonly column: number };
}

/** A pattern for events. All members that are present must hold. Without `type`, it is an event of a hook. */
export interface EventPattern {
  readonly type?: string;
  readonly policy?: string;
  /** `functionName`, for a tracepoint `SUBSYSTEM/EVENT`, for a uprobe its symbol. */
  readonly function?: string;
  readonly message?: string;
  readonly messageMatches?: string;
  readonly selector?: number;
  /** One of the event's actions. */
  readonly action?: string;
  /** `process.binary`. */
  readonly binary?: string;
  readonly binaryMatches?: string;
  /** The path that `pathOf` returns. */
  readonly path?: string;
  readonly pathMatches?: string;
  /** Number of events. Absent: at least one. It counts only in `expect`. */
  readonly count?: number;
  /** Position in the file. */
  readonly position: { readonly line: number; readonly column: number };
}

/** Reads the text of a test. Throws PolicyError with all mistakes, each with its position. */
export function parsePolicyTest(yaml: string, options?: ParseOptions): PolicyTest;
