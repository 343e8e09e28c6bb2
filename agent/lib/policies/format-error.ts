/** Formats errors for the log, the status of policies and the answers to clients. */
import { PolicyError, PolytraceError } from 'polytrace';

/** Formats an error. A PolicyError has one line for each diagnostic. */
export function formatError(error: unknown): string {
  if (error instanceof PolicyError) {
    return error.diagnostics
      .filter(({ severity }) => severity === 'error')
      .map(({ file, line, column, code, message, hint }) => {
        const remedy = hint === '' ? '' : ` (${hint})`;
        return `${file}:${line}:${column}: ${code}: ${message}${remedy}`;
      })
      .join('\n');
  }
  if (error instanceof PolytraceError) {
    return `${error.code}: ${error.message}${error.hint === '' ? '' : ` (${error.hint})`}`;
  }
  return error instanceof Error ? error.message : String(error);
}
