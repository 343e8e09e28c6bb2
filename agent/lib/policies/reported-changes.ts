/**
 * Decides whether the kernel reports every change of the files in a folder. It reports no changes that another machine
 * makes, and none of a file that a mount shows in the folder.
 */
import { readFile, realpath, statfs } from 'node:fs/promises';

/** `f_type` of file systems that only this kernel changes. */
const LOCAL_FILE_SYSTEMS: ReadonlySet<number> = new Set([
  0xef_53, // ext4
  0x58_46_53_42, // XFS
  0x91_23_68_3e, // btrfs
  0xf2_f5_20_10, // F2FS
  0x01_02_19_94, // tmpfs
  0x79_4c_76_30, // overlayfs
]);

export async function areChangesReported(folder: string): Promise<boolean> {
  try {
    const { type } = await statfs(folder);
    if (!LOCAL_FILE_SYSTEMS.has(type)) return false;
    const path = (await realpath(folder)).replaceAll(/[\\ \t\n]/g, (each) => {
      return `\\${each.charCodeAt(0).toString(8).padStart(3, '0')}`;
    });
    return !(await readFile('/proc/self/mountinfo', 'utf8')).includes(` ${path === '/' ? '' : path}/`);
  } catch {
    return false;
  }
}
