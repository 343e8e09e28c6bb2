/** The request to attach a hook, and the result. */
import type { KernelInfo } from '../../types/kernel.js';
import type { HookStatus } from '../../types/tracer.js';
import type { CompiledHook, UprobeAttachPoint } from '../compiled/compiled-policy.js';
import type { NativeBinding, NativeSession } from '../native/binding.js';
import type { NativeFeatures } from '../native/features.js';
import type { Preemption } from '../native/preemption.js';
import type { HookGroups } from './hook-groups.js';

/** The inputs that are the same for every hook of a policy. */
export interface AttachContext {
  readonly binding: NativeBinding;
  readonly session: NativeSession;
  readonly features: NativeFeatures;
  readonly attach: 'auto' | 'fentry' | 'kprobe';
  readonly preemption: Preemption;
  /** Allows enforcement by mechanisms that can miss calls on this kernel. */
  readonly allowMissedCalls: boolean;
  readonly selfTgid: number;
  readonly countHits: boolean;
  /** The addon rewrites programs for their configuration. */
  readonly optimize: boolean;
  /** Hooks may have a negative cache of paths. */
  readonly cachePaths: boolean;
  /** Undefined if each hook has a program of its own. */
  readonly groups?: HookGroups | undefined;
  /** The id of the first enforcer of the policy that is being loaded. */
  readonly enforcer?: number | undefined;
}

export interface AttachRequest {
  readonly hook: CompiledHook;
  readonly id: number;
  /** The bit of each process set of the policy. */
  readonly processBits: readonly number[];
  /** The bit of each scope of the policy. */
  readonly scopeBits: readonly number[];
  /** The id of each mark of the policy. */
  readonly markIds: readonly number[];
  readonly context: AttachContext;
  readonly kernel: KernelInfo;
  /** A path to the opened file of a uprobe, if it is not the path of the policy: the file of a container. */
  readonly file?: string;
}

export interface AttachResult {
  readonly functionName: string;
  /** Everything that the hook is attached to. */
  readonly functions: readonly string[];
  readonly attach: HookStatus['attach'];
  /** Missing functions or attach points, if the policy allows that they are missing. */
  readonly skipped?: readonly string[];
  /** The attach points in a traced program that are attached. Events refer to them by their index. */
  readonly attachPoints?: readonly UprobeAttachPoint[];
}
