/** Writes the files of a run as the user that the command runs as: the command may have put a link in their place. */
import { openSync } from 'node:fs';
import type { ChildUser } from './child.js';

/** Calls `write` with the rights of the user. Nothing else of this process may run meanwhile. */
function asUser<T>(user: Pick<ChildUser, 'uid' | 'gid'> | undefined, write: () => T): T {
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

/** Opens a file for writing as the user. */
export function openAsUser(user: Pick<ChildUser, 'uid' | 'gid'> | undefined, path: string): number {
  return asUser(user, () => openSync(path, 'w', 0o644));
}
