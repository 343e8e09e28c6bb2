/** `binaryDigests` of a policy: ALGORITHM:HEX, or SHA-256 without a name; `build-id` is the note that the linker leaves. */

type DigestAlgorithm = 'sha1' | 'sha256' | 'sha384' | 'sha512' | 'build-id';

export interface Digest {
  readonly algorithm: DigestAlgorithm;
  /** Lower case. */
  readonly hex: string;
}

/** Hexadecimal digits; a build id is of any length. */
const DIGITS: Readonly<Record<Exclude<DigestAlgorithm, 'build-id'>, number>> = {
  sha1: 40,
  sha256: 64,
  sha384: 96,
  sha512: 128,
};
const BUILD_ID_DIGITS_MAX = 128;

/** Undefined of what is none. */
export function parseDigest(text: string): Digest | undefined {
  const [, name = 'sha256', digits = ''] =
    /^(?:(sha1|sha256|sha384|sha512|build-id):)?([0-9a-fA-F]+)$/.exec(text) ?? [];
  const algorithm = name as DigestAlgorithm;
  const fits =
    algorithm === 'build-id'
      ? digits.length > 0 && digits.length % 2 === 0 && digits.length <= BUILD_ID_DIGITS_MAX
      : digits.length === DIGITS[algorithm];
  return fits ? { algorithm, hex: digits.toLowerCase() } : undefined;
}
