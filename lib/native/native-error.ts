/** Errors of the addon, and the kernel's reasons in them. */

export interface NativeError extends Error {
  readonly code?: string;
  readonly errno?: string;
  readonly log?: string;
  /** Index of the place that the error is about, if there are several. */
  readonly place?: number;
}

/** The reason why the verifier rejected a program: the last line of its log before the statistics. */
function verdict(error: NativeError): string | undefined {
  return /^(.+)\nprocessed \d+ insns/m.exec(error.log ?? '')?.[1];
}

/** True for EPERM, and for EACCES from a security module. The verifier also uses EACCES when it rejects a program. */
export function notPermitted(error: NativeError): boolean {
  return error.errno === 'EPERM' || (error.errno === 'EACCES' && verdict(error) === undefined);
}

/** The message with the kernel's reason, such as `… refused the base sensor (EACCES: R2 unbounded memory access)`. */
export function withReason(error: NativeError): string {
  const reason = [error.errno, verdict(error)].filter((part) => part !== undefined).join(': ');
  return reason === '' ? error.message : `${error.message} (${reason})`;
}

/** The kernel's errno and log, for a KernelError. */
export function kernelDetail({ errno, log }: NativeError): { errno?: string; log?: string } {
  return { ...(errno === undefined ? {} : { errno }), ...(log === undefined ? {} : { log }) };
}
