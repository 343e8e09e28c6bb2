/** Tries what preflight() predicts: loads and attaches the base sensor, and a policy of each kind that resolves a path. */
import type { TracingTrial } from '../../types/tracer.js';
import { PolytraceError } from '../errors.js';
import { preflight } from '../native/preflight.js';
import { openTracer } from './tracer.js';

/** Hooks at an exec, which is rare enough. The path is compared, so the programs resolve it; no file has it. */
const HOOKS = {
  tracepoints: { place: 'subsystem: sched, event: sched_process_exec, raw: true', index: 2 },
  kprobes: { place: 'call: security_bprm_check, syscall: false', index: 0 },
  fentries: { place: 'call: security_bprm_check, syscall: false', index: 0 },
  lsmhooks: { place: 'hook: bprm_check_security', index: 0 },
} as const;

function policyOf(kind: Tried): string {
  const { place, index } = HOOKS[kind];
  const args = `[{ index: ${index}, type: linux_binprm }]`;
  const filter = `{ index: ${index}, operator: Prefix, values: [/polytrace/preflight/] }`;
  const hook = `{ ${place}, args: ${args}, selectors: [{ matchArgs: [${filter}] }] }`;
  return `{ apiVersion: cilium.io/v1alpha1, kind: TracingPolicy, metadata: { name: preflight }, spec: { ${kind}: [${hook}] } }`;
}

type Tried = keyof typeof HOOKS;

/** The smallest buffer that has room for every event. */
const BUFFER_BYTES = 128 * 1024;

export async function tryTracing(): Promise<TracingTrial> {
  const problems: string[] = [];
  const { features } = preflight();
  const has = (...names: readonly string[]): boolean =>
    features.some(({ name, available }) => available && names.includes(name));
  const note = (what: string, error: unknown): false => {
    const { message, hint } = error instanceof PolytraceError ? error : { message: String(error), hint: '' };
    problems.push(`${what}: ${message}${hint === '' ? '' : ` (${hint})`}`);
    return false;
  };
  const none = { kprobes: false, fentries: false, tracepoints: false, uprobes: false, usdts: false, lsmhooks: false };
  let tracer;
  try {
    tracer = await openTracer({ bufferSize: BUFFER_BYTES });
  } catch (error) {
    return { canTrace: note('base sensor', error), hooks: none, problems };
  }
  const runs = async (kind: Tried): Promise<boolean> => {
    try {
      await tracer.addPolicy({ yaml: policyOf(kind) });
      await tracer.removePolicy('preflight');
      return true;
    } catch (error) {
      return note(kind, error);
    }
  };
  try {
    const hooks = {
      tracepoints: await runs('tracepoints'),
      kprobes: has('fentry', 'kprobe') && (await runs('kprobes')),
      fentries: has('fentry') && (await runs('fentries')),
      lsmhooks: has('lsm') && (await runs('lsmhooks')),
      uprobes: has('uprobe'),
      usdts: has('uprobe'),
    };
    return { canTrace: true, hooks, problems };
  } finally {
    await tracer.close().catch((error: unknown) => note('close', error));
  }
}
