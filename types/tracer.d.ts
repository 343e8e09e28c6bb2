import type { FileUrl, StopSignal } from './compatibility.js';
import type { ContainerInfo, ContainerSource, ContainerSourceStatus } from './containers.js';
import type { Diagnostic } from './errors.js';
import type { EventOf, EventType, LostEvent, PlainEvent, PlainOf, Process, TracerEvent } from './events.js';
import type { ContainerFilter } from './output.js';
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

/** Options for `openTracer`. */
export interface TracerOptions {
  /** Policies to load before the promise resolves. If one fails, the tracer does not open. Default: none. */
  readonly policies?: readonly PolicySource[];
  /** Is called after each of `policies` is loaded. `openTracer` fails with an error that it throws. Default: none. */
  readonly onProgress?: (progress: LoadProgress) => void;
  /**
   * Way to attach kernel functions. `auto` uses fentry/fexit where the kernel supports it, otherwise
   * kprobe/kretprobe. Default `auto`.
   */
  readonly attach?: 'auto' | 'fentry' | 'kprobe';
  /** Size of the kernel's ring buffer in bytes: a power of two, 128 KiB to 1 GiB. Default 64 MiB. */
  readonly bufferSize?: number;
  /** Time in milliseconds during which events collect before the reader wakes: 0 to 1000. Default 1. */
  readonly coalesceMs?: number;
  /** Name of the machine in events and exec ids. Default: `NODE_NAME` of the environment, otherwise the host name. */
  readonly nodeName?: string;
  /** Labels of this machine, for the `nodeSelector` and `hostSelector` of policies. Default: none. */
  readonly nodeLabels?: Readonly<Record<string, string>>;
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
  /** Mode of `policies`. It replaces the mode that the policies set themselves, except for `monitor_only`. */
  readonly mode?: PolicyMode;
  /**
   * Counts the calls that reach each hook, whether a selector matches or not: `hits` of `policies()`. Costs 17
   * instructions a call. Default false.
   */
  readonly countHits?: boolean;
  /**
   * Folder of a BPF file system, such as `/sys/fs/bpf/NAME`, which is created when it does not exist. Policies then
   * stay active when this process dies. The next tracer with the same folder takes them over after it has attached
   * its own policies. Default: hooks are detached when this process ends.
   */
  readonly persist?: string;
  /**
   * With `persist`: `openTracer` takes over what an earlier tracer has left. With false, this is left to `takeOver()`, for a
   * program that adds its policies after it has opened the tracer. Default true.
   */
  readonly takeOver?: boolean;
  /** Adds addresses to stack traces. Addresses of the kernel disclose where it is in memory. Default false. */
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
}

/**
 * A source of the library:
 * - `nri`: containerd and CRI-O report each container before it starts, and wait until the policies know it
 * - `cri`: containerd and CRI-O are asked
 * - `docker`, `podman`: the Docker Engine and Podman are asked
 * - `cgroups`: the cgroups that exist; without names
 */
export type ContainerSourceName = 'nri' | 'cri' | 'docker' | 'podman' | 'cgroups';

/** Options for sources of containers. */
export interface ContainerOptions {
  /**
   * Sources, the most trusted first: where they contradict each other, the earlier one is right. Default: `nri`, `cri`,
   * `docker` and `podman`, each when its socket exists, then `cgroups`.
   */
  readonly sources?: readonly (ContainerSource | ContainerSourceName)[];
  /**
   * Longest time in milliseconds that the first events of a container wait for its name: 0 to 10,000. All later events wait with
   * them, so that the order stays. Default 500.
   */
  readonly waitMs?: number;
  /**
   * Longest time in milliseconds that a runtime waits for this process before it starts a container: 0 to 60,000. containerd
   * ends the connection after 2000. Default 1500.
   */
  readonly startWaitMs?: number;
  /**
   * Keeps the annotations of pods, for `process.pod.annotations`. They can be large, and whoever writes them may put secrets
   * into them. Default true.
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
   * Returns each event as plain data, as `toObject` does: for events that are kept for long or sent to a worker. Costs
   * several microseconds an event. Default false.
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
 * Iterates over events. `break`, `return`, `throw` in `for await` and the end of an `await using` block end it, and the tracer
 * then keeps nothing for it any more.
 */
export interface TracerIterator<T> extends AsyncIterableIterator<T>, AsyncDisposable {
  next(): Promise<IteratorResult<T, undefined>>;
  return(): Promise<IteratorResult<T, undefined>>;
  [Symbol.asyncIterator](): this;
}

/** An open tracer. It attaches policies to the kernel and reports their events. */
export interface Tracer extends AsyncIterable<TracerEvent>, AsyncDisposable {
  /**
   * Returns an iterator over the events of these types from this call on, and `lost` events. A name in `policyNames` that no
   * loaded policy has makes a warning of Node.js, with the code `POLYTRACE_POLICY_NAME`.
   */
  events<T extends EventType>(options: TypedEventsOptions<T>): TracerIterator<EventOf<T> | LostEvent>;
  /** Returns an iterator over the same events as plain data. */
  events<T extends EventType>(options: TypedPlainEventsOptions<T>): TracerIterator<PlainOf<EventOf<T> | LostEvent>>;
  /** Returns an iterator over all events from this call on. Each iterator gets every event. */
  events(options?: EventsOptions): TracerIterator<TracerEvent>;
  /** Returns an iterator over the same events as plain data. */
  events(options: PlainEventsOptions): TracerIterator<PlainEvent>;
  /** Returns the same events as `events`, in arrays. Each has the events of at most 64 KiB of records. */
  batches<T extends EventType>(options: TypedEventsOptions<T>): TracerIterator<readonly (EventOf<T> | LostEvent)[]>;
  /** Returns the same events as plain data, in arrays. */
  batches<T extends EventType>(
    options: TypedPlainEventsOptions<T>,
  ): TracerIterator<readonly PlainOf<EventOf<T> | LostEvent>[]>;
  /** Returns the same events as `events`, in arrays. Each has the events of at most 64 KiB of records. */
  batches(options?: EventsOptions): TracerIterator<readonly TracerEvent[]>;
  /** Returns the same events as plain data, in arrays. */
  batches(options: PlainEventsOptions): TracerIterator<readonly PlainEvent[]>;
  /**
   * Returns a process that the tracer knows; undefined if it does not know it. With a process id, in the initial pid namespace,
   * it is a process that runs. With an `execId`, it is that image, which may have ended lately.
   *
   * The tracer knows the processes that ran when it was opened, and follows exec, fork and exit in the events that it has
   * read. It reads events only while at least one iterator is active. It forgets an ended process once 4,096 more have ended.
   */
  process(id: number | string): Process | undefined;
  /** Returns the running processes that this process has started, as far as the tracer knows. Looks at all known processes. */
  children(process: Pick<Process, 'execId'>): Process[];
  /**
   * Returns the parent of the process, its parent, and so on, as far as the tracer knows. At most 64 of them have ended. Empty
   * for a process that the tracer does not know.
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
   * a policy that is `monitor_only`.
   */
  setPolicyMode(name: string, mode: PolicyMode): Promise<void>;
  /**
   * Changes the labels of this machine (option `nodeLabels`). Policies whose `nodeSelector` selects it now are attached, those
   * that it no longer selects are detached, and scopes follow their `hostSelector`. Other policies continue without
   * interruption. Resolves with the policies that could not be attached or detached: those that could not be attached are
   * `disabled`, and the next call tries again.
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
   * `takeOver` is false. Until then, they stay active beside those of this tracer, also if it is closed before. Further calls
   * do nothing.
   * Rejects with KernelError PERSIST when they cannot be removed, or with PolytraceError CLOSED.
   */
  takeOver(): Promise<void>;
  /** Returns the tracer's counters. */
  stats(): TracerStats;
  /**
   * Waits for the change that is under way, detaches all policies and ends every iteration. Further calls return the same
   * promise.
   */
  close(options?: CloseOptions): Promise<void>;
}

/** A policy that could not follow a change. */
export interface PolicyFailure {
  /** Name of the policy, as in `PolicyStatus`. */
  readonly name: string;
  /** Why: a KernelError, or another error of polytrace. */
  readonly error: Error;
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
  /** Events that a rate limit held back. */
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
  /** Current mode of the policy. `monitor_only` is mode `monitor` that the policy sets itself and that cannot be changed. */
  readonly mode: PolicyMode | 'monitor_only';
  /** The policy can signal processes, override functions, change programs or notify enforcers. */
  readonly enforcing: boolean;
  /** Hooks that are attached; empty when the policy is disabled. */
  readonly hooks: readonly HookStatus[];
  /** Hooks that were left out because the kernel does not have the function, and the policy allows that. */
  readonly skipped: readonly string[];
  /** Values that are something else on this kernel than the policy says, such as `ARG_TEXT_OF_STRUCT`. */
  readonly warnings: readonly Diagnostic[];
  /** Counters of network requests. */
  readonly requests: RequestCounts;
}

/** Status of the scopes of a policy. */
export interface ScopeStatus {
  /**
   * `no_source`: a scope needs names or labels of containers, and no source is connected that knows them. Such a scope has
   * only the containers that satisfy it without labels. It gets its containers when a source connects.
   */
  readonly state: 'active' | 'no_source';
  /** Number of known containers that at least one scope of the policy contains. */
  readonly containers: number;
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
   * Names of everything that the hook is attached to. There are several when a list of functions, or the places of a
   * uprobe, share one program.
   */
  readonly functions: readonly string[];
  /** How the hook is attached. */
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
  /** Active iterators. */
  readonly iterators: number;
  /** Size of the kernel's ring buffer in bytes. */
  readonly bufferSize: number;
  /** Bytes of the ring buffer that contain unread records. */
  readonly bufferUsed: number;
  /** Containers. Present with the option `containers`. */
  readonly containers?: {
    /** Containers that sources have reported and not removed. */
    readonly known: number;
    /** Containers whose first events came before their names, and waited for them. */
    readonly waited: number;
    /** Those of them that no source knew in time. Their events were reported without names. */
    readonly unknown: number;
  };
  /** What this tracer took over. Present with the option `persist`, when there was something to take over. */
  readonly takenOver?: {
    /** Programs that had stayed active. */
    readonly programs: number;
    /**
     * Events of these programs that no process has read. Undefined when another version of polytrace had pinned them.
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
 * Rejects with KernelError PERSIST_BUSY when a tracer uses the folder, PERSIST_FOREIGN when the folder contains anything
 * that polytrace has not pinned, PERSIST_NOT_BPFFS or PERSIST.
 */
export function removePersisted(path: string): Promise<string[]>;

/**
 * Checks what this kernel and the privileges of this process allow. It tries each feature with a small program, and at once,
 * without the base sensor: `tryTracing` is the one that cannot be wrong. Never throws for a missing feature.
 */
export function preflight(): PreflightReport;

/**
 * Tries what `preflight` predicts: loads and attaches the base sensor, then a hook in each way, with a filter of a path or a text.
 * What it says runs has run. Everything is detached again before the promise resolves. Takes a second or two. Never rejects.
 */
export function tryTracing(): Promise<TracingCheck>;

/** Result of `tryTracing`. */
export interface TracingCheck {
  /** The base sensor runs here. */
  readonly canTrace: boolean;
  /** Whether policies with these hooks run here: at least one of their ways does. */
  readonly hooks: Readonly<Record<HookKind, boolean>>;
  /** Texts for the hooks that do not run here: the needs of the kernel, and hooks that run here and see the same. */
  readonly remedies: Readonly<Partial<Record<HookKind, string>>>;
  /** Whether hooks can be attached in this way here, as `HookStatus.attach` names it. Each was tried. */
  readonly ways: Readonly<Record<AttachMechanism, boolean>>;
  /** What failed although `preflight` has the feature, a text each. */
  readonly problems: readonly string[];
}

/** A way to attach a hook. */
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
  /** Features, in the order in which the command shows them. */
  readonly features: readonly PreflightFeature[];
  /** The kernel and the privileges have what the base sensor needs. Whether it runs, `tryTracing` says. */
  readonly canTrace: boolean;
  /** The same for policies with `kprobes:`. */
  readonly canAttachKprobes: boolean;
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
    | 'uprobe'
    | 'uprobe_multi'
    | 'uprobe_registers'
    | 'tracepoint'
    | 'privileges';
  /** The feature is available. */
  readonly available: boolean;
  /**
   * Reason why the feature is not available, with the missing capability or kernel option. For an available feature:
   * which form of it exists.
   */
  readonly detail: string;
  /** Consequence for policies. */
  readonly meaning: string;
}

/**
 * Says what of the machine this process does not see: it runs in namespaces of its own, as in a container, or lacks
 * capabilities. Empty for root on a host. Never throws.
 */
export function hostGaps(): readonly HostLimitation[];

/**
 * Sends a message to the service manager that started this process, as systemd's sd_notify(3) does: `READY=1`, `WATCHDOG=1`,
 * `STATUS=…`; lines separate several of them. Returns false when there is no manager (`NOTIFY_SOCKET` is not set or is no Unix
 * socket), or when it does not take the message now. Never waits.
 * Throws a PolytraceError where the addon is missing.
 */
export function notifyService(state: string): boolean;

/** Something of the machine that this process does not see. Events are reported all the same. */
export interface HostLimitation {
  /**
   * `pid_namespace` and `cgroup_namespace`: the process has a namespace of its own. `cgroup_mount`: the cgroup2 hierarchy
   * is not mounted as a whole. `host_name`: the process has a host name of its own, and `NODE_NAME` is not set. A
   * capability: the process does not have it.
   */
  readonly name:
    'pid_namespace' | 'cgroup_namespace' | 'cgroup_mount' | 'host_name' | 'CAP_SYS_PTRACE' | 'CAP_DAC_READ_SEARCH';
  /** What is missing, and what events lack because of it. */
  readonly meaning: string;
  /** How to start the container instead. */
  readonly remedy: string;
}
