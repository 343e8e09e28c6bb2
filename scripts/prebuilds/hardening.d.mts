/** Returns the protections that the addon lacks. */
export function missingProtections(file: string, arch: 'x64' | 'arm64', text: string): string[];
