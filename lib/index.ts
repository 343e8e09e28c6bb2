/** The public API; types/ is its contract. */
import { PolytraceError } from './errors.js';

export { KernelError, PolicyError, PolytraceError } from './errors.js';
export { eventFilter, formatCompact, toJson } from './output/index.js';
export { compilePolicy, definePolicy, parsePolicy, validatePolicy } from './policy/index.js';

// Until lib/tracer.ts and lib/native are there.
const missing = (): never => {
  throw new PolytraceError('ADDON_MISSING', 'the tracer is not part of this build yet', '');
};
export const openTracer: typeof import('../types/index.js').openTracer = missing;
export const preflight: typeof import('../types/index.js').preflight = missing;
