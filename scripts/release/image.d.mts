/** Turns the files of skopeo's `dir:` into the layout of OCI. */
export function writeLayout(from: string, to: string, name: string): void;
