/** Errors of archives and of the installed policy library. */
import { PolytraceError } from '../errors.js';

type LibraryCode =
  | 'LIBRARY_FOLDER'
  | 'LIBRARY_FORMAT'
  | 'LIBRARY_INVALID'
  | 'LIBRARY_KEY'
  | 'LIBRARY_NAME'
  | 'LIBRARY_NEEDS'
  | 'LIBRARY_OLDER'
  | 'LIBRARY_SIGNATURE'
  | 'LIBRARY_SOURCE'
  | 'LIBRARY_TRUNCATED';

/** Makes the error of a library. Each code has a remedy. */
export function libraryError(code: LibraryCode, message: string, hint: string, cause?: unknown): PolytraceError {
  return new PolytraceError(code, message, hint, cause === undefined ? {} : { cause });
}
