import type { EventType, TracerEvent } from './events.js';
import type { Policy } from './policy.js';

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
  addPolicy(source: PolicySource): Promise<PolicyStatus[]>;
  /** Detaches the policy. Events that are already in the buffer still arrive. */
  removePolicy(name: string): Promise<void>;
  policies(): PolicyStatus[];
  stats(): TracerStats;
  /** Detaches everything and ends every iteration. Idempotent. */
  close(): Promise<void>;
}

export interface PolicyStatus {
  readonly name: string;
  readonly file?: string;
  readonly hooks: readonly HookStatus[];
}

export interface HookStatus {
  /** Name in the policy. */
  readonly call: string;
  /** Name in the kernel. */
  readonly functionName: string;
  readonly attach: 'fentry' | 'fexit' | 'fentry+fexit' | 'kprobe' | 'kprobe+kretprobe';
  readonly lost: number;
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
}

export function openTracer(options?: TracerOptions): Promise<Tracer>;

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
    | 'tracepoint'
    | 'privileges';
  readonly available: boolean;
  /** Why not, with the missing capability or kernel option; or which form it has. */
  readonly detail: string;
  /** What that means for policies. */
  readonly meaning: string;
}
