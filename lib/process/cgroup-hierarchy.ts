/** Finds where the unified hierarchy of cgroups (cgroup v2) is mounted, and the cgroup of a process in it. */
import { isInHostNamespace, readProcFile } from './proc-files.js';

/**
 * Finds the mount point of the root of the unified hierarchy: `/sys/fs/cgroup`, or `/sys/fs/cgroup/unified` on hosts
 * with both versions. Returns undefined if this process does not see the root, as in a cgroup namespace of a container.
 */
export function findCgroupMount(
  mountinfo = (): string => readProcFile('/proc/self/mountinfo'),
  isHostView = (): boolean => isInHostNamespace('cgroup'),
): string | undefined {
  if (!isHostView()) return undefined;
  for (const line of mountinfo().split('\n')) {
    const [fields = '', type = ''] = line.split(' - ');
    const [, , , root, point] = fields.split(' ');
    if (type.startsWith('cgroup2 ') && root === '/' && point !== undefined) return unescapeMountPath(point);
  }
  return undefined;
}

/** Reads the path of a process's cgroup in the unified hierarchy. `folder` is the /proc folder of the process. */
export function readCgroupPath(folder: string): string | undefined {
  return /^0::(.*)$/m.exec(readProcFile(`${folder}/cgroup`))?.[1];
}

/** Decodes octal numbers, which stand for white space and backslashes in mountinfo. */
export function unescapeMountPath(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8)));
}
