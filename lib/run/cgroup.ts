/** The cgroup of a run: a folder of its own below that of this process, in the unified hierarchy (cgroup v2). */
import { mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

let runs = 0;

export class RunCgroup {
  private constructor(readonly folder: string) {}

  /** True if this process belongs to a run. */
  static isInside(): boolean {
    try {
      return /^0::.*\/polytrace-run-/m.test(readFileSync('/proc/self/cgroup', 'utf8'));
    } catch {
      return false;
    }
  }

  /** Undefined without a unified hierarchy, or without the right to make a folder there. */
  static create(): RunCgroup | undefined {
    try {
      const mount = readFileSync('/proc/self/mountinfo', 'utf8')
        .split('\n')
        .find((line) => line.includes(' - cgroup2 '));
      const own = /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1];
      const point = mount?.split(' ')[4];
      if (point === undefined || own === undefined) return undefined;
      // a lock file of another run generalises numbers of five digits and more
      const id = String(process.pid).padStart(7, '0');
      const folder = join(point, own, `polytrace-run-${id}-${++runs}`);
      mkdirSync(folder);
      return new RunCgroup(folder);
    } catch {
      return undefined;
    }
  }

  /**
   * Resolves with false if the process cannot be moved, as where threads share a cgroup. The kernel takes some
   * milliseconds for it.
   */
  async add(pid: number): Promise<boolean> {
    try {
      await writeFile(join(this.folder, 'cgroup.procs'), String(pid));
      return true;
    } catch {
      return false;
    }
  }

  /** The processes in the cgroup. */
  processes(): number[] {
    try {
      return readFileSync(join(this.folder, 'cgroup.procs'), 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map(Number);
    } catch {
      return [];
    }
  }

  /** Removes the folder. One with processes stays until they end, as those of a daemon. */
  remove(): void {
    try {
      rmdirSync(this.folder);
    } catch {
      // processes remain
    }
  }
}
