/** Returns the reasons why the file cannot be loaded on Linux with this architecture. */
export function checkAddon(file: string, arch: 'x64' | 'arm64', isInMusl?: (name: string) => boolean): string[];
