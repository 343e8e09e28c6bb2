/** Tries what preflight() predicts: loads and attaches the base sensor, and a hook with each mechanism. */
import type { HookKind } from '../../types/policy-language.js';
import type { AttachMechanism, PreflightFeature, PreflightOptions, Tracer, TracingCheck } from '../../types/tracer.js';
import { PolytraceError } from '../errors.js';
import { addonFile } from '../native/binding.js';
import { preflight } from '../native/preflight.js';
import { openTracer } from './tracer.js';

interface MechanismCheck {
  readonly kind: HookKind;
  /** The hook in YAML. For a hook in the addon, it is a function, because the addon may be missing. */
  readonly hook: string | (() => string);
  /** Index and type of the filtered value; a static probe has none. */
  readonly filtered?: readonly [index: number, type: string];
  readonly needs: readonly PreflightFeature['name'][];
  readonly lists?: string;
  readonly options?: string;
  readonly actions?: string;
}

const CHECK = 'call: security_bprm_check, syscall: false';
const EXEC = 'subsystem: sched, event: sched_process_exec';
const ONE_LINK = '{ name: disable-uprobe-multi, value: "1" }';

const inAddon = (rest: string) => (): string => `path: ${JSON.stringify(addonFile())}, ${rest}`;

/**
 * A hook for each mechanism. It is at an exec, which is rare, or at a function of the addon that runs only when the addon is
 * loaded. The filter matches nothing, so no event is posted and no action is executed.
 */
const MECHANISM_CHECKS: Readonly<Record<AttachMechanism, MechanismCheck>> = {
  raw_tracepoint: { kind: 'tracepoints', hook: `${EXEC}, raw: true`, filtered: [2, 'linux_binprm'], needs: [] },
  tracepoint: { kind: 'tracepoints', hook: EXEC, filtered: [4, 'data_loc'], needs: ['tracepoint'] },
  fentry: { kind: 'fentries', hook: CHECK, filtered: [0, 'linux_binprm'], needs: ['fentry'] },
  fmod_ret: {
    kind: 'fentries',
    hook: CHECK,
    filtered: [0, 'linux_binprm'],
    needs: ['fentry', 'fmod_ret'],
    // mode monitor, because the tracer does not allow enforcement
    options: '{ name: policy-mode, value: monitor }',
    actions: '{ action: Override, argError: -1 }',
  },
  kprobe: { kind: 'kprobes', hook: CHECK, filtered: [0, 'linux_binprm'], needs: ['kprobe'] },
  'kprobe.multi': {
    kind: 'kprobes',
    hook: 'call: "list:checks", syscall: false',
    filtered: [0, 'linux_binprm'],
    needs: ['kprobe', 'kprobe_multi'],
    lists: '{ name: checks, values: [security_bprm_check, security_bprm_committed_creds] }',
  },
  lsm: { kind: 'lsmhooks', hook: 'hook: bprm_check_security', filtered: [0, 'linux_binprm'], needs: ['lsm'] },
  uprobe: {
    kind: 'uprobes',
    hook: inAddon('symbols: [napi_register_module_v1]'),
    filtered: [0, 'string'],
    needs: ['uprobe'],
    options: ONE_LINK,
  },
  'uprobe.multi': {
    kind: 'uprobes',
    hook: inAddon('symbols: [napi_register_module_v1, node_api_module_get_api_version_v1]'),
    filtered: [0, 'string'],
    needs: ['uprobe', 'uprobe_multi'],
  },
  usdt: { kind: 'usdts', hook: inAddon('provider: polytrace, name: features'), needs: ['uprobe', 'attach_cookie'] },
};

function formatPolicy({ kind, hook, filtered, lists, options, actions }: MechanismCheck): string {
  const matchActions = actions === undefined ? '' : `, matchActions: [${actions}]`;
  const values =
    filtered === undefined
      ? ''
      : `, args: [{ index: ${filtered[0]}, type: ${filtered[1]} }], selectors: [{ matchArgs: [` +
        `{ index: ${filtered[0]}, operator: Prefix, values: [/polytrace/preflight/] }]${matchActions} }]`;
  const more = [
    ...(lists === undefined ? [] : [`lists: [${lists}]`]),
    ...(options === undefined ? [] : [`options: [${options}]`]),
  ];
  const place = typeof hook === 'string' ? hook : hook();
  const spec = [`${kind}: [{ ${place}${values} }]`, ...more].join(', ');
  return `{ apiVersion: cilium.io/v1alpha1, kind: TracingPolicy, metadata: { name: preflight }, spec: { ${spec} } }`;
}

/** The smallest buffer that can hold every event. */
const BUFFER_BYTES = 128 * 1024;

export async function tryTracing(options: PreflightOptions = {}): Promise<TracingCheck> {
  const problems: string[] = [];
  const addProblem = (what: string, error: unknown): void => {
    const { message, hint } = error instanceof PolytraceError ? error : { message: String(error), hint: '' };
    problems.push(`${what}: ${message}${hint === '' ? '' : ` (${hint})`}`);
  };
  const running = new Set<AttachMechanism>();
  const { features } = preflight(options);
  let canTrace = false;
  try {
    // hooks of `fentries` use fentry in spite of `attach`
    const tracer = await openTracer({ ...options, bufferSize: BUFFER_BYTES, attach: 'kprobe' });
    canTrace = true;
    try {
      for (const mechanism of await tryMechanisms(tracer, features, addProblem)) running.add(mechanism);
    } finally {
      await tracer.close().catch((error: unknown) => addProblem('close', error));
    }
  } catch (error) {
    addProblem('base sensor', error);
  }
  return { canTrace, ...summarizeResult(running, features), problems };
}

async function tryMechanisms(
  tracer: Tracer,
  features: readonly PreflightFeature[],
  addProblem: (what: string, error: unknown) => void,
): Promise<AttachMechanism[]> {
  const isAvailable = (name: PreflightFeature['name']): boolean => features.some((f) => f.available && f.name === name);
  const result: AttachMechanism[] = [];
  for (const [mechanism, check] of Object.entries(MECHANISM_CHECKS) as [AttachMechanism, MechanismCheck][]) {
    if (!check.needs.every(isAvailable)) continue;
    try {
      await tracer.addPolicy({ yaml: formatPolicy(check) });
      const [hook] = tracer.policies().flatMap(({ hooks }) => hooks);
      await tracer.removePolicy('preflight');
      if (hook?.attach === mechanism) result.push(mechanism);
      else addProblem(mechanism, new Error(`the hook was attached by ${hook?.attach ?? 'nothing'} instead`));
    } catch (error) {
      addProblem(mechanism, error);
    }
  }
  return result;
}

/** The mechanisms of each kind of hook. One of them is sufficient. */
const KIND_MECHANISMS: Readonly<Record<HookKind, readonly AttachMechanism[]>> = {
  kprobes: ['fentry', 'kprobe'],
  fentries: ['fentry'],
  tracepoints: ['tracepoint', 'raw_tracepoint'],
  uprobes: ['uprobe', 'uprobe.multi'],
  usdts: ['usdt'],
  lsmhooks: ['lsm'],
};

/** Kinds of hooks that see the same calls, if they run here. */
const ALTERNATIVES: Readonly<Partial<Record<HookKind, readonly [kind: HookKind, text: string]>>> = {
  fentries: ['kprobes', 'move the hooks to kprobes, which hook the same functions'],
  lsmhooks: ['kprobes', 'hook the function security_… under kprobes'],
};

function summarizeResult(
  running: ReadonlySet<AttachMechanism>,
  features: readonly PreflightFeature[],
): Pick<TracingCheck, 'hooks' | 'ways' | 'remedies'> {
  const kinds = Object.entries(KIND_MECHANISMS) as [HookKind, readonly AttachMechanism[]][];
  const hooks = Object.fromEntries(
    kinds.map(([kind, mechanisms]) => [kind, mechanisms.some((mechanism) => running.has(mechanism))]),
  );
  const remedies = kinds
    .filter(([kind]) => hooks[kind] === false)
    .map(([kind, mechanisms]) => {
      const [instead, text] = ALTERNATIVES[kind] ?? [];
      const needs = formatMissing(
        features,
        mechanisms.flatMap((mechanism) => MECHANISM_CHECKS[mechanism].needs),
      );
      return [kind, instead !== undefined && hooks[instead] === true ? `${needs}; or ${text}` : needs];
    });
  return {
    hooks: hooks as TracingCheck['hooks'],
    remedies: Object.fromEntries(remedies) as TracingCheck['remedies'],
    ways: Object.fromEntries(
      Object.keys(MECHANISM_CHECKS).map((mechanism) => [mechanism, running.has(mechanism as AttachMechanism)]),
    ) as TracingCheck['ways'],
  };
}

/** Formats the missing features and their requirements. */
function formatMissing(features: readonly PreflightFeature[], names: readonly PreflightFeature['name'][]): string {
  const missing = features.filter(({ name, available }) => !available && names.includes(name));
  const labels = missing.map(({ name, detail }) => `${name} (${detail})`);
  return labels.length === 0 ? 'see the problems' : labels.join(' or ');
}
