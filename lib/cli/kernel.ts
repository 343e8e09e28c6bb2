/** Chooses the kernel against which a command checks policies. */
import type { KernelInfo } from '../../types/index.js';
import type { Context } from './context.js';
import { escapeControls } from '../output/terminal-text.js';

export interface KernelOptions {
  readonly btf?: string;
  readonly kernel?: 'running' | 'none';
}

export interface CheckedAgainst {
  readonly kernel?: KernelInfo;
  /** True if files of this machine are checked too, because the policy is for this machine. */
  readonly files: boolean;
  /** True if unchecked parts are reported. With `--kernel none`, the user does not want that check. */
  readonly reportUnchecked: boolean;
}

/**
 * Chooses the kernel of `--btf` or `--kernel`, which must be readable, and else the running kernel. If the types of the
 * running kernel are not readable, the command prints a note and continues without a kernel.
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
    stderr.write(escapeControls(`note: not checked against a kernel: ${error.message}\n`));
    return { files: true, reportUnchecked: true };
  }
}
