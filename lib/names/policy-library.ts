/** Names of the policies of this package. */

/** It stands before the name of such a policy, in place of a path. */
export const LIBRARY_PREFIX = 'polytrace:';

export function isOfLibrary(path: string): boolean {
  return path.startsWith(LIBRARY_PREFIX);
}
