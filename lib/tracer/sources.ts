/** Turns the policies that a program passes into images, and reports every mistake of all policies at once. */
import { fileURLToPath } from 'node:url';
import type { Diagnostic } from '../../types/errors.js';
import type { KernelInfo } from '../../types/kernel.js';
import type { Policy } from '../../types/policy.js';
import type { PolicySource } from '../../types/tracer.js';
import { PolicyError } from '../errors.js';
import { loadKernelInfo } from '../native/btf.js';
import { checkPolicy, compilePolicy, parsePolicy, type PolicyImage } from '../policy/index.js';
import { expandPolicyPaths, loadPolicyFile } from './files.js';

export interface Compiled {
  readonly image: PolicyImage;
  readonly file: string;
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
          const policy = load();
          await turn();
          result.push({ image: compilePolicy(policy, { kernel: kernel() }), file: policy.file });
          await turn();
          diagnostics.push(...checkPolicy(policy, kernel()).filter(isWrongHere));
          await turn();
        });
      }
    });
  }
  if (diagnostics.length > 0) throw new PolicyError(diagnostics);
  return { images: result, kernel };
}

/** Gives the event loop a turn. */
export function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

const WRONG_HERE = /^(ARG|RETURN|TRACEPOINT|LSM_HOOK|LIST)_/;

/**
 * True if the kernel's types prove a mistake: the programs would read other values than the policy describes. Missing
 * functions are found when hooks are attached, because a function without BTF can still be probed.
 */
function isWrongHere({ code, severity }: Diagnostic): boolean {
  return severity === 'error' && WRONG_HERE.test(code);
}

function policiesOf(source: PolicySource): (() => Policy)[] {
  if (source instanceof URL) return policiesOf(fileURLToPath(source));
  if (typeof source === 'string') {
    return expandPolicyPaths(source).map((file) => () => parsePolicy(loadPolicyFile(file), { file }));
  }
  if ('yaml' in source) {
    const { yaml, file } = source;
    return [() => parsePolicy(yaml, file === undefined ? {} : { file })];
  }
  return [() => source];
}
