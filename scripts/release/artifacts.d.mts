type Environment = Readonly<Record<string, string | undefined>>;
export function packPackage(folder: string, output: string, env: Environment, directory?: string): string;
/** Returns the licence texts that a tarball lacks. */
export function missingLicences(tarball: string): string[];
export function writeChecksums(
  output: string,
  facts: Readonly<Record<string, unknown>>,
): { files: Readonly<Record<string, { bytes: number; sha256: string }>> };
