/** The errors that the public interface throws. */
import type { ErrorCode } from '../types/codes.js';
import type { StopSignal } from '../types/compatibility.js';
import type { Diagnostic } from '../types/errors.js';

export type { Diagnostic };

export class PolytraceError extends Error {
  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly hint: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    // not the name of the class, which bundlers make shorter
    this.name = 'PolytraceError';
  }
}

export class PolicyError extends PolytraceError {
  constructor(readonly diagnostics: readonly Diagnostic[]) {
    const errors = diagnostics.filter((d) => d.severity === 'error');
    const first = errors[0] ?? diagnostics[0];
    super(
      first?.code ?? 'NOT_A_POLICY',
      errors.map(formatDiagnostic).join('\n') || 'invalid policy',
      first?.hint ?? '',
    );
    this.name = 'PolicyError';
  }
}

export class KernelError extends PolytraceError {
  declare readonly errno?: string;
  declare readonly log?: string;

  constructor(code: ErrorCode, message: string, hint: string, detail: { errno?: string; log?: string } = {}) {
    super(code, message, hint);
    this.name = 'KernelError';
    if (detail.errno !== undefined) this.errno = detail.errno;
    if (detail.log !== undefined) this.log = detail.log;
  }
}

/** The error of a call whose signal was aborted. Name, code and cause are those of the errors of Node.js. */
class AbortError extends Error {
  readonly code = 'ABORT_ERR';

  constructor({ reason }: Pick<StopSignal, 'reason'>) {
    super('the operation was aborted', { cause: reason });
    this.name = 'AbortError';
  }
}

/** Throws an AbortError if the signal is aborted. */
export function throwIfAborted(signal: StopSignal | undefined): void {
  if (signal?.aborted === true) throw new AbortError(signal);
}

/** True if the process or the machine has no descriptor left. Such an error is not about the file. */
export function isDescriptorLimit(error: unknown): boolean {
  return ['EMFILE', 'ENFILE'].includes((error as NodeJS.ErrnoException).code ?? '');
}

/**
 * Formats a diagnostic as `FILE:LINE:COL: error CODE: message`, with the hint on a second line. A policy that is written
 * in code has the path in its object instead of line and column.
 */
export function formatDiagnostic(d: Diagnostic): string {
  const place = d.path === undefined ? `${d.file}:${d.line}:${d.column}` : `${d.file} ${d.path}`.trimEnd();
  const line = `${place}: ${d.severity} ${d.code}: ${d.message}`;
  return d.hint === '' ? line : `${line}\n    hint: ${d.hint}`;
}
