/** The result of validating one file. */
import type { Diagnostic } from '../../types/index.js';

export interface FileResult {
  readonly file: string;
  readonly diagnostics: readonly Diagnostic[];
}
