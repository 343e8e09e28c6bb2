/** Names of the policies of this package. */

/** Prefix of the name of such a policy where a path is expected. */
export const LIBRARY_PREFIX = 'polytrace:';

export function isLibraryPolicy(path: string): boolean {
  return path.startsWith(LIBRARY_PREFIX);
}
