import type { DiagnosticCode, ErrorCode } from './codes.js';

/** An error that polytrace throws. */
export class PolytraceError extends Error {
  /** Stable code of the error. docs/diagnostics.md lists all codes. */
  readonly code: ErrorCode;
  /** Remedy: what to do about the error. */
  readonly hint: string;
}

/** Mistakes in one or more policies. */
export class PolicyError extends PolytraceError {
  /** All mistakes and warnings that were found. */
  readonly diagnostics: readonly Diagnostic[];
}

/** The kernel does not support an operation, or the process does not have the privileges for it. */
export class KernelError extends PolytraceError {
  /** Name of the errno, such as `EPERM`. Present when the kernel returned one. */
  readonly errno?: string;
  /** Last lines of the log of the BPF verifier or libbpf. */
  readonly log?: string;
}

/** A mistake or warning in a policy, or a note on its check. */
export interface Diagnostic {
  /** Code in UPPER_SNAKE. docs/diagnostics.md explains each code. */
  readonly code: DiagnosticCode;
  /**
   * `error`: the policy is refused. `warning`: the policy can be loaded. `note`: a part of the policy could not be checked.
   */
  readonly severity: 'error' | 'warning' | 'note';
  /** Description of the mistake. */
  readonly message: string;
  /** Remedy; empty when there is none. */
  readonly hint: string;
  /** Name of the file; `<policy>` for text that does not come from a file, `<policy NAME>` for `definePolicy`. */
  readonly file: string;
  /** Line, from 1. A policy that is written in code counts as the YAML that is made of it. */
  readonly line: number;
  /** Column, from 1, in UTF-16 code units. */
  readonly column: number;
  /** For a policy that is written in code: the path of the value in the object, such as `spec.kprobes[0].args[1].type`. */
  readonly path?: string;
  /** Text at this position, at most 80 characters. */
  readonly text: string;
}
