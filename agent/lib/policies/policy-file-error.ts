/** The errors of policy files and their folders. docs/agent.md explains the codes. */

type PolicyFileCode =
  | 'FILE_CHANGING'
  | 'FILE_DAMAGED'
  | 'FILE_NOT_ANSWERING'
  | 'FILE_NOT_REGULAR'
  | 'FILE_NOT_UTF8'
  | 'FILE_TOO_LARGE'
  | 'FILE_UNREADABLE'
  | 'FILE_UNTRUSTED'
  | 'PATH_AWAY';

export class PolicyFileError extends Error {
  constructor(
    readonly code: PolicyFileCode,
    path: string,
    reason: string,
    remedy: string,
  ) {
    super(`${path}: ${code}: ${reason} (${remedy})`);
  }
}

/** Adds the path and a code to an error of the file system. */
export function toPolicyFileError(error: unknown, path: string): PolicyFileError {
  if (error instanceof PolicyFileError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  return new PolicyFileError('FILE_UNREADABLE', path, code ?? message, 'check the path and its permissions');
}
