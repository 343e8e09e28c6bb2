/** The folder of a package of the npm registry, such as `pnpm@latest`. */
export function npmPackage(specifier: string): string;
