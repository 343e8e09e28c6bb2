/** Attaches a hook. Each kind of hook has its own file. */
import type { CompiledHook } from '../compiled/compiled-policy.js';
import { attachEnforcer } from './enforcers.js';
import { attachFunctions } from './functions.js';
import { attachKernelFunction } from './kernel-function.js';
import { attachLsm } from './lsm.js';
import type { AttachResult, AttachRequest } from './request.js';
import { attachRawTracepoint, attachTracepoint } from './tracepoint.js';
import { attachUprobe } from './uprobe.js';
import { attachUsdt } from './usdt.js';

type Attach = (request: AttachRequest) => Promise<AttachResult | undefined>;

const BY_KIND: Readonly<Record<CompiledHook['kind'], Attach>> = {
  kprobe: attachKernelFunction,
  fentry: attachKernelFunction,
  loader: attachKernelFunction,
  enforcer: attachEnforcer,
  tracepoint: attachTracepoint,
  raw_tracepoint: attachRawTracepoint,
  lsm: attachLsm,
  uprobe: attachUprobe,
  usdt: attachUsdt,
};

/**
 * `functions` contains the kernel names of several functions that share one program. Resolves with undefined if the policy
 * allows a missing target and the target does not exist, or allows another digest and the file has one. Rejects with
 * KernelError.
 */
export function attachHook(request: AttachRequest, functions?: readonly string[]): Promise<AttachResult | undefined> {
  if (functions !== undefined) return attachFunctions(request, functions);
  return BY_KIND[request.hook.kind](request);
}
