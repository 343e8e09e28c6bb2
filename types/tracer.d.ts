import type { EventType, TracerEvent } from './events.js';
import type { Policy, PolicyMode } from './policy.js';

/** A policy: the path of a YAML file, or of a folder of them; YAML text; or one made by `parsePolicy`. */
export type PolicySource = string | URL | { readonly yaml: string; readonly file?: string } | Policy;

export interface TracerOptions {
  /** Loaded before the promise resolves; if one fails, the tracer does not open. */
  readonly policies?: readonly PolicySource[];
  /** `auto` takes fentry/fexit where the kernel has it, else kprobe/kretprobe. Default `auto`. */
  readonly attach?: 'auto' | 'fentry' | 'kprobe';
  /** Bytes of the kernel's ring buffer: a power of two, 64 KiB to 1 GiB. Default 64 MiB. */
  readonly bufferSize?: number;
  /** Milliseconds for which events gather before the reader wakes: 0 to 1000. Default 1. */
  readonly coalesceMs?: number;
  /** Name in events and exec ids. Default `NODE_NAME` of the environment, else the host name. */
  readonly nodeName?: string;
  /** Report this process as well; by default the kernel leaves it out. Default false. */
  readonly includeSelf?: boolean;
  /** Events an iterator may fall behind the fastest one before losses are counted. Default 65,536. */
  readonly maxQueued?: number;
  /**
   * Whether policies may signal processes and override functions. Without it a policy that says so is refused, unless it is in monitor
   * mode. Default false.
   */
  readonly enforcement?: boolean;
  /** Mode of `policies`, whatever they say themselves. */
  readonly mode?: PolicyMode;
  /**
   * Each hook counts the calls that reach it, whether a selector matches or not: `hits` of `policies()`. Costs 17 instructions a
   * call. Default false.
   */
  readonly countHits?: boolean;
  /**
   * A folder of a BPF file system, such as `/sys/fs/bpf/NAME`, made where it is not. Policies go on working when this process dies; the next
   * tracer with the same folder takes them over when its own are attached. By default, what a process attached goes with it.
   */
  readonly persist?: string;
  /** Stack traces have the addresses themselves as well, which tell where the kernel is in memory. Default false. */
  readonly stackAddresses?: boolean;
  /** Whether GetUrl and DnsLookup may ask the network. Without it a policy with them is refused, unless it is in monitor mode. Default false. */
  readonly allowRequests?: boolean | RequestOptions;
}

export interface RequestOptions {
  /** Whom DnsLookup asks, as `127.0.0.1` or `127.0.0.1:5353`. Default: as the machine is set up. */
  readonly nameServers?: readonly string[];
}

/** Of GetUrl and DnsLookup, since the policy was attached. */
export interface RequestCounts {
  readonly started: number;
  /** Of GetUrl: there were headers, with whatever status; of DnsLookup: there was an address. */
  readonly answered: number;
  readonly failed: number;
  /** Not started, because too many were under way. */
  readonly dropped: number;
}

export interface LoadOptions {
  /** Instead of the policy's own option `policy-mode`, which is `enforce` unless it says otherwise. */
  readonly mode?: PolicyMode;
}

export interface EventsOptions {
  /** Only these types; `lost` always comes. */
  readonly types?: readonly EventType[];
  /** Only events of these policies, and the base sensor's. */
  readonly policyNames?: readonly string[];
  /** Ends the iteration. */
  readonly signal?: AbortSignal;
}

export interface Tracer extends AsyncIterable<TracerEvent>, AsyncDisposable {
  /** Each iterator sees every event from this call on. */
  events(options?: EventsOptions): AsyncIterableIterator<TracerEvent>;
  /** The same, in arrays: as many as are there. */
  batches(options?: EventsOptions): AsyncIterableIterator<readonly TracerEvent[]>;
  /** Loads the policy whole or rejects with PolicyError or KernelError; those that run are not disturbed. */
  addPolicy(source: PolicySource, options?: LoadOptions): Promise<PolicyStatus[]>;
  /** Detaches the policy. Events that are already in the buffer still arrive. */
  removePolicy(name: string): Promise<void>;
  /**
   * Puts the policy in the place of the loaded one of the same name. The new one is attached before the old one goes, so that one call may be
   * told twice and none is missed; if it fails, the old one stays.
   */
  replacePolicy(source: PolicySource, options?: LoadOptions): Promise<PolicyStatus[]>;
  /** Detaches the policy, and keeps it for enablePolicy. */
  disablePolicy(name: string): Promise<void>;
  enablePolicy(name: string): Promise<void>;
  /** Takes effect at once, without a reload. */
  setPolicyMode(name: string, mode: PolicyMode): Promise<void>;
  policies(): PolicyStatus[];
  stats(): TracerStats;
  /** Detaches everything and ends every iteration. Idempotent. */
  close(options?: CloseOptions): Promise<void>;
}

export interface CloseOptions {
  /** With `persist`: the policies go on working, for the next tracer with the same folder to take over. Default false. */
  readonly keep?: boolean;
}

/** Since the hook was attached; of a policy, of all its hooks together. */
export interface HookCounts {
  /** Calls that reached the hook, this process's own included; only with `countHits`. */
  readonly hits?: number;
  /** Calls that a selector matched. */
  readonly matched: number;
  /** Events that were read from the kernel's buffer: none as long as nobody iterates. */
  readonly posted: number;
  /** Events that a rate limit held back. */
  readonly suppressed: number;
  /** Calls that were overridden, or whose process was sent a signal. */
  readonly enforced: number;
  /** Events that could not be recorded, and calls that the kernel skipped. */
  readonly lost: number;
  /** Bytes in the kernel of the programs, and of the maps that no other hook uses, as the kernel accounts them. */
  readonly memory: number;
}

export interface PolicyStatus extends HookCounts {
  readonly name: string;
  readonly file?: string;
  readonly state: 'enabled' | 'disabled';
  readonly mode: PolicyMode;
  /** Whether it can signal processes or override functions. */
  readonly enforcing: boolean;
  /** None while it is disabled. */
  readonly hooks: readonly HookStatus[];
  /** Hooks that were left out, as the policy allows, because the kernel has no such function. */
  readonly skipped: readonly string[];
  readonly requests: RequestCounts;
}

export interface HookStatus extends HookCounts {
  /** Name in the policy. */
  readonly call: string;
  /**
   * Name in the kernel; of a tracepoint SUBSYSTEM/EVENT, of a uprobe PATH:PLACE, of a static probe PATH:PROVIDER:NAME; of several
   * functions as in `call`.
   */
  readonly functionName: string;
  /** All that it is attached to: several where a list of functions, or the places of a uprobe, have one program. */
  readonly functions: readonly string[];
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

export interface TracerStats {
  readonly events: number;
  readonly lost: number;
  readonly lostByHook: readonly {
    readonly hook: string;
    readonly policyName: string;
    readonly reason: string;
    readonly count: number;
  }[];
  readonly processes: number;
  readonly iterators: number;
  /** Bytes of the kernel's ring buffer, and how many of them hold unread records. */
  readonly bufferSize: number;
  readonly bufferUsed: number;
  /** With `persist`, when there was something to take over. */
  readonly takenOver?: {
    /** Programs that had gone on working. */
    readonly programs: number;
    /** Events of theirs that nobody has read; undefined when another version of polytrace had pinned them. */
    readonly unread: number | undefined;
  };
}

export function openTracer(options?: TracerOptions): Promise<Tracer>;

/**
 * Ends the policies that a dead tracer has left in this folder (`persist`); returns the paths of what was removed. Refuses while a tracer
 * has the folder, and when there is anything in it that polytrace has not pinned.
 */
export function removePersisted(path: string): string[];

/** What this kernel and this process's privileges allow. Never throws for a missing feature. */
export function preflight(): PreflightReport;

export interface PreflightReport {
  readonly kernel: string;
  readonly features: readonly PreflightFeature[];
  /** Whether the base sensor can run. */
  readonly canTrace: boolean;
  /** Whether policies with `kprobes:` can run. */
  readonly canAttachKprobes: boolean;
}

export interface PreflightFeature {
  readonly name:
    | 'btf'
    | 'ring_buffer'
    | 'tp_btf'
    | 'fentry'
    | 'kprobe'
    | 'kprobe_multi'
    | 'lsm'
    | 'fmod_ret'
    | 'uprobe'
    | 'uprobe_registers'
    | 'tracepoint'
    | 'privileges';
  readonly available: boolean;
  /** Why not, with the missing capability or kernel option; or which form it has. */
  readonly detail: string;
  /** What that means for policies. */
  readonly meaning: string;
}
