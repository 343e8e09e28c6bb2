/** Paths as the kernel knows them by a dentry alone, which names no mount. Pure. */
import { unescapeMountPath } from '../process/cgroup-hierarchy.js';

interface Mount {
  readonly device: string;
  /** The folder of the file system that is mounted. */
  readonly root: string;
  readonly point: string;
}

/** The mounts of /proc/self/mountinfo. */
export class Mounts {
  readonly #mounts: readonly Mount[];

  constructor(mountinfo: string) {
    this.#mounts = mountinfo.split('\n').flatMap((line) => {
      const [, , device, root, point] = line.split(' ');
      if (device === undefined || root === undefined || point === undefined) return [];
      return [{ device, root: unescapeMountPath(root), point: unescapeMountPath(point) }];
    });
  }

  /**
   * The path of `path` in its file system, which is how a dentry on another file system than that of the root is named.
   * Undefined if it is on the same file system as the root.
   */
  inFileSystem(path: string): string | undefined {
    const main = this.#find('/');
    const mount = this.#find(path);
    if (mount === undefined || main === undefined || mount.device === main.device) return undefined;
    const rest = mount.point === '/' ? path : path.slice(mount.point.length);
    return `${mount.root === '/' ? '' : mount.root}${rest}` || '/';
  }

  /** The mount of a path. Of several on one folder, the last is on top. */
  #find(path: string): Mount | undefined {
    let found: Mount | undefined;
    for (const mount of this.#mounts) {
      const isAbove = mount.point === '/' || path === mount.point || path.startsWith(`${mount.point}/`);
      if (isAbove && mount.point.length >= (found?.point.length ?? 0)) found = mount;
    }
    return found;
  }
}
