/** The data of a loaded hook that its events need, and its counters. */
import type { CompiledHook } from '../compiled/compiled-policy.js';
import type { LateMembers } from './late-members.js';
import type { PolicyRequests } from './requests.js';

export interface LoadedHook {
  readonly id: number;
  readonly policyName: string;
  readonly functionName: string;
  /** The function names by attach point, if several functions share one program. */
  readonly functions?: readonly string[];
  readonly compiled: CompiledHook;
  /** True if stack traces contain addresses. */
  readonly stackAddresses?: boolean;
  readonly requests?: PolicyRequests;
  /** Set if events of the hook have members that are not in their records. */
  readonly lateMembers?: LateMembers;
  readonly tally: HookTally;
  /** The ids of the hooks in a group. A call that its program missed is missed by each of them. */
  readonly members?: ReadonlySet<number>;
}

/** The counters of a hook in user space. */
export interface HookTally {
  /** Number of records that were read. */
  posted: number;
  /** Number of matched calls without a record. */
  unrecorded: number;
  /** Number of calls that the kernel skipped, or whose return it did not see. */
  missed: number;
}

export function newTally(): HookTally {
  return { posted: 0, unrecorded: 0, missed: 0 };
}
