/** The names of the packages that a bundle contains, from its source map. */
export function bundledPackages(map: { readonly sources: readonly string[] }): string[];
/** Reads the licence of an npm package. Throws if it has none. */
export function packageLicence(folder: string): { title: string; licence: string; texts: string[] };
