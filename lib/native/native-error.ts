/** Errors of the addon, and what they say about the kernel. */

export interface NativeError extends Error {
  readonly code?: string;
  readonly errno?: string;
  readonly log?: string;
  /** Of several places, the one that it is about. */
  readonly place?: number;
}

/** The last word of the verifier on a program that it rejected: it stands before the statistics that end each log. */
function verdict(error: NativeError): string | undefined {
  return /^(.+)\nprocessed \d+ insns/m.exec(error.log ?? '')?.[1];
}

/** EPERM, or EACCES of a security module: the verifier says EACCES, too, of a program that it rejects. */
export function notPermitted(error: NativeError): boolean {
  return error.errno === 'EPERM' || (error.errno === 'EACCES' && verdict(error) === undefined);
}

/** The message with what the kernel gave as the reason: `… refused the base sensor (EACCES: R2 unbounded memory access)`. */
export function withReason(error: NativeError): string {
  const reason = [error.errno, verdict(error)].filter((part) => part !== undefined).join(': ');
  return reason === '' ? error.message : `${error.message} (${reason})`;
}

/** What the kernel said, for a KernelError. */
export function kernelDetail({ errno, log }: NativeError): { errno?: string; log?: string } {
  return { ...(errno === undefined ? {} : { errno }), ...(log === undefined ? {} : { log }) };
}
