/** Writes the files of a run as the user that the command runs as: the command may have put a link in their place. */
import { writeFileSync } from 'node:fs';
import type { ChildUser } from './child.js';

/** Calls `write` with the rights of the user. Nothing else of this process may run meanwhile. */
export function asUser<T>(user: Pick<ChildUser, 'uid' | 'gid'> | undefined, write: () => T): T {
  const { geteuid, getegid, seteuid, setegid, getgroups, setgroups } = process;
  if (
    user === undefined || geteuid === undefined || getegid === undefined || seteuid === undefined ||
    setegid === undefined || getgroups === undefined || setgroups === undefined || geteuid() === user.uid
  ) {
    return write();
  } // prettier-ignore
  const [uid, gid, groups] = [geteuid(), getegid(), getgroups()];
  try {
    setgroups([user.gid]);
    setegid(user.gid);
    seteuid(user.uid);
    return write();
  } finally {
    seteuid(uid);
    setegid(gid);
    setgroups(groups);
  }
}

export function writeAsUser(user: Pick<ChildUser, 'uid' | 'gid'> | undefined, path: string, text: string): void {
  asUser(user, () => writeFileSync(path, text));
}
