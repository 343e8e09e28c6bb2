/** Package managers that are tested, as npm names their packages. */
export const MANAGERS: Readonly<Record<'pnpm' | 'yarn 1' | 'yarn 4', string>>;
/** The folder of a package of the npm registry, such as `pnpm@latest`. */
export function npmPackage(specifier: string): string;
