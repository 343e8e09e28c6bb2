/** Which kernel a command checks policies against. */
import type { KernelInfo } from '../../types/index.js';
import type { Context } from './context.js';
import { safe } from './text.js';

export interface KernelOptions {
  readonly btf?: string;
  readonly kernel?: 'running' | 'none';
}

export interface CheckedAgainst {
  readonly kernel?: KernelInfo;
  /** It is the one that runs here, so that the files of this machine matter too. */
  readonly files: boolean;
}

/** A kernel that was asked for must be there; that of the machine is taken when it can be, with a note otherwise. */
export function chooseKernel({ btf, kernel }: KernelOptions, { api, stderr }: Context): CheckedAgainst {
  if (btf !== undefined) return { kernel: api.loadKernelInfo(btf), files: false };
  if (kernel === 'none') return { files: false };
  if (kernel === 'running') return { kernel: api.loadKernelInfo(), files: true };
  if (process.platform !== 'linux') return { files: false };
  try {
    return { kernel: api.loadKernelInfo(), files: true };
  } catch (error) {
    if (!(error instanceof api.KernelError)) throw error;
    stderr.write(safe(`note: not checked against a kernel: ${error.message}\n`));
    return { files: true };
  }
}
