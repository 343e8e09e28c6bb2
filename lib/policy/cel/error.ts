/** An error in an expression, with its range in the expression. */
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
