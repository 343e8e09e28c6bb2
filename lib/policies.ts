/**
 * The part of the public interface that opens no tracer: policies, and the types of kernels. It is a bundle of its own,
 * because commands such as `validate` need nothing else.
 */
export { KernelError, PolicyError, PolytraceError } from './errors.js';
export { loadKernelInfo } from './native/btf.js';
export {
  compilePolicy,
  definePolicy,
  explainPolicy,
  findBypasses,
  formatBypasses,
  formatExplanation,
  formatHook,
  hookPolicy,
  listPolicyParameters,
  parsePolicy,
  parsePolicyTest,
  policySchema,
  setPolicyParameters,
} from './policy/index.js';
export { findHook, listHooks } from './tracer/hooks.js';
export { expandPolicyPaths, loadPolicyFile, policyLibrary } from './tracer/policy-files.js';
export { validatePolicy } from './tracer/validate-policy.js';
