import type { CompileOptions } from './policy.js';

/** Options of `learnExceptions`. */
export interface LearnExceptionsOptions {
  /** The text of the policy. */
  readonly policy: string;
  /** The name of its file, for messages. Default: `<policy>`. */
  readonly file?: string;
  /** Only alerts of containers with these names. Default: all. */
  readonly containers?: readonly string[];
  /** Only alerts of pods with these labels. Default: all. */
  readonly pods?: Readonly<Record<string, string>>;
  /** The types of the kernel, for a policy that leaves types of values to it. */
  readonly kernel?: CompileOptions['kernel'];
}

/** A learned exception: a selector with NoPost in front of those of its hook. */
export interface LearnedException {
  /** The function or tracepoint of the hook, and its message. */
  readonly hook: string;
  /** Executables, one of which the process must have. Empty for containers, whose executables are not trusted. */
  readonly programs: readonly string[];
  /** The script that the program runs. */
  readonly script?: string;
  /** The executable of an ancestor. */
  readonly ancestor?: string;
  /** The image of the container without tag and digest, or its name. */
  readonly container?: string;
  /** Filters of arguments: `position` is a position in the `args` of the hook. */
  readonly filters: readonly {
    readonly position: number;
    readonly operator: string;
    readonly values: readonly string[];
  }[];
  /** Alerts that it was learned from. */
  readonly events: number;
  /** Their processes; at most 256 are counted. */
  readonly processes: number;
  /** Times of the first and last alert, RFC 3339. */
  readonly first: string;
  readonly last: string;
  /** The command and the values of the first alert. A process chooses this text. */
  readonly example: string;
  /** Everything that it hides, in words. */
  readonly hides: string;
  /** Reasons to look closely, in words. */
  readonly review: readonly string[];
}

/** The result of `learnExceptions`. */
export interface LearnedExceptions {
  /** The policy with the exceptions and comments. */
  readonly yaml: string;
  /** Name of the policy. */
  readonly policy: string;
  /** Alerts of the policy in the recordings. */
  readonly alerts: number;
  readonly exceptions: readonly LearnedException[];
  /** Alerts of which nothing was learned, by hook, program and reason: at most 256. They stay. */
  readonly remaining: readonly {
    readonly hook: string;
    readonly program: string;
    readonly reason: string;
    readonly evidence: string;
    readonly example: string;
  }[];
  /** Sentences about what found no room. */
  readonly cut: readonly string[];
}

/** The result of `checkExceptions`: numbers of alerts. */
export interface CheckedExceptions {
  /** Nothing learned stays, nothing else is hidden, and every alert of the attacks is reported. */
  readonly passed: boolean;
  /** Alerts without the exceptions, and with them. */
  readonly before: number;
  readonly after: number;
  /** Learned alerts that stay, and alerts that were not learned and are hidden. */
  readonly missed: number;
  readonly excess: number;
  /** Alerts of containers: they are hidden if a source knows the container at the time of the call. */
  readonly scoped: number;
  /** Alerts of the attacks, without the exceptions and with them. */
  readonly attacksBefore: number;
  readonly attacksAfter: number;
  /** The first problems, in words. */
  readonly problems: readonly string[];
}

/**
 * Learns exceptions for a policy from recordings (`polytrace getevents --record`): few selectors that hide the alerts of the
 * policy in the recordings. Its memory does not grow with the recordings. Rules for what is never learned are in docs/learn.md.
 * Throws PolytraceError (`RECORDING_INVALID`, `FILE_UNREADABLE`, `LEARN_POLICY`) and PolicyError.
 */
export function learnExceptions(
  recordings: readonly string[],
  options: LearnExceptionsOptions,
): Promise<LearnedExceptions>;

/**
 * Evaluates the policy without and with its exceptions over recordings, and over recordings of attacks, of which nothing may be
 * hidden. `learned` is what `learnExceptions` returned.
 */
export function checkExceptions(
  learned: LearnedExceptions,
  recordings: readonly string[],
  attacks?: readonly string[],
): Promise<CheckedExceptions>;

/** Whose behavior is learned. Without members: everything that was recorded. */
export interface ServiceOptions {
  /** Names of containers. */
  readonly containers?: readonly string[];
  /** Labels that a pod must have. */
  readonly pods?: Readonly<Record<string, string>>;
  /** Executables: these and all that they start. */
  readonly programs?: readonly string[];
}

/** Options of `learnService`. */
export interface LearnServiceOptions extends ServiceOptions {
  /** Name of the service: small letters, digits and `-`. The policy is called `NAME-allowed`. */
  readonly name: string;
}

/** The result of `learnService`. */
export interface LearnedService {
  /** A policy that reports programs, written files, secrets, connections, listeners and capabilities that were not seen. */
  readonly yaml: string;
  /** A seccomp profile in the format of OCI, as an object. Undefined if the recording has no system calls. */
  readonly seccomp: object | undefined;
  /** The YAML of a NetworkPolicy of Kubernetes. */
  readonly networkPolicy: string;
  /** Events of the service in the recordings. */
  readonly events: number;
  /** What was allowed, by kind, with its evidence. */
  readonly allowed: readonly { readonly kind: string; readonly subject: string; readonly events: number }[];
  /** What was seen and is not allowed, with the reason. */
  readonly refused: readonly { readonly kind: string; readonly subject: string; readonly reason: string }[];
  /** Sentences about what found no room, or was not recorded. */
  readonly cut: readonly string[];
}

/** Returns the policy with which a service is recorded, for `learnService`. */
export function servicePolicy(options?: ServiceOptions): string;

/** Learns what a service does from recordings of the policy that `servicePolicy` returned. Throws PolytraceError. */
export function learnService(recordings: readonly string[], options: LearnServiceOptions): Promise<LearnedService>;
