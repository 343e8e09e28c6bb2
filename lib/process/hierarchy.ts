/** Finds where the unified hierarchy of cgroups (cgroup v2) is mounted, and the cgroup of a process in it. */
import { isInHost, text } from './proc-files.js';

/**
 * Where this process sees the unified hierarchy from its root: `/sys/fs/cgroup`, or `/sys/fs/cgroup/unified` on hosts that
 * have both versions. undefined: nowhere, as in a container with a cgroup namespace of its own.
 */
export function wholeHierarchy(
  mountinfo = (): string => text('/proc/self/mountinfo'),
  isWhole = (): boolean => isInHost('cgroup'),
): string | undefined {
  if (!isWhole()) return undefined;
  for (const line of mountinfo().split('\n')) {
    const [fields = '', type = ''] = line.split(' - ');
    const [, , , root, point] = fields.split(' ');
    if (type.startsWith('cgroup2 ') && root === '/' && point !== undefined) return unescaped(point);
  }
  return undefined;
}

/** The path of a process's cgroup in the unified hierarchy. `folder` is that of the process in /proc. */
export function unifiedPath(folder: string): string | undefined {
  return /^0::(.*)$/m.exec(text(`${folder}/cgroup`))?.[1];
}

/** In mountinfo, white space and backslashes are octal numbers. */
function unescaped(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8)));
}
