/** Compiles the policies that a program passes, and reports the errors of all policies together. */
import { fileURLToPath } from 'node:url';
import type { StopSignal } from '../../types/compatibility.js';
import type { Diagnostic } from '../../types/errors.js';
import type { KernelInfo } from '../../types/kernel.js';
import type { Policy } from '../../types/policy.js';
import type { PolicySource } from '../../types/tracer.js';
import { PolicyError, throwIfAborted } from '../errors.js';
import { runCooperatively, yieldToEventLoop, type Steps } from '../cooperative.js';
import { loadKernelInfo, readAttachable } from '../native/btf.js';
import {
  needsFunctionNames,
  checkPolicySteps,
  compilePolicySteps,
  parsePolicySteps,
  type CompiledPolicy,
} from '../policy/index.js';
import { expandPolicyPaths, loadPolicyFile } from './policy-files.js';

export interface CompiledSource {
  readonly compiled: CompiledPolicy;
  readonly file: string;
  /** Differences between this kernel and what the policy may expect. */
  readonly warnings: readonly Diagnostic[];
}

/**
 * Throws PolicyError with the errors of all policies. Reads the kernel BTF once, when the first policy needs it. Yields to the
 * event loop between the steps, where it also looks at the signal.
 */
export async function compilePolicies(
  sources: readonly PolicySource[],
  signal?: StopSignal,
): Promise<{ policies: CompiledSource[]; kernel: () => KernelInfo }> {
  const diagnostics: Diagnostic[] = [];
  const result: CompiledSource[] = [];
  let kernelInfo: KernelInfo | undefined;
  const kernel = (): KernelInfo => (kernelInfo ??= loadKernelInfo());
  const collectErrors = async (run: () => Promise<void>): Promise<void> => {
    try {
      await run();
    } catch (error) {
      if (!(error instanceof PolicyError)) throw error;
      diagnostics.push(...error.diagnostics);
    }
  };
  for (const source of sources) {
    await collectErrors(async () => {
      for (const load of policyLoaders(source)) {
        await collectErrors(async () => {
          const policy = await runCooperatively(load());
          await yieldToEventLoop();
          throwIfAborted(signal);
          if (needsFunctionNames(policy)) await readAttachable(kernel());
          const compiled = await runCooperatively(compilePolicySteps(policy, { kernel: kernel() }));
          await yieldToEventLoop();
          throwIfAborted(signal);
          const all = await runCooperatively(checkPolicySteps(policy, kernel()));
          const found = all.filter(({ code }) => KERNEL_CODES.test(code));
          diagnostics.push(...found.filter(({ severity }) => severity === 'error'));
          const warnings = found.filter(({ severity }) => severity === 'warning');
          result.push({ compiled, file: policy.file, warnings });
          await yieldToEventLoop();
        });
      }
    });
  }
  if (diagnostics.length > 0) throw new PolicyError(diagnostics);
  return { policies: result, kernel };
}

/**
 * Codes of diagnostics that the kernel BTF proves: the programs would read other values than the policy describes. Missing
 * functions are found when hooks are attached, because a function without BTF can still be probed.
 */
const KERNEL_CODES = /^(ARG|RETURN|TRACEPOINT|LSM_HOOK|LIST)_/;

function policyLoaders(source: PolicySource): (() => Steps<Policy>)[] {
  if (typeof source === 'object' && 'href' in source) return policyLoaders(fileURLToPath(source.href));
  if (typeof source === 'string') {
    return expandPolicyPaths(source).map((file) => () => parsePolicySteps(loadPolicyFile(file), { file }));
  }
  if ('yaml' in source) {
    const { yaml, file } = source;
    return [() => parsePolicySteps(yaml, file === undefined ? {} : { file })];
  }
  return [
    function* () {
      return source;
    },
  ];
}
