/** Loaded policies and their status: the attached hooks, their counters, and their memory. */
import { hasEnforcingAction } from '../compiled/compiled-hook.js';
import type { Diagnostic } from '../../types/errors.js';
import type { HookCounts, HookStatus, PolicyStatus } from '../../types/tracer.js';
import type { NativeSession } from '../native/binding.js';
import type { CompiledHook, CompiledPolicy } from '../compiled/compiled-policy.js';
import type { HookTally } from '../events/hook.js';
import type { AttachResult } from '../attach/request.js';
import type { HookGroups } from '../attach/hook-groups.js';
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
  /** When the policy was attached: the counts of its hooks began at 0. */
  readonly since: Date;
  readonly hooks: AttachedHook[];
  readonly skipped: string[];
  readonly processBits: number[];
  readonly scopeBits: number[];
  readonly markIds: number[];
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
  /** Bytes of kernel memory of its own program. They do not change: its maps are filled before it is attached. */
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
  /** Undefined if each hook has a program of its own. A hook can move into a group while it is attached. */
  readonly groups: Pick<HookGroups, 'membership' | 'reason'> | undefined;
}

/**
 * Returns the status of a policy. `earlier`: its last status, which is returned again as long as nothing has changed.
 * Monitoring reads a thousand of them again and again.
 */
export function policyStatus(
  name: string,
  policy: LoadedPolicy,
  context: StatusContext,
  earlier?: PolicyStatus,
): PolicyStatus {
  const { compiled, file, warnings, mode, attached, isElsewhere } = policy;
  const { scopes } = context;
  const hooks = listChanges(attached?.hooks ?? [], earlier?.hooks, (hook, before) => hookStatus(hook, context, before));
  const scope = compiled.scopes.length === 0 ? undefined : scopes.status(compiled.scopes, attached?.scopeBits ?? []);
  const state = attached !== undefined ? 'enabled' : isElsewhere ? 'other_node' : 'disabled';
  const uprobes = attached === undefined || attached.uprobes.hooks.length === 0 ? undefined : attached.uprobes.status();
  const requests = attached?.requests.counts ?? NO_REQUESTS;
  if (
    earlier !== undefined &&
    earlier.hooks === hooks &&
    earlier.state === state &&
    earlier.mode === mode &&
    earlier.requests === requests &&
    isSame(earlier.scope, scope) &&
    isSame(earlier.containerUprobes, uprobes)
  ) {
    return earlier;
  }
  return {
    name,
    file,
    state,
    ...(scope === undefined ? {} : { scope }),
    mode,
    enforcing: isEnforcing(compiled),
    hooks,
    ...(uprobes === undefined ? {} : { containerUprobes: uprobes }),
    skipped: attached?.skipped ?? [],
    warnings,
    ...sumCounts(hooks, context.countHits),
    requests,
  };
}

/** Returns the earlier list if all its members are as before. */
function listChanges<From, To>(
  list: readonly From[],
  earlier: readonly To[] | undefined,
  read: (each: From, before: To | undefined) => To,
): readonly To[] {
  if (earlier?.length !== list.length) return list.map((each) => read(each, undefined));
  let changed: To[] | undefined;
  for (let i = 0; i < list.length; i++) {
    const before = earlier[i];
    const now = read(list[i] as From, before);
    if (now !== before) (changed ??= [...earlier])[i] = now;
  }
  return changed ?? earlier;
}

/** Compares objects whose members are numbers or texts. */
function isSame(a: object | undefined, b: object | undefined): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined) return false;
  const [one, other] = [Object.entries(a), b as Readonly<Record<string, unknown>>];
  return one.length === Object.keys(b).length && one.every(([key, value]) => other[key] === value);
}

function hookStatus(
  hook: AttachedHook,
  { session, countHits, groups }: StatusContext,
  earlier: HookStatus | undefined,
): HookStatus {
  const { id, call, functionName, functions, attach, compiled, tally, countedBefore } = hook;
  const now = session.hookCounts(id);
  // a hook without actions does not count matches: each match is either posted or lost
  const matched =
    compiled.actions === undefined ? tally.posted + tally.unrecorded : now.matched - countedBefore.matched;
  const { posted } = tally;
  const suppressed = now.suppressed - countedBefore.suppressed;
  const enforced = now.enforced - countedBefore.enforced;
  const lost = tally.unrecorded + tally.missed;
  const [group, separate] = [groups?.membership(id), groups?.reason(id)];
  const memory = group?.memory ?? hook.memory;
  const hits =
    group === undefined ? now.hits - countedBefore.hits : session.hookCounts(group.group).hits - group.hitsBefore;
  if (
    earlier !== undefined &&
    earlier.matched === matched &&
    earlier.posted === posted &&
    earlier.suppressed === suppressed &&
    earlier.enforced === enforced &&
    earlier.lost === lost &&
    (!countHits || earlier.hits === hits) &&
    earlier.memory === memory &&
    earlier.grouped === (group === undefined ? undefined : true) &&
    isSameHook(earlier, hook)
  ) {
    return earlier;
  }
  const status = {
    ...{ call, functionName, functions, attach, matched, posted, suppressed, enforced, lost, memory },
    ...(group === undefined ? {} : { grouped: true as const }),
    ...(separate === undefined ? {} : { separate }),
  };
  return countHits ? { ...status, hits } : status;
}

/** A policy loses and gets hooks while it is loaded, for the files of containers. */
function isSameHook(a: HookStatus, b: AttachedHook): boolean {
  return a.call === b.call && a.functionName === b.functionName && a.functions === b.functions && a.attach === b.attach;
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
