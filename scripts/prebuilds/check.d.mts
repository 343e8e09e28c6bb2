/** What keeps the file from being loaded on a Linux of this architecture, a sentence each. */
export function checkAddon(file: string, arch: 'x64' | 'arm64', inMusl?: (name: string) => boolean): string[];
