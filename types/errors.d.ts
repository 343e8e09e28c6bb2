/** Anything that polytrace throws has a stable `code`, listed in docs/diagnostics.md. */
export class PolytraceError extends Error {
  readonly code: string;
  /** What to do about it. */
  readonly hint: string;
}

/** A policy, or several, with mistakes; all of them are in `diagnostics`. */
export class PolicyError extends PolytraceError {
  readonly diagnostics: readonly Diagnostic[];
}

/** The kernel or the privileges do not allow it. */
export class KernelError extends PolytraceError {
  /** Name of the errno, such as `EPERM`, where the kernel gave one. */
  readonly errno?: string;
  /** What the verifier or libbpf said, last lines. */
  readonly log?: string;
}

export interface Diagnostic {
  /** UPPER_SNAKE; docs/diagnostics.md explains each. */
  readonly code: string;
  readonly severity: 'error' | 'warning';
  readonly message: string;
  readonly hint: string;
  /** `<policy>` for text that came from no file. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 code units. */
  readonly column: number;
  /** The offending text, at most 80 characters. */
  readonly text: string;
}
