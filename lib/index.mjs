// ES modules get the very same instance as require(): one implementation, no second set of classes.
import polytrace from '../dist/index.js';

export const {
  KernelError,
  PolicyError,
  PolytraceError,
  compilePolicy,
  definePolicy,
  eventFilter,
  expandPolicyPaths,
  explainPolicy,
  fieldFilter,
  formatCompact,
  formatExplanation,
  hostGaps,
  loadKernelInfo,
  loadPolicyFile,
  notifyService,
  openTracer,
  parsePolicy,
  policySchema,
  preflight,
  redactor,
  removePersisted,
  toJson,
  validatePolicy,
} = polytrace;
