/** Loaded policies and their status: the attached hooks, their counters, and their memory. */
import { hasEnforcingAction } from '../compiled/compiled-hook.js';
import type { Diagnostic } from '../../types/errors.js';
import type { HookCounts, HookStatus, PolicyStatus } from '../../types/tracer.js';
import type { NativeSession } from '../native/binding.js';
import type { CompiledHook, CompiledPolicy } from '../compiled/compiled-policy.js';
import type { HookTally } from '../events/hook.js';
import type { AttachResult } from '../attach/request.js';
import type { HookCounters } from '../native/records.js';
import type { PolicyRequests } from '../events/requests.js';
import type { LoadedMode } from './modes.js';
import type { PolicyUprobes } from './container-uprobes.js';
import type { Scopes } from './scopes.js';

export interface LoadedPolicy {
  readonly compiled: CompiledPolicy;
  readonly file: string;
  readonly warnings: readonly Diagnostic[];
  readonly mode: LoadedMode;
  /** The policy is for other nodes. */
  readonly isElsewhere: boolean;
  /** False after disable(). */
  readonly isEnabled: boolean;
  /** Undefined while the policy is disabled or for other nodes. The kernel then has no part of it. */
  readonly attached: AttachedPolicy | undefined;
}

/** The parts of a policy that are in the kernel. Detaching removes them one by one. */
export interface AttachedPolicy {
  readonly hooks: AttachedHook[];
  readonly skipped: string[];
  readonly processBits: number[];
  readonly scopeBits: number[];
  readonly requests: PolicyRequests;
  readonly uprobes: PolicyUprobes;
  /** True if the policy tracks sockets. */
  tracks: boolean;
}

export interface AttachedHook extends AttachResult {
  readonly id: number;
  /** Name of the target in the policy. */
  readonly call: string;
  readonly compiled: CompiledHook;
  readonly tally: HookTally;
  /** The kernel's counters of this id when the hook was attached. They can be above zero, because ids are reused. */
  readonly countedBefore: HookCounters;
  /** Bytes of kernel memory. They do not change: the maps of a hook are filled before it is attached. */
  readonly memory: number;
}

/** True if the policy can signal processes, override functions or change programs. */
export function isEnforcing(compiled: CompiledPolicy): boolean {
  return compiled.hooks.some(hasEnforcingAction);
}

const NO_REQUESTS = { started: 0, answered: 0, failed: 0, dropped: 0 };

type Counters = Pick<NativeSession, 'hookCounts'>;

/** The inputs that are the same for the status of every policy. */
export interface StatusContext {
  readonly session: Counters;
  readonly scopes: Pick<Scopes, 'status'>;
  readonly countHits: boolean;
}

export function policyStatus(name: string, policy: LoadedPolicy, context: StatusContext): PolicyStatus {
  const { compiled, file, warnings, mode, attached, isElsewhere } = policy;
  const { session, scopes, countHits } = context;
  const hooks = (attached?.hooks ?? []).map((hook) => hookStatus(hook, session, countHits));
  const scope = compiled.scopes.length === 0 ? undefined : scopes.status(compiled.scopes, attached?.scopeBits ?? []);
  return {
    name,
    file,
    state: attached !== undefined ? 'enabled' : isElsewhere ? 'other_node' : 'disabled',
    ...(scope === undefined ? {} : { scope }),
    mode,
    enforcing: isEnforcing(compiled),
    hooks,
    ...(attached === undefined || attached.uprobes.hooks.length === 0
      ? {}
      : { containerUprobes: attached.uprobes.status() }),
    skipped: attached?.skipped ?? [],
    warnings,
    ...sumCounts(hooks, countHits),
    requests: attached?.requests.counts ?? NO_REQUESTS,
  };
}

function hookStatus(hook: AttachedHook, session: Counters, countHits: boolean): HookStatus {
  const { id, call, functionName, functions, attach, compiled, tally, countedBefore, memory } = hook;
  const now = session.hookCounts(id);
  const status = {
    call,
    functionName,
    functions,
    attach,
    // a hook without actions does not count matches: each match is either posted or lost
    matched: compiled.actions === undefined ? tally.posted + tally.unrecorded : now.matched - countedBefore.matched,
    posted: tally.posted,
    suppressed: now.suppressed - countedBefore.suppressed,
    enforced: now.enforced - countedBefore.enforced,
    lost: tally.unrecorded + tally.missed,
    memory,
  };
  return countHits ? { ...status, hits: now.hits - countedBefore.hits } : status;
}

function sumCounts(hooks: readonly HookStatus[], countHits: boolean): HookCounts {
  const sum = { matched: 0, posted: 0, suppressed: 0, enforced: 0, lost: 0, memory: 0 };
  let hits = 0;
  for (const hook of hooks) {
    sum.matched += hook.matched;
    sum.posted += hook.posted;
    sum.suppressed += hook.suppressed;
    sum.enforced += hook.enforced;
    sum.lost += hook.lost;
    sum.memory += hook.memory;
    hits += hook.hits ?? 0;
  }
  return countHits ? { hits, ...sum } : sum;
}
