import type { ExplainOptions, HookKind, Policy } from './policy.js';

/** Ways around a hook or a filter. docs/bypass.md explains each code and what closes it. */
export type BypassCode =
  | 'ALREADY_OPEN'
  | 'DESCRIPTOR_MAY_CHANGE'
  | 'DETACHED_MOUNT'
  | 'HARD_LINK'
  | 'IA32_CALL'
  | 'INTERPRETER'
  | 'IO_URING'
  | 'LATE_POLICY'
  | 'MISSED_CALLS'
  | 'MOUNT_CALLS'
  | 'NAMESPACE_PID'
  | 'OTHER_MOUNT'
  | 'PROGRAM_CODE'
  | 'PROGRAM_COPY'
  | 'RENAME'
  | 'USER_MEMORY'
  | 'X32_CALL';

/**
 * The needs of a process for a way: nothing, the right to write to a file or its folder, or a start before the policy was
 * loaded.
 */
export type BypassNeed = 'nothing' | 'file-access' | 'earlier-start';

/** A way around a hook of a policy, or around a filter of it. */
export interface PolicyBypass {
  /** Code of the way. */
  readonly code: BypassCode;
  /** Section of `spec` that contains the hook. */
  readonly kind: HookKind;
  /** Function, tracepoint, probe or file of the hook, as in the policy. */
  readonly hook: string;
  /** Selectors that can be walked around, from 0. A hook without selectors has selector 0, which always matches. */
  readonly selectors: readonly number[];
  /** The action of a process that walks around the hook or the filter. */
  readonly way: string;
  /** What closes the way. */
  readonly remedy: string;
  /** What the process needs for it. */
  readonly needs: BypassNeed;
  /** False if the way may not exist, because it depends on a kernel or a preemption model that is not known. */
  readonly certain: boolean;
  /**
   * Present if `validatePolicy` warns of the way: an action can be escaped (`enforcement`), or a process can get an
   * exemption that is not for it (`exemption`).
   */
  readonly danger?: 'enforcement' | 'exemption';
  /** Line of the hook's target or of the filter, from 1. */
  readonly line: number;
  /** Column of the hook's target or of the filter, from 1. */
  readonly column: number;
}

/**
 * Finds the known ways around the hooks and the filters of a policy. With `kernel`, only ways that exist on that kernel
 * are listed. A way that another hook of the policy reports is not listed. Throws PolicyError for a policy with errors.
 */
export function findBypasses(policy: Policy | string, options?: ExplainOptions): PolicyBypass[];

/** Formats ways around a policy for a terminal. Strings from the policy are quoted. */
export function formatBypasses(bypasses: readonly PolicyBypass[]): string;
