/** Turns the policies that a program passes into images, and reports every mistake of all policies at once. */
import { fileURLToPath } from 'node:url';
import type { Diagnostic } from '../../types/errors.js';
import type { KernelInfo } from '../../types/kernel.js';
import type { Policy } from '../../types/policy.js';
import type { PolicySource } from '../../types/tracer.js';
import { PolicyError } from '../errors.js';
import { runCooperatively, yieldToEventLoop, type Steps } from '../cooperative.js';
import { loadKernelInfo, readAttachable } from '../native/btf.js';
import { asksForFunctions, checkSteps, compileSteps, parseSteps, type CompiledPolicy } from '../policy/index.js';
import { expandPolicyPaths, loadPolicyFile } from './files.js';

export interface Compiled {
  readonly image: CompiledPolicy;
  readonly file: string;
  /** What works otherwise on this kernel than the policy may expect. */
  readonly warnings: readonly Diagnostic[];
}

/**
 * Reports every mistake of every file at once. The kernel's types are read once, when the first policy needs them. Between the
 * steps, the event loop gets a turn.
 */
export async function compileAll(
  sources: readonly PolicySource[],
): Promise<{ images: Compiled[]; kernel: () => KernelInfo }> {
  const diagnostics: Diagnostic[] = [];
  const result: Compiled[] = [];
  let types: KernelInfo | undefined;
  const kernel = (): KernelInfo => (types ??= loadKernelInfo());
  const attempt = async (run: () => Promise<void>): Promise<void> => {
    try {
      await run();
    } catch (error) {
      if (!(error instanceof PolicyError)) throw error;
      diagnostics.push(...error.diagnostics);
    }
  };
  for (const source of sources) {
    await attempt(async () => {
      for (const load of policiesOf(source)) {
        await attempt(async () => {
          const policy = await runCooperatively(load());
          await yieldToEventLoop();
          if (asksForFunctions(policy)) await readAttachable(kernel());
          const image = await runCooperatively(compileSteps(policy, { kernel: kernel() }));
          await yieldToEventLoop();
          const all = await runCooperatively(checkSteps(policy, kernel()));
          const found = all.filter(({ code }) => IS_HERE.test(code));
          diagnostics.push(...found.filter(({ severity }) => severity === 'error'));
          const warnings = found.filter(({ severity }) => severity === 'warning');
          result.push({ image, file: policy.file, warnings });
          await yieldToEventLoop();
        });
      }
    });
  }
  if (diagnostics.length > 0) throw new PolicyError(diagnostics);
  return { images: result, kernel };
}

/**
 * What the kernel's types prove: the programs would read other values than the policy describes. Missing functions are
 * found when hooks are attached, because a function without BTF can still be probed.
 */
const IS_HERE = /^(ARG|RETURN|TRACEPOINT|LSM_HOOK|LIST)_/;

function policiesOf(source: PolicySource): (() => Steps<Policy>)[] {
  if (typeof source === 'object' && 'href' in source) return policiesOf(fileURLToPath(source.href));
  if (typeof source === 'string') {
    return expandPolicyPaths(source).map((file) => () => parseSteps(loadPolicyFile(file), { file }));
  }
  if ('yaml' in source) {
    const { yaml, file } = source;
    return [() => parseSteps(yaml, file === undefined ? {} : { file })];
  }
  return [
    function* () {
      return source;
    },
  ];
}
