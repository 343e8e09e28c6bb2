import type { StopSignal } from './compatibility.js';
import type { TracerEvent } from './events.js';
import type { TracerIterator } from './tracer.js';

/** What a command may do under `enforce`. With a lock file, it may also do what the lock file has. */
export interface RunRules {
  /** Connections that are allowed: `NAME:PORT`, `ADDRESS:PORT`, an address or a network (CIDR). With it, others are refused. */
  readonly allowConnect?: readonly string[];
  /** Files and folders that may be changed, in addition to the working folder. With it, changes of others are refused. */
  readonly allowWrite?: readonly string[];
  /** Refuses to open well-known secrets. Package managers may read their own settings, and scripts of packages may not. */
  readonly denySecrets?: boolean;
  /**
   * A set of rules. All of them deny secrets and changes outside of the working folder, the temporary folders and the caches.
   * - `install`: a package manager may connect to its registry and by HTTP; the scripts of packages may not
   * - `build`: no connections and no listeners
   * - `test`: connections and listeners on loopback only
   */
  readonly preset?: 'install' | 'build' | 'test';
}

/** Options for `run`. */
export interface RunOptions {
  /** Working folder of the command. Default: that of this process. */
  readonly cwd?: string;
  /** Environment of the command. Default: that of this process. `run` sets HOME, USER and LOGNAME for another user. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Name or id of the user that the command runs as. Default: the user that called sudo, or else the user of this process. */
  readonly user?: string | number;
  /** Kills the processes that outlive the command. Default false. */
  readonly killRemaining?: boolean;
  /** Compares what the command does with this lock file, which is written when it does not exist. Default: none. */
  readonly lock?: string;
  /** Writes the lock file anew. Default false. */
  readonly updateLock?: boolean;
  /**
   * Refuses what is not allowed, before it happens: by these rules, by the lock file, or by both. `true` stands for the lock file
   * alone, which must exist. Processes that outlive the command are killed. Default: nothing is refused.
   */
  readonly enforce?: boolean | RunRules;
  /** File with the types of this kernel, as for `openTracer`. */
  readonly btf?: string;
  /** Gets the events of the command and its descendants, in batches. The next batch waits for the promise. */
  readonly onEvents?: (batch: readonly TracerEvent[]) => Promise<void> | void;
  /**
   * The command takes the place of this process: it gets all descriptors that this process was started with, and the signals that
   * are sent to this process alone. The values say whether standard input, output and error were blocking at the start. Default:
   * the command gets standard input, output and error as they are.
   */
  readonly foreground?: readonly boolean[];
  /** Sends SIGTERM to the command when it is aborted. */
  readonly signal?: StopSignal;
}

/** What a command can do, the worst first. */
export type BehaviorKind =
  | 'killed'
  | 'secret'
  | 'memory'
  | 'kernel'
  | 'privilege'
  | 'mount'
  | 'signal'
  | 'unseen'
  | 'write'
  | 'remove'
  | 'rename'
  | 'mode'
  | 'connect'
  | 'dns'
  | 'listen'
  | 'exec'
  | 'read';

/** Something that the command or one of its descendants did. Equal facts are counted. */
export interface Behavior {
  readonly kind: BehaviorKind;
  /** The package that did it, and its lifecycle script; absent for the command itself. They come from the environment. */
  readonly package?: string;
  readonly script?: string;
  /** The file, address, name or call. */
  readonly subject: string;
  /** The same with variables and generalised names, as the lock file has it. */
  readonly fact: string;
  readonly count: number;
  /** True if it was refused, or if the process was killed for it. Such a behavior is a line of its own. */
  readonly refused?: true;
  /** For connections: bytes that were sent and received, if the kernel reports them. */
  readonly sent?: number;
  readonly received?: number;
  /** The first process that did it, and its ancestors up to the command: programs with process ids. */
  readonly process: readonly string[];
}

/** What a command did. */
export interface RunSummary {
  readonly command: readonly string[];
  /** Exit status of the command; 128 plus the signal if one ended it; 127 or 126 if it could not be started. */
  readonly exitCode: number;
  /** Number of the signal that ended the command. */
  readonly signal?: number;
  /** Milliseconds that the command ran. */
  readonly durationMs: number;
  /** Processes that executed a program, and all programs. */
  readonly execs: number;
  /** All behaviors, the worst first. */
  readonly behaviors: readonly Behavior[];
  /** Behaviors beyond the limit of 20,000 different ones, which are only counted. */
  readonly moreBehaviors: number;
  /** Processes that outlived the command: process id and program. `killed` says whether they were killed. */
  readonly remaining: readonly { readonly pid: number; readonly binary: string; readonly killed: boolean }[];
  /** Sentences about what could not be seen. */
  readonly unseen: readonly string[];
  /** Lost events. */
  readonly lost: number;
}

/** A line of a lock file. */
export interface LockFact {
  /** Name of the package; `.` for the command itself. */
  readonly package: string;
  readonly fact: string;
}

/** Difference of two lock files. */
export interface LockDifference {
  readonly added: readonly LockFact[];
  readonly removed: readonly LockFact[];
}

/** A file that is open for writing; its owner closes it. A FileHandle of Node.js is one. */
export interface RunFile {
  readonly fd: number;
  writeFile(text: string): Promise<void>;
  close(): Promise<void>;
}

/** A running command. */
export interface RunHandle extends AsyncIterable<TracerEvent> {
  /** Process id of the command. */
  readonly pid: number;
  /** Returns an iterator over the events of the command and its descendants. Call it before anything is awaited. */
  events(): TracerIterator<TracerEvent>;
  /** True if the lock file is written: it did not exist, or it is to be written anew. */
  readonly writesLock: boolean;
  /**
   * How `enforce` works here: `refuse`: calls fail with EPERM or EACCES before they have an effect; `kill`: this kernel cannot
   * refuse calls, so a process is killed right after a call that is not allowed. Undefined without `enforce`.
   */
  readonly enforcement?: 'refuse' | 'kill';
  /** Sentences about rules that are wider or narrower than they look, such as a host name that nobody knows. */
  readonly warnings: readonly string[];
  /**
   * Opens a file for writing, with the rights of the user that the command runs as. The command may have put a link in its place,
   * which must not lead to a file of root. Rejects if it takes longer than 10 seconds, as with a pipe that nobody reads.
   */
  openFile(path: string): Promise<RunFile>;
  /** Ends this process by the signal that ended the command, without a core file. */
  endBySignal(signal: number): void;
  /** Sends a signal to the command. */
  kill(signal: number): void;
  /** Resolves when the command has ended and all its events are read. */
  readonly summary: Promise<RunSummary>;
  /** Resolves with the exit status, as `summary` has it. */
  readonly exitCode: Promise<number>;
  /** Resolves with the behaviors that the lock file does not have; empty without a lock file. */
  readonly violations: Promise<readonly Behavior[]>;
}

/**
 * Starts a command and follows it with all its descendants. Needs root or the capabilities that `preflight` names.
 * Rejects with KernelError, or with PolytraceError RUN_FAILED if the command cannot be started.
 */
export function run(command: readonly string[], options?: RunOptions): Promise<RunHandle>;

/** Formats of a summary. */
export type SummaryFormat = 'text' | 'json' | 'markdown' | 'sarif' | 'html';

/** Formats the summary of a run. `violations` are listed first. */
export function formatRunSummary(summary: RunSummary, format: SummaryFormat, violations?: readonly Behavior[]): string;

/** Returns the text of a lock file with these behaviors. */
export function formatLock(behaviors: readonly Behavior[]): string;

/** Parses a lock file. Throws PolytraceError LOCK_INVALID with file and line. */
export function parseLock(text: string, file?: string): LockFact[];

/** Compares two lock files. */
export function compareLocks(before: readonly LockFact[], after: readonly LockFact[]): LockDifference;

/** Options for `lockPolicy`. */
export interface LockPolicyOptions {
  /** Only this package; `.` is the command itself. Default: all of them, and the command. */
  readonly section?: string;
  /** Folders of PWD, HOME, TMP and CACHE. PWD is always needed, HOME and CACHE where the lock file has them. */
  readonly variables?: Readonly<Record<string, string | readonly string[]>>;
  /** Addresses and networks of host names. Default: a name allows every address with its port. */
  readonly addresses?: Readonly<Record<string, readonly string[]>>;
  /** Paths of programs: the policy is about them and all that they start. Default: about every process. */
  readonly programs?: readonly string[];
}

/**
 * Returns the YAML of a TracingPolicy that reports what the lock file does not have: programs, opened files, connections and
 * listeners. Throws PolytraceError LOCK_POLICY.
 */
export function lockPolicy(facts: readonly LockFact[], options?: LockPolicyOptions): string;
