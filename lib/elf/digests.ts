/**
 * Parses `binaryDigests` of a policy: ALGORITHM:HEX, or HEX alone for SHA-256. The algorithm `build-id` stands for the build
 * id that the linker writes into a note.
 */

type DigestAlgorithm = 'sha1' | 'sha256' | 'sha384' | 'sha512' | 'build-id';

export interface Digest {
  readonly algorithm: DigestAlgorithm;
  /** In lower case. */
  readonly hex: string;
}

/** Number of hexadecimal digits of each algorithm. */
const DIGITS: Readonly<Record<Exclude<DigestAlgorithm, 'build-id'>, number>> = {
  sha1: 40,
  sha256: 64,
  sha384: 96,
  sha512: 128,
};
/** Maximum length of a build id. */
export const BUILD_ID_BYTES_MAX = 64;

/** Returns undefined if the string is not a digest. */
export function parseDigest(text: string): Digest | undefined {
  const [, name = 'sha256', digits = ''] =
    /^(?:(sha1|sha256|sha384|sha512|build-id):)?([0-9a-fA-F]+)$/.exec(text) ?? [];
  const algorithm = name as DigestAlgorithm;
  const fits =
    algorithm === 'build-id'
      ? digits.length > 0 && digits.length % 2 === 0 && digits.length <= 2 * BUILD_ID_BYTES_MAX
      : digits.length === DIGITS[algorithm];
  return fits ? { algorithm, hex: digits.toLowerCase() } : undefined;
}
