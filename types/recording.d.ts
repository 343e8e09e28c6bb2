import type { PolytraceError } from './errors.js';
import type { AgentEvent, PlainEvent } from './events.js';
import type { Metric } from './metrics.js';
import type { CompiledPolicy, CompiledValue, CompiledHook } from './policy.js';

/**
 * Writes events as a recording: JSON lines with all their values, from which `recordingReader` makes the same events, and
 * over which `replayer` evaluates another policy. A recording contains what the traced processes did, including arguments and
 * buffers: protect it like the data itself.
 */
export interface Recorder {
  /** The first line of a recording, with its version. It ends with a newline. */
  readonly header: string;
  /** The lines of an event. Each process and each hook has a line of its own, before the first event that refers to it. */
  readonly lines: (event: AgentEvent) => string;
}

/** Makes a recorder, for one recording. It keeps the last 16,384 processes. */
export function recorder(): Recorder;

/** A value that a recorded hook read, without filters. */
export type RecordedValue = Omit<CompiledValue, 'ints' | 'intTable' | 'texts' | 'net'>;

/** A hook whose events were recorded: its target, and the values that it read. */
export type RecordedHook = Pick<
  CompiledHook,
  'kind' | 'call' | 'syscall' | 'list' | 'places' | 'program' | 'usdt' | 'tracepoint' | 'position'
> & {
  readonly policyName: string;
  readonly args: readonly RecordedValue[];
  readonly data: readonly RecordedValue[];
  readonly returnArg?: RecordedValue;
  /** Not every call was recorded: the recorded policy has filters, a rate limit, or NoPost. */
  readonly isFiltered: boolean;
};

/** An event of a recording, as plain data. */
export interface RecordedEvent {
  readonly event: PlainEvent;
  /** The hook of the event. Absent for events of no hook. */
  readonly hook?: RecordedHook;
}

/** Reads the lines of a recording. */
export interface RecordingReader {
  /**
   * Reads the next line. Returns undefined for a line without an event. Throws a PolytraceError (`RECORDING_INVALID`,
   * `RECORDING_NEEDED` for JSON lines of `-o json`, `RECORDING_VERSION`).
   */
  read(line: string): RecordedEvent | undefined;
  /** The hooks that the lines so far have described. */
  readonly hooks: readonly RecordedHook[];
  /**
   * Architecture of the machine that made the recording: the numbers of system calls in a policy depend on it, see
   * `compilePolicy`. Undefined before the first line.
   */
  readonly architecture: 'x64' | 'arm64' | undefined;
}

/** Makes a reader, for one recording. */
export function recordingReader(): RecordingReader;

/** Options of `readEvents`. */
export interface ReadEventsOptions {
  /**
   * Called for each line that is not an event. Its message has the file and the line. Reading continues after the line.
   * Without this function, the first such line ends the iteration with the error.
   */
  readonly onInvalidLine?: (error: PolytraceError) => void;
}

/**
 * Reads events from a file, given by its path or as a stream of its bytes: JSON lines of `-o json` or of the export of an
 * agent, or a recording. Both may be compressed with gzip; the content decides, and not the name. Only a part of the file is
 * in memory, and the file is closed when the iteration ends. Events of a recording are complete. In those of JSON lines,
 * members that JSON lines do not have are empty. Throws a PolytraceError:
 *
 * - `EVENTS_INVALID`: a line is no event, is longer than 4 MiB, or has a type that this version does not know; or the
 *   compressed data is damaged.
 * - `RECORDING_INVALID`, `RECORDING_VERSION`: of a recording.
 * - `FILE_UNREADABLE`: the file cannot be read.
 */
export function readEvents(
  file: string | AsyncIterable<Uint8Array>,
  options?: ReadEventsOptions,
): AsyncGenerator<PlainEvent, void, undefined>;

/**
 * Reason why a filter could not be evaluated:
 * - `VALUE_NOT_RECORDED`: the recorded hook does not read this value.
 * - `VALUE_INCOMPLETE`: only a part of the value was recorded.
 * - `VALUE_REWRITTEN`: the kernel compares a name of the file that events do not have (pipes, sockets, namespaces).
 * - `FILE_IDENTITY`: `inode: true`, and the path alone does not decide.
 * - `PROCESS_STATE`: namespaces, capabilities or ids in a namespace at the call. Events have those at the exec.
 * - `PROCESS_HISTORY`: earlier programs of the process and of its ancestors are not known.
 * - `PROCESS_UNKNOWN`: the executable or the parent of a process that was not seen from its start.
 * - `SOCKET_OWNER`: the event is about the owner of a socket, and not about the process that called.
 * - `SCOPE`: the container of the process at the call.
 * - `RATE_LIMIT`: an earlier equal event may suppress this one.
 * - `CALLS_NOT_RECORDED`: calls of the hook may be missing in the recording. Only metrics have this doubt.
 */
export type UncertaintyCode =
  | 'VALUE_NOT_RECORDED'
  | 'VALUE_INCOMPLETE'
  | 'VALUE_REWRITTEN'
  | 'FILE_IDENTITY'
  | 'PROCESS_STATE'
  | 'PROCESS_HISTORY'
  | 'PROCESS_UNKNOWN'
  | 'SOCKET_OWNER'
  | 'SCOPE'
  | 'RATE_LIMIT'
  | 'CALLS_NOT_RECORDED';

/** A part of the policy that could not be evaluated, and the reason. */
export interface Uncertainty {
  readonly code: UncertaintyCode;
  /** The value or the filter. */
  readonly about: string;
  /** The reason as text for people. */
  readonly meaning: string;
}

/** The result of evaluating a hook over a recorded call. */
export interface Verdict {
  /** Result: the hook reports the call or not. `unknown`: it depends on data that the recording does not have. */
  readonly reported: 'yes' | 'no' | 'unknown';
  /** Index of the selector that matches. Absent if none matches, or if the matching selector is not certain. */
  readonly selector?: number;
  /** The selectors that may match, lowest first. */
  readonly selectors: readonly number[];
  /** The parts that could not be evaluated. Also present if the result is certain in spite of them. */
  readonly doubts: readonly Uncertainty[];
}

/** The verdict of one hook of a policy on a recorded call. */
export interface Replayed {
  /** Index of the policy's hook. */
  readonly hook: number;
  readonly verdict: Verdict;
  /**
   * The event as the policy reports it, unless `verdict.reported` is `no`. Actions are those of mode `monitor`. It contains only the
   * recorded values, in the order of the policy.
   */
  readonly event?: PlainEvent;
}

/** A metric over a recording: the numbers that the policy would have counted. */
export interface ReplayedMetric extends Omit<Metric, 'since'> {
  /** What the recording does not decide. Empty if the numbers are those of the kernel. */
  readonly doubts: readonly MetricDoubt[];
}

/** A part of a metric that is not certain, and the reason. */
export interface MetricDoubt extends Uncertainty {
  /**
   * What is not certain: the number of calls, because these ones may be counted and are not; the sum, because a value
   * is not known and adds 0; or a label, whose text is `(unknown)` or may be another one.
   */
  readonly affects: 'calls' | 'sum' | 'label';
  /** Name of the label. Present for a label. */
  readonly label?: string;
  /**
   * Number of recorded calls that it is about. For `CALLS_NOT_RECORDED`: recorded calls of the hook; others may be
   * missing.
   */
  readonly calls: number;
}

/** Evaluates a policy over recorded calls. */
export interface Replayer {
  /** Hooks of the policy that no recorded hook covers: the recording has none of their calls. */
  readonly uncovered: readonly CompiledHook[];
  /** Returns the verdicts of the policy's hooks on a recorded call. Empty if it is not a call of any of them. */
  readonly replay: (recorded: RecordedEvent) => Replayed[];
  /** Returns the metrics that the policy would have after the calls so far, in its order. Empty if it counts nothing. */
  readonly metrics: () => ReplayedMetric[];
}

/**
 * Evaluates a compiled policy over a recording: which calls it would have reported. The verdicts are the same as in the kernel; if
 * the recording lacks data, the verdict is `unknown`. `hooks` are all hooks of the recording. If one of them reads the same values
 * as a hook of the policy, only its calls count for that hook. Otherwise, the calls of all hooks on the same function count.
 */
export function replayer(policy: CompiledPolicy, hooks: readonly RecordedHook[]): Replayer;
