/** Finds the names of users in /etc/passwd of the host. Users of a directory service have no name here. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import type { Namespaces } from '../../types/events.js';
import { hostNamespaces } from './host-namespaces.js';
import { isInHostNamespace, isInHostPidNamespace } from './proc-files.js';

/** The file is checked again after this time. */
const CHECK_INTERVAL_MS = 10_000;
/** A larger file is not read. */
const PASSWD_BYTES_MAX = 4 * 1024 * 1024;

export class UserNames {
  readonly #path: string | undefined;
  #names: ReadonlyMap<number, string> = new Map();
  #version = '';
  #checkedAt = -Infinity;

  constructor(path: string | undefined) {
    this.#path = path;
  }

  find(uid: number, now = performance.now()): string | undefined {
    if (this.#path !== undefined && now - this.#checkedAt >= CHECK_INTERVAL_MS) this.#refresh(this.#path, now);
    return this.#names.get(uid);
  }

  #refresh(path: string, now: number): void {
    this.#checkedAt = now;
    try {
      const { dev, ino, mtimeMs, size, isFile } = statFile(path);
      const version = [dev, ino, mtimeMs, size].join();
      if (version === this.#version) return;
      this.#version = version;
      this.#names = isFile && size <= PASSWD_BYTES_MAX ? parsePasswd(readFileSync(path, 'utf8')) : new Map();
    } catch {
      this.#version = '';
      this.#names = new Map();
    }
  }
}

function statFile(path: string): { dev: number; ino: number; mtimeMs: number; size: number; isFile: boolean } {
  const stats = statSync(path);
  const { dev, ino, mtimeMs, size } = stats;
  return { dev, ino, mtimeMs, size, isFile: stats.isFile() };
}

/** Parses lines of passwd(5). Returns the first name of each user id. */
export function parsePasswd(text: string): Map<number, string> {
  const names = new Map<number, string>();
  for (const line of text.split('\n')) {
    const [name = '', , uid = ''] = line.split(':');
    if (name !== '' && /^\d+$/.test(uid) && !names.has(Number(uid))) names.set(Number(uid), name);
  }
  return names;
}

let hostUsers: UserNames | undefined;

/**
 * Finds the name of a user of the host. In other namespaces, the id can belong to another user: the name is undefined.
 */
export function findUserName(uid: number, { user, mnt }: Pick<Namespaces, 'user' | 'mnt'>): string | undefined {
  const host = hostNamespaces();
  if (!host.user.includes(user) || !host.mnt.includes(mnt)) return undefined;
  hostUsers ??= new UserNames(findHostPasswd());
  return hostUsers.find(uid);
}

/** Finds the host's /etc/passwd. In a container, this process has another file and may not read that of pid 1. */
function findHostPasswd(): string | undefined {
  const hostPath = '/proc/1/root/etc/passwd';
  if (isInHostPidNamespace() && existsSync(hostPath)) return hostPath;
  return isInHostNamespace('mnt') ? '/etc/passwd' : undefined;
}
