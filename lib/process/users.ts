/** Names of users, from /etc/passwd of the host. Users of a directory service have no name here. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import type { Namespaces } from '../../types/events.js';
import { machineNamespaces } from './host-namespaces.js';
import { isInHost, procShowsAllProcesses } from './proc-files.js';

/** The file is looked at again after this time. */
const FRESH_MS = 10_000;
/** A larger file is not read. */
const FILE_BYTES_MAX = 4 * 1024 * 1024;

export class UserNames {
  readonly #path: string | undefined;
  #names: ReadonlyMap<number, string> = new Map();
  #version = '';
  #checkedAt = -Infinity;

  constructor(path: string | undefined) {
    this.#path = path;
  }

  of(uid: number, now = performance.now()): string | undefined {
    if (this.#path !== undefined && now - this.#checkedAt >= FRESH_MS) this.#refresh(this.#path, now);
    return this.#names.get(uid);
  }

  #refresh(path: string, now: number): void {
    this.#checkedAt = now;
    try {
      const { dev, ino, mtimeMs, size, isFile } = fileAt(path);
      const version = [dev, ino, mtimeMs, size].join();
      if (version === this.#version) return;
      this.#version = version;
      this.#names = isFile && size <= FILE_BYTES_MAX ? parsePasswd(readFileSync(path, 'utf8')) : new Map();
    } catch {
      this.#version = '';
      this.#names = new Map();
    }
  }
}

function fileAt(path: string): { dev: number; ino: number; mtimeMs: number; size: number; isFile: boolean } {
  const stats = statSync(path);
  const { dev, ino, mtimeMs, size } = stats;
  return { dev, ino, mtimeMs, size, isFile: stats.isFile() };
}

/** The first name of each user id, from lines of passwd(5). */
export function parsePasswd(text: string): Map<number, string> {
  const names = new Map<number, string>();
  for (const line of text.split('\n')) {
    const [name = '', , uid = ''] = line.split(':');
    if (name !== '' && /^\d+$/.test(uid) && !names.has(Number(uid))) names.set(Number(uid), name);
  }
  return names;
}

let known: UserNames | undefined;

/** The name of a user of the host. Other namespaces can have another user with this id, so they give undefined. */
export function userNameOf(uid: number, { user, mnt }: Namespaces): string | undefined {
  const host = machineNamespaces();
  if (!host.user.includes(user) || !host.mnt.includes(mnt)) return undefined;
  known ??= new UserNames(hostPasswd());
  return known.of(uid);
}

/** In a container this process has another /etc/passwd than the host, and may not read that of process 1. */
function hostPasswd(): string | undefined {
  const ofHost = '/proc/1/root/etc/passwd';
  if (procShowsAllProcesses() && existsSync(ofHost)) return ofHost;
  return isInHost('mnt') ? '/etc/passwd' : undefined;
}
