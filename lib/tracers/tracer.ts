/** What a tracer is: its policies, and how its events become rows. */
import type { PlainEvent, PlainProcess } from '../../types/events.js';
import type { MetricsSample } from '../../types/metrics.js';
import type { ProcessFilters } from './policy-text.js';

/** The value of a field of a row, as `-o json` writes it. A bigint is written as a number. */
export type FieldValue = string | number | bigint | boolean | readonly string[];

/** The process of a row. */
export interface RowProcess {
  /** For filters. It is not part of the output. */
  readonly source: PlainProcess;
  readonly pid: number;
  readonly parentPid?: number;
  readonly binary: string;
  readonly parentBinary?: string;
  readonly uid: number;
  readonly user?: string;
  readonly container?: string;
  readonly pod?: string;
  readonly namespace?: string;
}

/** One line of a tracer. */
export interface Row {
  /** RFC 3339. */
  readonly time: string;
  /** Absent if nobody knows the process, such as that of a connection that is older than the tracer. */
  readonly process: RowProcess | undefined;
  readonly fields: Readonly<Record<string, FieldValue | undefined>>;
}

/** A column of a table. */
export interface RowColumn {
  readonly title: string;
  /** Preferred width in columns of the terminal. */
  readonly width: number;
  /** Only in tables with at least 120 columns. */
  readonly wide?: true;
  /** Numbers end at the right edge of the column. */
  readonly right?: true;
  readonly cell: (row: Row, isWide: boolean) => string;
}

export interface TraceOptions extends ProcessFilters {
  /** `metadata.name` of the policy. */
  readonly policyName: string;
  /** The filters of the command line. Sums have only processes that it selects; rows are filtered afterwards. */
  readonly isWanted: (process: PlainProcess) => boolean;
  /** `exec`: also reports exits. */
  readonly exits?: boolean;
  /** `open`, `mount`, `kill` and others: only calls that failed. */
  readonly failed?: boolean;
  /** `files` and `slow-fs`: also what is no regular file; `capable`: also checks that are not audited. */
  readonly all?: boolean;
  /** `slow-fs`: the shortest duration of a call, in nanoseconds. */
  readonly minimumNs?: bigint;
  /** `tls`: the file of the library or program. */
  readonly library?: string;
  /** `blockio`: a row for each request, in place of histograms. */
  readonly each?: boolean;
  /** `latency`: the functions, as the command line has them. */
  readonly functions?: readonly string[];
}

/** Makes rows of events. It keeps a bounded number of unfinished calls, connections and files. */
export interface Collector {
  take(event: PlainEvent): readonly Row[];
  /** Takes what the policy has counted since it was attached. */
  takeMetrics?(sample: MetricsSample): void;
  /** Called every second with the time in nanoseconds since 1970, for what did not happen in time. */
  tick?(nowNs: bigint): readonly Row[];
  /** Number of unfinished calls and connections that were forgotten, because there were too many. */
  readonly forgotten: number;
  /** The table of what happened since the last call, for tracers that sum up. */
  readonly summarize?: () => Summary;
}

export interface Summary {
  readonly rows: readonly Row[];
  readonly columns: readonly RowColumn[];
  /** Histograms, which are drawn below the table. */
  readonly histograms: readonly NamedHistogram[];
}

export interface NamedHistogram {
  readonly name: string;
  /** `counts[n]` has the durations from 2^n units to 2^(n+1) - 1; the first also has those below. */
  readonly counts: readonly number[];
  /** Nanoseconds of a unit. */
  readonly unitNs: bigint;
}

/** The options that only some tracers have. */
export type OwnOption = 'exits' | 'failed' | 'all' | 'minimum' | 'library' | 'each';

/** A tracer: `polytrace trace NAME`. */
export interface TracerDefinition {
  readonly name: string;
  /** One line for the help. */
  readonly summary: string;
  /** Its own options, with their description. */
  readonly takes?: Readonly<Partial<Record<OwnOption, string>>>;
  /** Description of its arguments on the command line, if it has some. */
  readonly argument?: string;
  /** What the kernel needs for it, for the error on a kernel that does not have it. */
  readonly needs: string;
  /**
   * Its policies, the best first: the first one that this kernel can load is used. None for a tracer that needs only the
   * starts and ends of processes.
   */
  readonly policies: (options: TraceOptions) => readonly string[];
  /** The starts and ends of processes are among its events. */
  readonly usesProcessEvents?: true;
  /** Its policies count, and write no events. */
  readonly readsMetrics?: true;
  readonly columns: (options: TraceOptions) => readonly RowColumn[];
  readonly createCollector: (options: TraceOptions) => Collector;
  /** Seconds between two tables, for tracers that sum up. */
  readonly interval?: number;
}

export type HookPlainEvent = Extract<PlainEvent, { readonly policyName: string; readonly process: unknown }>;

export function describeProcess(process: PlainProcess, parent?: PlainProcess): RowProcess {
  const { pid, binary, uid, user, container, pod } = process;
  return {
    source: process,
    pid,
    ...(parent !== undefined && { parentPid: parent.pid, parentBinary: parent.binary }),
    binary,
    uid,
    ...(user !== undefined && { user }),
    ...(container !== undefined && { container: container.name ?? container.id.slice(0, 12) }),
    ...(pod !== undefined && { pod: pod.name, namespace: pod.namespace }),
  };
}

export function makeRow(
  event: Extract<PlainEvent, { readonly process: unknown }>,
  fields: Row['fields'],
  process: RowProcess | undefined = describeProcess(event.process, event.parent),
): Row {
  return { time: event.time, process, fields };
}

/** True for an event of a hook: it has a policy and values. */
export function isHookEvent(event: PlainEvent): event is Exclude<HookPlainEvent, { type: 'process_loader' }> {
  return 'policyName' in event && 'process' in event && event.type !== 'process_loader';
}
