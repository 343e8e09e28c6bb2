/** Returns the problems of an image in the layout of OCI. With `tries`, programs of each architecture run, too. */
export function imageProblems(file: string, options?: { tries?: boolean }): string[];
