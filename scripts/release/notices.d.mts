/** The name of the file. */
export const NOTICES: string;
/** The folders of the packages that the bundles contain. The checkout in `root` must have been built. */
export function bundledFolders(root: string, withAgent: boolean): string[];
/** Returns the notices of the container image. */
export function imageNotices(root: string, withAgent: boolean): string;
/** Reads the licence of an npm package. Throws if its text is not known. */
export function packageLicence(folder: string): { title: string; licence: string; texts: string[] };
