/** Converts policies between a tracer's types and the protocol. */
import type { DiagnosticCode } from '../../types/codes.js';
import { fileURLToPath } from 'node:url';
import type { AgentPolicy } from '../../types/client.js';
import type { HookCounts, HookStatus, PolicySource, PolicyStatus } from '../../types/tracer.js';
import { policyYaml } from '../policy/index.js';
import type { HookCounts as CountsMessage, TracingPolicyStatus } from '../protocol/index.js';
import { checkPolicyName } from '../tracer/bad-option.js';
import { expandPolicyPaths, loadPolicyFile } from '../tracer/policy-files.js';
import { loadProtocol } from '../protocol/load.js';

interface PolicyText {
  readonly yaml: string;
  readonly file?: string;
}

/** Returns the YAML text of each policy. Files are those of this machine. Throws PolicyError. */
export function readPolicySource(source: PolicySource): PolicyText[] {
  if (typeof source === 'string')
    return expandPolicyPaths(source).map((file) => ({ yaml: loadPolicyFile(file), file }));
  if ('href' in source) return readPolicySource(fileURLToPath(source.href));
  return ['yaml' in source ? source : { yaml: policyYaml(source), file: source.file }];
}

/** Splits a name as in `AgentPolicy` into those of the protocol. Throws PolytraceError BAD_OPTION. */
export function splitPolicyName(full: string): { readonly name: string; readonly namespace: string } {
  checkPolicyName(full);
  const at = full.indexOf('/');
  return at < 0 ? { name: full, namespace: '' } : { name: full.slice(at + 1), namespace: full.slice(0, at) };
}

export function toAgentPolicy(message: TracingPolicyStatus): AgentPolicy {
  const { namespace, name: own, file, error, state } = message;
  const name = namespace === '' ? own : `${namespace}/${own}`;
  const isLoaded = state !== loadProtocol().TracingPolicyState.TP_STATE_LOAD_ERROR;
  return {
    name,
    ...(file === '' ? {} : { file }),
    ...(error === '' ? {} : { error }),
    ...(isLoaded ? { status: toStatus(message, name) } : {}),
  };
}

function toStatus(message: TracingPolicyStatus, name: string): PolicyStatus {
  const { file, status: state, scope, enforcing, skipped, warnings, requests } = message;
  return {
    name,
    ...(file === '' ? {} : { file }),
    state: state as PolicyStatus['state'],
    ...(scope === undefined ? {} : { scope: { state: scope.state as 'active', containers: scope.containers } }),
    mode: toMode(message),
    enforcing,
    hooks: message.hooks.map(({ call, functionName, attach, functions, counts }): HookStatus => {
      return { call, functionName, functions, attach: attach as HookStatus['attach'], ...toCounts(counts) };
    }),
    skipped,
    warnings: warnings.map(({ code, message: text, hint, file: source, line, column, text: at }) => {
      return {
        code: code as DiagnosticCode,
        severity: 'warning',
        message: text,
        hint,
        file: source,
        line,
        column,
        text: at,
      };
    }),
    requests: {
      started: Number(requests?.started ?? 0),
      answered: Number(requests?.answered ?? 0),
      failed: Number(requests?.failed ?? 0),
      dropped: Number(requests?.dropped ?? 0),
    },
    ...toCounts(message.counts),
  };
}

function toMode({ mode }: TracingPolicyStatus): PolicyStatus['mode'] {
  const { TracingPolicyMode } = loadProtocol();
  if (mode === TracingPolicyMode.TP_MODE_MONITOR) return 'monitor';
  return mode === TracingPolicyMode.TP_MODE_MONITOR_ONLY ? 'monitor_only' : 'enforce';
}

function toCounts(message: CountsMessage | undefined): HookCounts {
  return {
    ...(message?.hits === undefined ? {} : { hits: Number(message.hits) }),
    matched: Number(message?.matched ?? 0),
    posted: Number(message?.posted ?? 0),
    suppressed: Number(message?.suppressed ?? 0),
    enforced: Number(message?.enforced ?? 0),
    lost: Number(message?.lost ?? 0),
    memory: Number(message?.memory ?? 0),
  };
}
