/** Errors of archives and of the installed policy library. */
import type { ErrorCode } from '../../types/codes.js';
import { PolytraceError } from '../errors.js';

type LibraryCode = Extract<ErrorCode, `LIBRARY_${string}`>;

/** Makes the error of a library. Each code has a remedy. */
export function libraryError(code: LibraryCode, message: string, hint: string, cause?: unknown): PolytraceError {
  return new PolytraceError(code, message, hint, cause === undefined ? {} : { cause });
}
