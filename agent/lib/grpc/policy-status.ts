/** Converts the status of policies to tetragon.TracingPolicyStatus. */
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import type { HookCounts as Counts, PolicyStatus } from 'polytrace';
import {
  type HookCounts,
  HookCountsSchema,
  HookState,
  PolicyHookSchema,
  TracingPolicyMode,
  TracingPolicyState,
  type TracingPolicyStatusSchema,
} from 'polytrace/protocol';
import type { PolicyEntry } from '../policies/store.js';

const POLICY_MODES: Readonly<Record<PolicyStatus['mode'], TracingPolicyMode>> = {
  enforce: TracingPolicyMode.TP_MODE_ENFORCE,
  monitor: TracingPolicyMode.TP_MODE_MONITOR,
  monitor_only: TracingPolicyMode.TP_MODE_MONITOR_ONLY,
};

export function toPolicyStatus(entry: PolicyEntry): MessageInitShape<typeof TracingPolicyStatusSchema> {
  const { id, name, namespace, file = '', status, error = '' } = entry;
  const base = { id: BigInt(id), name, namespace, file, error, origin: file === '' ? 'grpc' : 'file' };
  if (status === undefined) return { ...base, state: TracingPolicyState.TP_STATE_LOAD_ERROR };
  const isEnabled = status.state === 'enabled';
  return {
    ...base,
    info: '',
    sensors: [...new Set(status.hooks.map(({ attach }) => attach))],
    enabled: isEnabled,
    state: toPolicyState(status),
    kernelMemoryBytes: BigInt(status.memory),
    mode: POLICY_MODES[status.mode],
    stats: { actionCounters: toActionCounters(status) },
    hookStatuses: status.hooks.map((hook, i) => ({
      section: hook.attach,
      state: HookState.STATUS_LOADED,
      hookDescription: hook.functionName,
      hookIdx: i,
    })),
    status: status.state,
    ...(status.scope === undefined ? {} : { scope: { ...status.scope } }),
    requests: toPolicyRequests(status),
    warnings: status.warnings.map(({ code, message, hint, file: source, line, column, text }) => {
      return { code, message, hint, file: source, line, column, text };
    }),
    enforcing: status.enforcing,
    skipped: [...status.skipped],
    counts: toHookCounts(status),
    hooks: status.hooks.map((hook) =>
      create(PolicyHookSchema, {
        call: hook.call,
        functionName: hook.functionName,
        attach: hook.attach,
        counts: toHookCounts(hook),
        functions: [...hook.functions],
      }),
    ),
  };
}

function toPolicyRequests({ requests: { started, answered, failed, dropped } }: PolicyStatus): {
  readonly started: bigint;
  readonly answered: bigint;
  readonly failed: bigint;
  readonly dropped: bigint;
} {
  return {
    started: BigInt(started),
    answered: BigInt(answered),
    failed: BigInt(failed),
    dropped: BigInt(dropped),
  };
}

function toPolicyState({ state, skipped }: PolicyStatus): TracingPolicyState {
  if (state === 'disabled') return TracingPolicyState.TP_STATE_DISABLED;
  return skipped.length > 0 ? TracingPolicyState.TP_STATE_PARTIALLY_ENABLED : TracingPolicyState.TP_STATE_ENABLED;
}

/** polytrace has one count for signals and overrides. It goes into the field of the policy mode. */
function toActionCounters({ posted, suppressed, enforced, matched, mode }: PolicyStatus): {
  readonly post: bigint;
  readonly signal?: bigint;
  readonly monitorSignal?: bigint;
  readonly nopost: bigint;
} {
  const nopost = BigInt(Math.max(matched - posted - suppressed, 0));
  const acted = BigInt(enforced);
  return { post: BigInt(posted), nopost, ...(mode === 'enforce' ? { signal: acted } : { monitorSignal: acted }) };
}

function toHookCounts({ hits, matched, posted, suppressed, enforced, lost, memory }: Counts): HookCounts {
  return create(HookCountsSchema, {
    ...(hits === undefined ? {} : { hits: BigInt(hits) }),
    matched: BigInt(matched),
    posted: BigInt(posted),
    suppressed: BigInt(suppressed),
    enforced: BigInt(enforced),
    lost: BigInt(lost),
    memory: BigInt(memory),
  });
}
