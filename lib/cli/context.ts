/**
 * The environment of a command. Each command receives it as a parameter, so that tests need no kernel and no terminal.
 */
import type { ErrorCode } from '../../types/codes.js';
import type * as polytrace from '../../types/index.js';

/** The part of the public API that the commands use. */
export type Api = Pick<
  typeof polytrace,
  | 'checkExceptions'
  | 'compareLocks'
  | 'compilePolicy'
  | 'eventFilter'
  | 'fieldFilter'
  | 'expandPolicyPaths'
  | 'explainPolicy'
  | 'findBypasses'
  | 'findHook'
  | 'formatBypasses'
  | 'formatCompact'
  | 'formatExplanation'
  | 'formatHook'
  | 'hookPolicy'
  | 'formatRunSummary'
  | 'hostGaps'
  | 'compactLines'
  | 'jsonLines'
  | 'learnExceptions'
  | 'learnService'
  | 'listHooks'
  | 'loadKernelInfo'
  | 'listPolicyParameters'
  | 'loadPolicyFile'
  | 'lockPolicy'
  | 'openTracer'
  | 'parseLock'
  | 'parsePolicyTest'
  | 'eventPath'
  | 'policyLibrary'
  | 'policySchema'
  | 'preflight'
  | 'recorder'
  | 'recordingReader'
  | 'redactor'
  | 'removePersisted'
  | 'run'
  | 'servicePolicy'
  | 'replayer'
  | 'setPolicyParameters'
  | 'summarizeEvent'
  | 'toJson'
  | 'tryTracing'
  | 'validatePolicy'
> & {
  readonly PolytraceError: ErrorClass<polytrace.PolytraceError>;
  readonly PolicyError: ErrorClass<polytrace.PolicyError>;
  readonly KernelError: ErrorClass<polytrace.KernelError>;
};

/** A class that is only used with `instanceof`. The commands do not create errors of the library. */
type ErrorClass<T> = abstract new (...args: never[]) => T;

/** The part of the package polytrace-agent that the command uses. */
export interface AgentPackage {
  /** Runs the agent until a signal, and resolves with the exit status. */
  runAgent(args: readonly string[], host: Pick<Context, 'stdout' | 'stderr' | 'signals'>): Promise<number>;
  /** Runs `polytrace fleet`, and resolves with the exit status. */
  runFleet(args: readonly string[], host: Pick<Context, 'stdout' | 'stderr' | 'signals'>): Promise<number>;
  /** Connects to the servers of a fleet. */
  openFleet(servers: readonly string[], files: FleetFiles): Promise<FleetReader>;
}

/** Paths of files for a connection to a fleet. */
interface FleetFiles {
  readonly credentials?: string | undefined;
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

/** Which events of a fleet a command reads. */
export interface FleetRequest {
  readonly nodes?: readonly string[] | undefined;
  readonly labels?: string | undefined;
  readonly types?: readonly string[] | undefined;
  /** Milliseconds since 1970. */
  readonly since?: number | undefined;
  readonly follow?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProblem?: ((text: string) => void) | undefined;
}

export interface FleetReader {
  /** The JSON lines of all nodes by time, several at a time. */
  lines(request: FleetRequest): AsyncIterable<readonly { readonly text: string }[]>;
  close(): Promise<void>;
}

export interface Context {
  readonly api: Api;
  /** Loads the package polytrace-agent. Throws when it is not installed. */
  readonly agentPackage: () => AgentPackage;
  readonly stdin: NodeJS.ReadableStream;
  readonly stdout: NodeJS.WritableStream & {
    readonly isTTY?: boolean;
    readonly columns?: number;
    readonly rows?: number;
  };
  /**
   * The descriptor of standard output if it is a file or a device. Events are then written directly to the descriptor.
   */
  readonly stdoutFile?: number;
  readonly stderr: NodeJS.WritableStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Emits SIGINT, SIGTERM and SIGHUP. */
  readonly signals: NodeJS.EventEmitter;
  /** Ends the process immediately. */
  readonly exit: (status: number) => void;
}

/** Exit statuses, which `polytrace --help` lists. */
export const SUCCESS = 0;
export const POLICY_ERRORS = 1;
export const USAGE = 2;
export const KERNEL = 3;
/** Events could not be written. */
export const OUTPUT_LOST = 4;
/** The agent does not answer. */
export const NO_AGENT = 5;
/** The recording lacks what the evaluation of a policy needs. */
export const UNKNOWN = 6;
/** `run --lock`: the command succeeded, and did something that its lock file does not have. */
export const LOCK_VIOLATED = 7;
/** `policies outdated`: the archive has a newer library. */
export const OUTDATED = 8;
/** Exit statuses of a command that a second signal ended: 128 plus the number of the signal. */
export const INTERRUPTED = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;
/** The reader of the output has closed it, as `head` does. Shells report this status for programs that SIGPIPE ends. */
export const CLOSED_PIPE = 141;

/** Signals that end a command in an orderly way. */
export const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** An error in the command line that only the command itself can detect. */
export class UsageError extends Error {}

/** `error`: of the file system. */
export function cannotWrite(path: string, error: unknown): UsageError {
  return new UsageError(`cannot write ${path}: ${(error as NodeJS.ErrnoException).code ?? String(error)}`);
}

/** Standard output has failed. */
export class OutputError extends Error {
  constructor(readonly reason: NodeJS.ErrnoException) {
    super(`the output failed: ${reason.code ?? reason.message}`);
  }

  get status(): number {
    return this.reason.code === 'EPIPE' ? CLOSED_PIPE : OUTPUT_LOST;
  }
}

/** An error with a code that a command finds itself. Errors of the library have their own classes. */
export class CommandError extends Error {
  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly hint: string,
    readonly status: number,
  ) {
    super(message);
  }
}
