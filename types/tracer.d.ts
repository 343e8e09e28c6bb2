import type { MetricsSample } from './metrics.js';
import type { FileUrl, StopSignal } from './compatibility.js';
import type { PreemptionModel } from './kernel.js';
import type { ContainerInfo, ContainerSource, ContainerSourceStatus } from './containers.js';
import type { Diagnostic } from './errors.js';
import type { AgentEvent, EventOf, EventType, LostEvent, PlainOf, Process, TracerEvent } from './events.js';
import type { ContainerFilter, LineFormatter } from './output.js';
import type { HookKind, Policy, PolicyMode } from './policy.js';

/**
 * Source of policies: the path (or `file:` URL) of a YAML file or of a folder with YAML files, `polytrace:NAME` (a policy
 * of the package, see `policyLibrary`), YAML text, or a policy from `parsePolicy`.
 */
export type PolicySource = string | FileUrl | { readonly yaml: string; readonly file?: string } | Policy;

/** Policies that `openTracer` has loaded so far. A file may have several. */
export interface LoadProgress {
  readonly loaded: number;
  readonly total: number;
}

/** Most exec and exit events of one cgroup. */
export interface CgroupRate {
  /** Number of events: 1 to 4,294,967,295. */
  readonly events: number;
  /** Milliseconds: 1 to 86,400,000 (a day). */
  readonly intervalMs: number;
}

/** Options for `openTracer`. */
export interface TracerOptions {
  /** Policies to load before the promise resolves. If one fails, the tracer does not open. Default: none. */
  readonly policies?: readonly PolicySource[];
  /** Called after each of `policies` is loaded. If it throws an error, `openTracer` rejects with it. Default: none. */
  readonly onProgress?: (progress: LoadProgress) => void;
  /**
   * Mechanism for kernel functions. `auto` uses fentry/fexit if the kernel supports it, otherwise kprobe/kretprobe.
   * Default `auto`.
   */
  readonly attach?: 'auto' | 'fentry' | 'kprobe';
  /** Size of the kernel's ring buffer in bytes: a power of two, 128 KiB to 1 GiB. Default 64 MiB. */
  readonly bufferSize?: number;
  /**
   * Most milliseconds for which events are collected, while three or more of them come in such a time: 0 to 1000. The first
   * event after a rest is reported at once. A ring buffer of less than `coalesceMs` MiB is read more often. Default 20.
   */
  readonly coalesceMs?: number;
  /** Name of the machine in events and exec ids. Default: `NODE_NAME` of the environment, otherwise the host name. */
  readonly nodeName?: string;
  /** Labels of this machine, for the `nodeSelector` and `hostSelector` of policies. Default: none. */
  readonly nodeLabels?: Readonly<Record<string, string>>;
  /**
   * Exec events have the environment of the process: true for all variables, or the names of those to report. Its values
   * often are secrets. Default false.
   */
  readonly environment?: boolean | readonly string[];
  /**
   * Most exec and exit events of one cgroup in a time. A cgroup above it reports none until it has been below for 5
   * seconds: `process_throttle` events tell the start and the end, `lost` events count what was not reported. Events of
   * hooks are still reported, but their process may be unknown if its exec was not. The root cgroup has no rate. Default:
   * no limit.
   */
  readonly cgroupRate?: CgroupRate;
  /** Also reports this process. Without it, the kernel filters this process out. Default false. */
  readonly includeSelf?: boolean;
  /**
   * Number of events that an iterator may be behind the fastest one. Further events are counted as lost. Default
   * 65,536.
   */
  readonly maxQueued?: number;
  /**
   * Allows policies to signal processes, override functions and change programs. Without it, a policy with such
   * actions is refused unless it is in mode `monitor`. Default false.
   */
  readonly enforcement?: boolean;
  /**
   * Allows enforcement by mechanisms that can miss calls on this kernel, see `preemption` of `preflight()`. Without it,
   * such a policy is refused with CALLS_MAY_BE_MISSED. Default false.
   */
  readonly allowMissedCalls?: boolean;
  /** Mode of `policies`. It replaces the mode that the policies set themselves, except for `monitor_only`. */
  readonly mode?: PolicyMode;
  /**
   * Counts all calls that reach each hook, also those that no selector matches: `hits` of `policies()`. Costs 17
   * instructions per call. Default false.
   */
  readonly countHits?: boolean;
  /**
   * Rewrites each BPF program of a hook for its policy before it is loaded, so that fewer instructions run. Without it, the
   * programs are loaded as they were compiled: events are the same, and each call costs more. Default true.
   */
  readonly optimize?: boolean;
  /**
   * Hooks remember paths that no selector can match. Without it, they resolve each path again: events are the same, and
   * such calls cost more. Default true.
   */
  readonly cachePaths?: boolean;
  /**
   * Hooks of several policies on the same function share one program, if their filters allow it: docs/policy.md lists
   * which. A call then costs about the same for two and for a thousand policies. The first hook of its kind on a function
   * has a program of its own until the second one comes, and at a tracepoint for good. `HookStatus` says which hooks are
   * grouped. Not possible with `persist`. Default true, false with `persist`.
   */
  readonly groupPolicies?: boolean;
  /**
   * Folder of a BPF file system, such as `/sys/fs/bpf/NAME`, which is created when it does not exist. Policies then
   * stay active when this process dies. The next tracer with the same folder takes them over after it has attached
   * its own policies. Default: hooks are detached when this process ends.
   */
  readonly persist?: string;
  /**
   * With `persist`: `openTracer` takes over the policies that an earlier tracer has left. With false, only `takeOver()` does so,
   * for a program that adds its policies after it has opened the tracer. Default true.
   */
  readonly takeOver?: boolean;
  /** Adds addresses to stack traces. Kernel addresses disclose the location of the kernel in memory. Default false. */
  readonly stackAddresses?: boolean;
  /**
   * Allows GetUrl and DnsLookup to make network requests. Without it, a policy with these actions is refused unless
   * it is in mode `monitor`. Default false.
   */
  readonly allowRequests?: boolean | RequestOptions;
  /**
   * Sources of names, labels and pods of containers. `true`: the runtimes whose sockets exist. Without it, only
   * `process.container` with the id is known. Default false.
   */
  readonly containers?: boolean | ContainerOptions;
  /**
   * File with the BTF of exactly this kernel, for kernels that have none of their own: raw BTF, or an ELF file with a section
   * `.BTF`. All tracers that a process has open at the same time need the same one. Features that need BTF of the kernel itself, such
   * as fentry and LSM hooks, stay unavailable. Rejects with KernelError BTF_UNREADABLE for a file of another architecture, or of
   * another kernel if this one has BTF to compare. Default: /sys/kernel/btf/vmlinux.
   */
  readonly btf?: string;
  /**
   * Stops the opening when it is aborted: everything is detached, and `openTracer` rejects with an `AbortError`, as functions of
   * Node.js do. It has no effect on an open tracer. Default: none.
   */
  readonly signal?: StopSignal;
}

/**
 * A source of the library:
 * - `nri`: containerd and CRI-O report each container before it starts, and wait until the policies know it
 * - `cri`: asks containerd and CRI-O
 * - `docker`, `podman`: ask the Docker Engine and Podman
 * - `cgroups`: reads the existing cgroups, which have no names of containers
 */
export type ContainerSourceName = 'nri' | 'cri' | 'docker' | 'podman' | 'cgroups';

/** Options for sources of containers. */
export interface ContainerOptions {
  /**
   * Sources, the most trusted first: an earlier one has precedence over a later one. Default: `nri`, `cri`, `docker` and
   * `podman`, each if its socket exists, then `cgroups`.
   */
  readonly sources?: readonly (ContainerSource | ContainerSourceName)[];
  /**
   * Maximum time in milliseconds that the first events of a container wait for its name: 0 to 10,000. All later events also wait,
   * so that the order stays the same. Default 500.
   */
  readonly waitMs?: number;
  /**
   * Maximum time in milliseconds that a runtime waits for this process before it starts a container: 0 to 60,000. containerd
   * ends the connection after 2000. Default 1500.
   */
  readonly startWaitMs?: number;
  /**
   * Keeps the annotations of pods, for `process.pod.annotations`. They can be large, and they can contain secrets. Default true.
   */
  readonly annotations?: boolean;
  /** Absolute paths of sockets. Default: the usual paths of each runtime. */
  readonly sockets?: {
    readonly nri?: string;
    readonly cri?: string;
    readonly docker?: string;
    readonly podman?: string;
  };
}

/** Options for network requests. */
export interface RequestOptions {
  /** Name servers for DnsLookup, as `127.0.0.1` or `127.0.0.1:5353`. Default: the name servers of the machine. */
  readonly nameServers?: readonly string[];
}

/** Number of GetUrl and DnsLookup requests since the policy was attached. */
export interface RequestCounts {
  /** Requests that were started. */
  readonly started: number;
  /** Requests that got an answer. GetUrl: response headers, with any status. DnsLookup: an address. */
  readonly answered: number;
  /** Requests that got no answer. */
  readonly failed: number;
  /** Requests that were not started because too many were waiting. */
  readonly dropped: number;
}

/** Options for loading a policy. */
export interface LoadOptions {
  /**
   * Mode of the policy. Default: the policy's own option `policy-mode`, and `enforce` without that option. A policy
   * that is `monitor_only` keeps its mode.
   */
  readonly mode?: PolicyMode;
  /**
   * Stops the loading when it is aborted. A hook that is being loaded is finished and removed like the hooks before it. The call
   * then rejects with an `AbortError`, as functions of Node.js do, and nothing has changed. An abort that comes after the last hook
   * is attached has no effect. Default: none.
   */
  readonly signal?: StopSignal;
}

/** Filters and options of an iterator. */
export interface EventsOptions extends ContainerFilter {
  /** Types to report. `lost` events are always reported. Default: all types. */
  readonly types?: readonly EventType[];
  /**
   * Policies whose events are reported. Events of the base sensor are always reported. A name that no policy has is a warning,
   * because the policy may be added later. Default: all policies.
   */
  readonly policyNames?: readonly string[];
  /** Ends the iteration when it is aborted. */
  readonly signal?: StopSignal;
  /**
   * Returns each event as plain data, as `toObject` does: for events that are kept for a long time or sent to a worker. Costs
   * several microseconds per event. Default false.
   */
  readonly plain?: false;
}

/** Filters and options of an iterator over plain data. */
export interface PlainEventsOptions extends Omit<EventsOptions, 'plain'> {
  /** Returns each event as plain data, as `toObject` does. */
  readonly plain: true;
}

/** Options of an iterator that reports only events of the types `T`, and `lost` events. */
export interface TypedEventsOptions<T extends EventType> extends EventsOptions {
  readonly types: readonly T[];
}

/** The same for an iterator over plain data. */
export interface TypedPlainEventsOptions<T extends EventType> extends PlainEventsOptions {
  readonly types: readonly T[];
}

/**
 * Iterates over events. `break`, `return`, `throw` in `for await` and the end of an `await using` block end the iteration. The
 * tracer then releases everything that it keeps for the iterator.
 */
export interface TracerIterator<T> extends AsyncIterableIterator<T>, AsyncDisposable {
  next(): Promise<IteratorResult<T, undefined>>;
  return(): Promise<IteratorResult<T, undefined>>;
  [Symbol.asyncIterator](): this;
}

/** The iterators of a tracer (`E` is `TracerEvent`) and of a connection to an agent (`E` is `AgentEvent`). */
export interface EventIterators<E extends AgentEvent> extends AsyncIterable<E> {
  /**
   * Returns an iterator over the events of these types from this call on, and `lost` events. Emits a process warning with the
   * code `POLYTRACE_POLICY_NAME` for a name in `policyNames` that no loaded policy has.
   */
  events<T extends EventType>(options: TypedEventsOptions<T>): TracerIterator<EventOf<T> | LostEvent>;
  /** Returns an iterator over the same events as plain data. */
  events<T extends EventType>(options: TypedPlainEventsOptions<T>): TracerIterator<PlainOf<EventOf<T> | LostEvent>>;
  /** Returns an iterator over all events from this call on. Each iterator gets every event. */
  events(options?: EventsOptions): TracerIterator<E>;
  /** Returns an iterator over the same events as plain data. */
  events(options: PlainEventsOptions): TracerIterator<PlainOf<E>>;
  /** Returns the same events as `events`, in arrays. Each has the events of at most 64 KiB of records. */
  batches<T extends EventType>(options: TypedEventsOptions<T>): TracerIterator<readonly (EventOf<T> | LostEvent)[]>;
  /** Returns the same events as plain data, in arrays. */
  batches<T extends EventType>(
    options: TypedPlainEventsOptions<T>,
  ): TracerIterator<readonly PlainOf<EventOf<T> | LostEvent>[]>;
  /** Returns the same events as `events`, in arrays. Each has the events of at most 64 KiB of records. */
  batches(options?: EventsOptions): TracerIterator<readonly E[]>;
  /** Returns the same events as plain data, in arrays. */
  batches(options: PlainEventsOptions): TracerIterator<readonly PlainOf<E>[]>;
}

/** An open tracer. It attaches policies to the kernel and reports their events. */
export interface Tracer extends EventIterators<TracerEvent>, AsyncDisposable {
  /**
   * Returns an iterator over the lines of the same events as `events`, as the function from `jsonLines` or `compactLines`
   * formats them. Lines that are there together are one array, which is valid until the next one is requested. It costs
   * least: where no other iterator needs events, no events are made.
   */
  lines(format: LineFormatter, options?: EventsOptions): TracerIterator<Uint8Array>;
  /**
   * Returns a process that the tracer knows; undefined if it does not know it. A number is the id of a running process in the
   * initial pid namespace. A string is an `execId`, whose process may have ended or executed another program.
   *
   * The tracer knows the processes that ran when it was opened, and follows exec, fork and exit in the events that it has
   * read. It reads events only while at least one iterator is active. It forgets an ended process after 4,096 more have ended.
   */
  process(id: number | string): Process | undefined;
  /** Returns the running processes that this process has started, as far as the tracer knows. Searches all known processes. */
  children(process: Pick<Process, 'execId'>): Process[];
  /**
   * Returns the parent of the process, the parent of that process, and so on, as far as the tracer knows. At most 64 of them have
   * ended. Empty for a process that the tracer does not know.
   */
  ancestors(process: Pick<Process, 'execId'>): Process[];
  /**
   * Loads a policy completely or not at all. Loaded policies continue without interruption. Rejects with PolicyError
   * or KernelError.
   */
  addPolicy(source: PolicySource, options?: LoadOptions): Promise<PolicyStatus[]>;
  /** Detaches and unloads a policy. Its events that are already in the buffer are still reported. */
  removePolicy(name: string): Promise<void>;
  /**
   * Replaces the loaded policy of the same name. The new policy is attached before the old one is detached, so no
   * call is missed, and one call may be reported twice. If the new policy fails, the old one stays.
   */
  replacePolicy(source: PolicySource, options?: LoadOptions): Promise<PolicyStatus[]>;
  /** Detaches a policy and keeps it loaded. */
  disablePolicy(name: string): Promise<void>;
  /** Attaches a disabled policy again. */
  enablePolicy(name: string): Promise<void>;
  /**
   * Changes the mode of a policy. It takes effect immediately, without a reload. Rejects with POLICY_MONITOR_ONLY for
   * a policy that is `monitor_only`, also because it only reports.
   */
  setPolicyMode(name: string, mode: PolicyMode): Promise<void>;
  /**
   * Changes the labels of this machine (option `nodeLabels`). Attaches the policies whose `nodeSelector` now selects the machine,
   * detaches those that no longer do, and updates scopes with a `hostSelector`. Other policies continue without interruption.
   * Resolves with the policies that could not be attached or detached. Policies that could not be attached are `disabled`, and
   * the next call tries again.
   * Rejects with KernelError SCOPES, or with PolytraceError BAD_OPTION or CLOSED.
   */
  setNodeLabels(labels: Readonly<Record<string, string>>): Promise<PolicyFailure[]>;
  /** Returns the status of all loaded policies. */
  policies(): PolicyStatus[];
  /** Returns the containers that sources have reported; empty without the option `containers`. */
  containers(): ContainerInfo[];
  /** Returns the state of the sources of containers. */
  containerSources(): ContainerSourceStatus[];
  /**
   * Ends the policies that an earlier tracer has left in the folder of `persist`, as `openTracer` does unless its option
   * `takeOver` is false. Until then, those policies stay active in addition to the policies of this tracer, also if this tracer is
   * closed before. Resolves with the names of those that `keep` has kept.
   * Rejects with KernelError PERSIST if they cannot be removed, or with PolytraceError CLOSED or BAD_OPTION.
   */
  takeOver(options?: TakeOverOptions): Promise<string[]>;
  /** Returns the tracer's counters. */
  stats(): TracerStats;
  /**
   * Reads the metrics that the Count actions of all attached policies keep in the kernel. It waits for running changes of
   * policies. Rejects with PolytraceError CLOSED.
   */
  metrics(): Promise<MetricsSample>;
  /**
   * Reads the metrics again and again: at once, and then every `milliseconds` (10 to 86,400,000). A slow reader skips
   * samples. The iterator ends when the tracer is closed. Throws PolytraceError CLOSED or BAD_OPTION.
   */
  metricsEvery(milliseconds: number): AsyncIterableIterator<MetricsSample>;
  /**
   * Waits for the running change, detaches all policies and ends every iteration. Further calls return the same promise.
   */
  close(options?: CloseOptions): Promise<void>;
}

/** A policy that could not follow a change. */
export interface PolicyFailure {
  /** Name of the policy, as in `PolicyStatus`. */
  readonly name: string;
  /** The reason: a KernelError, or another error of polytrace. */
  readonly error: Error;
}

/** Options for `Tracer.takeOver`. */
export interface TakeOverOptions {
  /**
   * Called with the name of the policy of each earlier hook; undefined if another version of polytrace has left it. When it returns
   * true, the hook stays attached, and a later call asks again. Default: nothing stays.
   */
  readonly keep?: (policyName: string | undefined) => boolean;
}

/** Options for `Tracer.close`. */
export interface CloseOptions {
  /** Leaves the policies active for the next tracer with the same folder. Needs the option `persist`. Default false. */
  readonly keep?: boolean;
}

/** Counters of a hook since it was attached. For a policy: the sums of its hooks. */
export interface HookCounts {
  /** Calls that reached the hook, including calls by this process. Present with the option `countHits`. */
  readonly hits?: number;
  /** Calls that a selector matched. */
  readonly matched: number;
  /** Events that were read from the kernel's buffer. Events are read only while at least one iterator is active. */
  readonly posted: number;
  /** Events that a rate limit suppressed. */
  readonly suppressed: number;
  /** Calls that were overridden, or whose process got a signal. */
  readonly enforced: number;
  /** Events that could not be recorded, and calls that the kernel skipped. */
  readonly lost: number;
  /** Kernel memory in bytes, as the kernel accounts it: the programs, and the maps that no other hook uses. */
  readonly memory: number;
}

/** Status of a loaded policy. */
export interface PolicyStatus extends HookCounts {
  /** `metadata.name` of the policy. */
  readonly name: string;
  /** File of the policy. Present when the policy came from a file. */
  readonly file?: string;
  /** `disabled` after `disablePolicy`. `other_node`: the policy's `nodeSelector` does not select this machine. */
  readonly state: 'enabled' | 'disabled' | 'other_node';
  /** Present when the policy or one of its selectors is limited to some containers, or to the host. */
  readonly scope?: ScopeStatus;
  /**
   * Current mode of the policy. `monitor_only` is mode `monitor` that cannot be changed: the policy says so, or it has no action
   * that enforces or makes requests.
   */
  readonly mode: PolicyMode | 'monitor_only';
  /** The policy can signal processes, override functions, change programs or notify enforcers. */
  readonly enforcing: boolean;
  /** Hooks that are attached; empty when the policy is disabled. */
  readonly hooks: readonly HookStatus[];
  /** Present when the policy has uprobes with `resolvePathInContainer`. `hooks` has one hook for each file. */
  readonly containerUprobes?: ContainerUprobeStatus;
  /** Hooks that were skipped: the kernel does not have the function, and the policy allows that. */
  readonly skipped: readonly string[];
  /** Warnings about values whose type on this kernel differs from the policy, such as `ARG_TEXT_OF_STRUCT`. */
  readonly warnings: readonly Diagnostic[];
  /** Counters of network requests. */
  readonly requests: RequestCounts;
}

/** Status of the scopes of a policy. */
export interface ScopeStatus {
  /**
   * `no_source`: a scope needs names or labels of containers, and no connected source has them. Such a scope contains only the
   * containers that satisfy it without labels. It gets its other containers when a source connects.
   */
  readonly state: 'active' | 'no_source';
  /** Number of known containers that at least one scope of the policy contains. */
  readonly containers: number;
}

/** Status of the uprobes in containers. A container counts once for each of these uprobes of the policy. */
export interface ContainerUprobeStatus {
  /** Number of containers with at least one attached uprobe. */
  readonly containers: number;
  /** Number of files: containers of one image share them. At most 128 for a policy. */
  readonly files: number;
  /** Containers that have no root yet: they are being started. */
  readonly waiting: number;
  /** Containers without such a file. */
  readonly missing: number;
  /** Containers whose file could not be hooked. */
  readonly failed: number;
  /** The first of these errors. */
  readonly error?: string;
}

/** Status of an attached hook. */
export interface HookStatus extends HookCounts {
  /** Name of the hook in the policy. */
  readonly call: string;
  /**
   * Name of the hook in the kernel:
   * - a function; for several functions, the same as `call`
   * - for a tracepoint SUBSYSTEM/EVENT
   * - for a uprobe PATH:PLACE
   * - for a static probe PATH:PROVIDER:NAME
   */
  readonly functionName: string;
  /**
   * Names of everything that the hook is attached to. There are several if a list of functions, or the attach points of a
   * uprobe, share one program.
   */
  readonly functions: readonly string[];
  /** Mechanisms with which the hook is attached. */
  readonly attach:
    | 'fentry'
    | 'fexit'
    | 'fentry+fexit'
    | 'fmod_ret'
    | 'fmod_ret+fexit'
    | 'kprobe'
    | 'kprobe+kretprobe'
    | 'kprobe.multi'
    | 'kprobe.multi+kretprobe.multi'
    | 'tracepoint'
    | 'raw_tracepoint'
    | 'lsm'
    | 'uprobe'
    | 'uprobe+uretprobe'
    | 'uprobe.multi'
    | 'uprobe.multi+uretprobe.multi'
    | 'usdt';
  /** The hook shares one program with hooks of other policies (`groupPolicies`). Its `memory` is then what only it uses. */
  readonly grouped?: true;
  /** Why the hook has a program of its own, also when others on its function are grouped. */
  readonly separate?: string;
}

/** Counters of a tracer. */
export interface TracerStats {
  /** Events that were reported. */
  readonly events: number;
  /** Records that were lost. */
  readonly lost: number;
  /** Lost records of each hook and reason. */
  readonly lostByHook: readonly {
    /** Name of the hook, as in `LostEvent.hook`. */
    readonly hook: string;
    /** `metadata.name` of the policy; empty for the base sensor. */
    readonly policyName: string;
    /** Reason of the loss, as in `LostEvent.reason`. */
    readonly reason: string;
    /** Number of lost records. */
    readonly count: number;
  }[];
  /** Processes in the process cache. */
  readonly processes: number;
  /**
   * Execs whose arguments were shortened to 4,096 bytes, because the processes that are known and the events that the program
   * keeps hold 128 MiB of longer arguments. Such a process has the flag `truncArgs`.
   */
  readonly shortenedArguments: number;
  /** Active iterators. */
  readonly iterators: number;
  /** Size of the kernel's ring buffer in bytes. */
  readonly bufferSize: number;
  /** Bytes of the ring buffer that contain unread records. */
  readonly bufferUsed: number;
  /** The option `optimize`. */
  readonly optimize: boolean;
  /** The option `cachePaths`. */
  readonly cachePaths: boolean;
  /** Containers. Present with the option `containers`. */
  readonly containers?: {
    /** Containers that sources have reported and not removed. */
    readonly known: number;
    /** Containers whose first events came before their names, and waited for them. */
    readonly waited: number;
    /** The containers of `waited` that no source knew in time. Their events were reported without names. */
    readonly unknown: number;
  };
  /** The programs and events that this tracer took over. Present with the option `persist`, if there were any. */
  readonly takenOver?: {
    /** Programs that had stayed active. */
    readonly programs: number;
    /**
     * Events of these programs that are lost, because they found no room in the ring buffer. Undefined if another version of
     * polytrace had pinned the programs: their events are not read.
     */
    readonly unread: number | undefined;
  };
}

/**
 * Opens a tracer: starts the base sensor (exec, exit, fork) and loads the policies. Needs root or the capabilities
 * that `preflight` names.
 * Rejects with PolicyError or KernelError.
 */
export function openTracer(options?: TracerOptions): Promise<Tracer>;

/**
 * Ends the policies that a dead tracer has left in this folder (option `persist`). Resolves with the paths that were
 * removed.
 * Rejects with KernelError PERSIST_BUSY if a tracer uses the folder, PERSIST_FOREIGN if the folder contains anything that
 * polytrace has not pinned, PERSIST_NOT_BPFFS or PERSIST.
 */
export function removePersisted(path: string): Promise<string[]>;

/**
 * Checks what this kernel and the privileges of this process allow. Tries each feature synchronously with a small program, but
 * not the base sensor, so it can be wrong; `tryTracing` cannot. Never throws for a missing feature.
 */
export function preflight(options?: PreflightOptions): PreflightReport;

/**
 * Tries what `preflight` predicts: loads and attaches the base sensor, then a hook with each mechanism and with a filter. The
 * result contains only what has run. Everything is detached before the promise resolves. Takes a second or two. Never rejects.
 */
export function tryTracing(options?: PreflightOptions): Promise<TracingCheck>;

/** Options for `preflight` and `tryTracing`. */
export interface PreflightOptions {
  /** File with the types of this kernel, as for `openTracer`. Default: the kernel's own BTF. */
  readonly btf?: string;
}

/** Result of `tryTracing`. */
export interface TracingCheck {
  /** The base sensor runs here. */
  readonly canTrace: boolean;
  /** True for the kinds of hooks that run here with at least one mechanism. */
  readonly hooks: Readonly<Record<HookKind, boolean>>;
  /** Remedies for the kinds of hooks that do not run here: missing features, or other hooks that see the same calls. */
  readonly remedies: Readonly<Partial<Record<HookKind, string>>>;
  /** True for the mechanisms that can attach hooks here, as `HookStatus.attach` names them. Each was tried. */
  readonly ways: Readonly<Record<AttachMechanism, boolean>>;
  /** Messages about what failed although `preflight` reports the feature as available. */
  readonly problems: readonly string[];
}

/** A mechanism that attaches a hook. */
export type AttachMechanism =
  | 'fentry'
  | 'fmod_ret'
  | 'kprobe'
  | 'kprobe.multi'
  | 'lsm'
  | 'tracepoint'
  | 'raw_tracepoint'
  | 'uprobe'
  | 'uprobe.multi'
  | 'usdt';

/** Result of `preflight`. */
export interface PreflightReport {
  /** Release of the kernel. */
  readonly kernel: string;
  /** The preemption model of the kernel; `unknown` also without the addon or privileges. */
  readonly preemption: PreemptionModel;
  /** Features, in the order in which the command shows them. */
  readonly features: readonly PreflightFeature[];
  /** The kernel and the privileges meet the requirements of the base sensor. `tryTracing` shows whether it runs. */
  readonly canTrace: boolean;
  /** The same for policies with `kprobes:`. */
  readonly canAttachKprobes: boolean;
  /** Reason why no feature could be tried, with its remedy: the addon is missing, for example. */
  readonly problem?: string;
}

/** One feature of the kernel. */
export interface PreflightFeature {
  /** Name of the feature. */
  readonly name:
    | 'btf'
    | 'ring_buffer'
    | 'tp_btf'
    | 'fentry'
    | 'kprobe'
    | 'kprobe_multi'
    | 'attach_cookie'
    | 'lsm'
    | 'fmod_ret'
    | 'preempt_disable'
    | 'uprobe'
    | 'uprobe_multi'
    | 'uprobe_registers'
    | 'tracepoint'
    | 'privileges';
  /** The feature is available. */
  readonly available: boolean;
  /**
   * Reason why the feature is not available, with the missing capability or kernel option. For an available feature: its
   * restriction, or empty.
   */
  readonly detail: string;
  /** Consequence for policies. */
  readonly meaning: string;
}

/**
 * Returns what limits the view that this process has of the host: its own namespaces, as in a container, incomplete mounts, or
 * missing capabilities. Empty for root on a host. Never throws.
 */
export function hostGaps(): readonly HostLimitation[];

/**
 * Sends a message to the service manager that started this process, as systemd's sd_notify(3) does: `READY=1`, `WATCHDOG=1`,
 * `STATUS=…`; lines separate several of them. Returns false when there is no manager (`NOTIFY_SOCKET` is not set or is no Unix
 * socket), or when it does not accept the message now. Never waits.
 * Throws a PolytraceError if the addon is missing.
 */
export function notifyService(state: string): boolean;

/**
 * Sends a datagram to a Unix socket, such as `/dev/log`, which Node.js cannot do. `socket` is a path, or `@NAME` for an abstract
 * socket. Returns undefined when the kernel has taken the datagram, else the code of the error: `EAGAIN` if the receiver does
 * not keep up, `ENOENT` or `ECONNREFUSED` without a receiver, `EMSGSIZE` if it is too long. Never waits.
 * Throws a PolytraceError if the addon is missing.
 */
export function sendDatagram(socket: string, bytes: Uint8Array): string | undefined;

/**
 * Returns the process that connected a Unix socket, as the kernel knows it (`SO_PEERCRED`): its ids when it connected, in the
 * namespaces of this process. Undefined for another socket, and for a process of another pid namespace.
 * Throws a PolytraceError if the addon is missing.
 */
export function peerCredentials(socket: object): PeerCredentials | undefined;

/** The process at the other end of a Unix socket. */
export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** A limitation of the view that this process has of the host. Events are reported nevertheless, but with less information. */
export interface HostLimitation {
  /**
   * `pid_namespace` and `cgroup_namespace`: the process has its own namespace. `cgroup_mount`: the whole cgroup2 hierarchy is
   * not mounted. `host_name`: the process has its own host name, and `NODE_NAME` is not set. A capability: the process does not
   * have it.
   */
  readonly name:
    'pid_namespace' | 'cgroup_namespace' | 'cgroup_mount' | 'host_name' | 'CAP_SYS_PTRACE' | 'CAP_DAC_READ_SEARCH';
  /** Message with what is missing, and what events lack because of it. */
  readonly meaning: string;
  /** How to start the container instead. */
  readonly remedy: string;
}
