import type { ParseOptions } from './policy.js';

/** A test of policies: commands or recordings, and the events and numbers that they must or must not cause. */
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
  /** Lines for sh. Their processes and all descendants are observed. */
  readonly run?: string;
  /** Path of a recording, relative to the file. */
  readonly recording?: string;
  /** Exit status that the commands must have. Absent: any. */
  readonly status?: number;
  /** Time limit of the commands in seconds. */
  readonly timeout: number;
  /** Events that must occur. */
  readonly expect: readonly EventPattern[];
  /** Events that must not occur. */
  readonly never: readonly EventPattern[];
  /** What the policies must have counted. */
  readonly metrics: readonly MetricPattern[];
  /** True if all events of hooks must match a pattern in `expect`. */
  readonly exact: boolean;
  /** Position in the file. */
  readonly position: { readonly line: number; readonly column: number };
}

/** A pattern for events. All members that are present must match. Without `type`, it matches events of hooks. */
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
  /** One of the event's `marks`. */
  readonly mark?: string;
  /** `process.binary`. */
  readonly binary?: string;
  readonly binaryMatches?: string;
  /** The path that `eventPath` returns. */
  readonly path?: string;
  readonly pathMatches?: string;
  /** Number of events. Absent: at least one. It is used in `expect` only. */
  readonly count?: number;
  /** Position in the file. */
  readonly position: { readonly line: number; readonly column: number };
}

/** The numbers that a metric must have, exactly. At least one of `calls` and `sum` is present. */
export interface MetricPattern {
  /** Name of the metric. */
  readonly metric: string;
  /** Name of the policy. Absent: the only policy that has the metric. */
  readonly policy?: string;
  /** All series with these texts are added up. Empty: all calls. */
  readonly labels: readonly MetricLabelPattern[];
  /** True for the calls whose labels found no room (`maxKeys`). */
  readonly other: boolean;
  readonly calls?: bigint;
  readonly sum?: bigint;
  /** Position of the metric's name in the file. */
  readonly position: { readonly line: number; readonly column: number };
}

/** A label that a series must have. */
export interface MetricLabelPattern {
  /** Name of the label, as in `by`. */
  readonly name: string;
  readonly text: string;
  /** Position of the name in the file. */
  readonly position: { readonly line: number; readonly column: number };
}

/** Parses the YAML text of a test. Throws PolicyError with all errors, each with its position. */
export function parsePolicyTest(yaml: string, options?: ParseOptions): PolicyTest;
