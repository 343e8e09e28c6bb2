/** Errors of the addon, and the reasons of the kernel in them. */

import type { ErrorCode } from '../../types/codes.js';

export interface NativeError extends Error {
  readonly code?: ErrorCode;
  readonly errno?: string;
  readonly log?: string;
  /** Index of the attach point that failed, if there are several. */
  readonly attachPoint?: number;
}

/** Returns the reason why the verifier rejected a program: the last line of its log before the statistics. */
function verifierReason(error: NativeError): string | undefined {
  return /^(.+)\nprocessed \d+ insns/m.exec(error.log ?? '')?.[1];
}

/** True for EPERM, and for EACCES from a security module. The verifier also uses EACCES when it rejects a program. */
export function isNotPermitted(error: NativeError): boolean {
  return error.errno === 'EPERM' || (error.errno === 'EACCES' && verifierReason(error) === undefined);
}

/** Adds the kernel's reason to the message, such as `… refused the base sensor (EACCES: R2 unbounded memory access)`. */
export function messageWithReason(error: NativeError): string {
  const reason = [error.errno, verifierReason(error)].filter((part) => part !== undefined).join(': ');
  return reason === '' ? error.message : `${error.message} (${reason})`;
}

/** Returns the kernel's errno and log, for a KernelError. */
export function kernelDetail({ errno, log }: NativeError): { errno?: string; log?: string } {
  return { ...(errno === undefined ? {} : { errno }), ...(log === undefined ? {} : { log }) };
}
