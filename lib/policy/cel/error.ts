/** A mistake in an expression, with its place in the text. */
import type { DiagnosticCode } from '../parse/codes.js';

export class CelError extends Error {
  constructor(
    readonly code: DiagnosticCode,
    message: string,
    readonly hint: string,
    readonly start: number,
    readonly end: number,
  ) {
    super(message);
  }
}
