/** The kernel against which a command checks policies. */
import type { KernelInfo } from '../../types/index.js';
import type { Context } from './context.js';
import { safe } from './text.js';

export interface KernelOptions {
  readonly btf?: string;
  readonly kernel?: 'running' | 'none';
}

export interface CheckedAgainst {
  readonly kernel?: KernelInfo;
  /** Files of this machine are checked too, because the policy is for this machine. */
  readonly files: boolean;
  /** True if more could be checked elsewhere. With `--kernel none`, nobody asked for it. */
  readonly reportUnchecked: boolean;
}

/**
 * Chooses the kernel. A kernel that an option names must be readable. Without an option, the running kernel is used.
 * When that one is not readable, the command prints a note and goes on without a kernel.
 */
export function chooseKernel({ btf, kernel }: KernelOptions, { api, stderr }: Context): CheckedAgainst {
  if (btf !== undefined) return { kernel: api.loadKernelInfo(btf), files: false, reportUnchecked: true };
  if (kernel === 'none') return { files: false, reportUnchecked: false };
  if (kernel === 'running') return { kernel: api.loadKernelInfo(), files: true, reportUnchecked: true };
  if (process.platform !== 'linux') return { files: false, reportUnchecked: true };
  try {
    return { kernel: api.loadKernelInfo(), files: true, reportUnchecked: true };
  } catch (error) {
    if (!(error instanceof api.KernelError)) throw error;
    stderr.write(safe(`note: not checked against a kernel: ${error.message}\n`));
    return { files: true, reportUnchecked: true };
  }
}
