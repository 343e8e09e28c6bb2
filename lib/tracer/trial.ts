/** Tries what preflight() predicts: loads and attaches the base sensor, and a hook in each way. */
import type { HookKind } from '../../types/policy-language.js';
import type { AttachMechanism, PreflightFeature, Tracer, TracingTrial } from '../../types/tracer.js';
import { PolytraceError } from '../errors.js';
import { addonFile } from '../native/binding.js';
import { preflight } from '../native/preflight.js';
import { openTracer } from './tracer.js';

interface Way {
  readonly kind: HookKind;
  readonly hook: string;
  /** Index and type of the value that is filtered; a static probe has none. */
  readonly filtered?: readonly [index: number, type: string];
  readonly needs: readonly PreflightFeature['name'][];
  readonly lists?: string;
  readonly options?: string;
  readonly actions?: string;
}

const CHECK = 'call: security_bprm_check, syscall: false';
const EXEC = 'subsystem: sched, event: sched_process_exec';
const ONE_LINK = '{ name: disable-uprobe-multi, value: "1" }';

/**
 * Hooks at an exec, which is rare enough, and at functions of the addon that run only when it is loaded. The filter compares a
 * path or a text that nothing has, so no event is posted and no action done.
 */
function allWays(): Readonly<Record<AttachMechanism, Way>> {
  const path = `path: ${JSON.stringify(addonFile())}`;
  const [one, two] = ['napi_register_module_v1', 'napi_register_module_v1, node_api_module_get_api_version_v1'];
  return {
    raw_tracepoint: { kind: 'tracepoints', hook: `${EXEC}, raw: true`, filtered: [2, 'linux_binprm'], needs: [] },
    tracepoint: { kind: 'tracepoints', hook: EXEC, filtered: [4, 'data_loc'], needs: ['tracepoint'] },
    fentry: { kind: 'fentries', hook: CHECK, filtered: [0, 'linux_binprm'], needs: ['fentry'] },
    fmod_ret: {
      kind: 'fentries',
      hook: CHECK,
      filtered: [0, 'linux_binprm'],
      needs: ['fentry', 'fmod_ret'],
      // monitor: the tracer is not opened for enforcement
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
      hook: `${path}, symbols: [${one}]`,
      filtered: [0, 'string'],
      needs: ['uprobe'],
      options: ONE_LINK,
    },
    'uprobe.multi': {
      kind: 'uprobes',
      hook: `${path}, symbols: [${two}]`,
      filtered: [0, 'string'],
      needs: ['uprobe', 'uprobe_multi'],
    },
    usdt: { kind: 'usdts', hook: `${path}, provider: polytrace, name: features`, needs: ['uprobe', 'attach_cookie'] },
  };
}

function policyOf({ kind, hook, filtered, lists, options, actions }: Way): string {
  const acts = actions === undefined ? '' : `, matchActions: [${actions}]`;
  const values =
    filtered === undefined
      ? ''
      : `, args: [{ index: ${filtered[0]}, type: ${filtered[1]} }], selectors: [{ matchArgs: [` +
        `{ index: ${filtered[0]}, operator: Prefix, values: [/polytrace/preflight/] }]${acts} }]`;
  const more = [
    ...(lists === undefined ? [] : [`lists: [${lists}]`]),
    ...(options === undefined ? [] : [`options: [${options}]`]),
  ];
  const spec = [`${kind}: [{ ${hook}${values} }]`, ...more].join(', ');
  return `{ apiVersion: cilium.io/v1alpha1, kind: TracingPolicy, metadata: { name: preflight }, spec: { ${spec} } }`;
}

/** The smallest buffer that has room for every event. */
const BUFFER_BYTES = 128 * 1024;

export async function tryTracing(): Promise<TracingTrial> {
  const problems: string[] = [];
  const note = (what: string, error: unknown): void => {
    const { message, hint } = error instanceof PolytraceError ? error : { message: String(error), hint: '' };
    problems.push(`${what}: ${message}${hint === '' ? '' : ` (${hint})`}`);
  };
  const running = new Set<AttachMechanism>();
  let canTrace = false;
  try {
    // hooks of `fentries` use fentry all the same
    const tracer = await openTracer({ bufferSize: BUFFER_BYTES, attach: 'kprobe' });
    canTrace = true;
    try {
      for (const way of await waysOf(tracer, note)) running.add(way);
    } finally {
      await tracer.close().catch((error: unknown) => note('close', error));
    }
  } catch (error) {
    note('base sensor', error);
  }
  return { canTrace, ...resultOf(running), problems };
}

async function waysOf(tracer: Tracer, note: (what: string, error: unknown) => void): Promise<AttachMechanism[]> {
  const { features } = preflight();
  const has = (name: PreflightFeature['name']): boolean => features.some((f) => f.available && f.name === name);
  const result: AttachMechanism[] = [];
  for (const [way, tried] of Object.entries(allWays()) as [AttachMechanism, Way][]) {
    if (!tried.needs.every(has)) continue;
    try {
      await tracer.addPolicy({ yaml: policyOf(tried) });
      const [hook] = tracer.policies().flatMap(({ hooks }) => hooks);
      await tracer.removePolicy('preflight');
      if (hook?.attach === way) result.push(way);
      else note(way, new Error(`the hook was attached by ${hook?.attach ?? 'nothing'} instead`));
    } catch (error) {
      note(way, error);
    }
  }
  return result;
}

/** The ways of each kind of hook, of which one is enough. */
const WAYS_OF: Readonly<Record<HookKind, readonly AttachMechanism[]>> = {
  kprobes: ['fentry', 'kprobe'],
  fentries: ['fentry'],
  tracepoints: ['tracepoint', 'raw_tracepoint'],
  uprobes: ['uprobe', 'uprobe.multi'],
  usdts: ['usdt'],
  lsmhooks: ['lsm'],
};

/** Hooks that see the same, if they run here. */
const INSTEAD: Readonly<Partial<Record<HookKind, readonly [kind: HookKind, text: string]>>> = {
  fentries: ['kprobes', 'move the hooks to kprobes, which hook the same functions'],
  lsmhooks: ['kprobes', 'hook the function security_… under kprobes'],
};

function resultOf(running: ReadonlySet<AttachMechanism>): Pick<TracingTrial, 'hooks' | 'ways' | 'remedies'> {
  const tried = allWays();
  const kinds = Object.entries(WAYS_OF) as [HookKind, readonly AttachMechanism[]][];
  const hooks = Object.fromEntries(kinds.map(([kind, ways]) => [kind, ways.some((way) => running.has(way))]));
  const remedies = kinds
    .filter(([kind]) => hooks[kind] === false)
    .map(([kind, ways]) => {
      const [instead, text] = INSTEAD[kind] ?? [];
      const needs = missingOf(ways.flatMap((way) => tried[way].needs));
      return [kind, instead !== undefined && hooks[instead] === true ? `${needs}; or ${text}` : needs];
    });
  return {
    hooks: hooks as TracingTrial['hooks'],
    remedies: Object.fromEntries(remedies) as TracingTrial['remedies'],
    ways: Object.fromEntries(
      Object.keys(tried).map((way) => [way, running.has(way as AttachMechanism)]),
    ) as TracingTrial['ways'],
  };
}

/** The features that are missing, with what each needs. */
function missingOf(names: readonly PreflightFeature['name'][]): string {
  const missing = preflight().features.filter(({ name, available }) => !available && names.includes(name));
  const texts = missing.map(({ name, detail }) => `${name} (${detail})`);
  return texts.length === 0 ? 'see the problems' : texts.join(' or ');
}
